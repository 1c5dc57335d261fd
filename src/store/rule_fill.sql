with free as (
    select jti
      from tokens
     where issued_pos = any($1)
       and (revoked_pos is null or effective_from > $3)
     order by issued_pos
       for update skip locked
)
update tokens
   set revoked_pos = $2,
       revoked_at = $3,
       effective_from = null,
       revocation_reason = $4,
       revocation_note = $5,
       revoked_by = $6
  from free
 where tokens.jti = free.jti
