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
 where split_part(kind, '.v', 1) in ('tokens.revoked_by_rule', 'key.compromised')
 order by position
