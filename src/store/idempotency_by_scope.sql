select
    answered.credential,
    answered.key,
    answered.request_digest,
    answered.at,
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
  join unnest($1::text[], $2::text[]) as wanted (credential, key)
    on wanted.credential = answered.credential
   and wanted.key = answered.key
  join events
    on events.position = answered.position
