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
 where split_part(kind, '.', 1) in ('catalog', 'policy', 'key', 'client')
 order by position
