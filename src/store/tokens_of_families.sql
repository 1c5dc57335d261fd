select jti
  from tokens
 where (family = any($1) or jti = any($1))
   and exp > $2
   and (revoked_pos is null or effective_from is not null)
