select
    position,
    kind,
    jti,
    recorded_at,
    path,
    request_id,
    body,
    personal,
    salt,
    personal_commitment,
    digest
  from events
 where jti = any($1)
   and position > $2
   and split_part(kind, '.', 1) = 'token'
 order by position
