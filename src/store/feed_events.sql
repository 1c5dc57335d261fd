select
    events.position,
    events.body,
    events.digest,
    tokens.exp
  from events
  left join tokens on tokens.jti = events.jti
 where split_part(events.kind, '.v', 1) in (
           'token.revoked', 'token.suspended', 'token.resumed', 'tokens.revoked_by_rule', 'key.compromised'
       )
   and events.position > $1
   and events.position <= $2
 order by events.position
 limit $3
