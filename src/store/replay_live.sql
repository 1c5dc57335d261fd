select
    issued_pos,
    jti,
    suspended_pos is not null as is_suspended
  from tokens_as_of($1)
 where exp > $2
   and (revoked_pos is null or effective_from > $2)
 union all
select
    issued_pos,
    jti,
    suspended_pos is not null as is_suspended
  from issued_tokens
 where issued_pos > $3
   and exp > $2
 order by issued_pos
