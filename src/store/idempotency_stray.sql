select
    answered.credential,
    answered.key,
    answered.position as named,
    events.position,
    events.kind,
    events.jti,
    events.recorded_at,
    events.path,
    events.request_id,
    events.body,
    events.personal,
    events.salt,
    events.personal_commitment,
    events.digest
  from idempotency as answered
  left join events
    on events.position = answered.position
 order by answered.position
