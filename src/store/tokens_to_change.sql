select jti
  from tokens
 where sub = $1
   and (suspended_pos is not null) = $2
   and exp > $3
   and (revoked_pos is null or effective_from > $3)
 limit $4
