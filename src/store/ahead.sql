select
    log_head.log_id,
    log_head.position as head_position,
    log_head.digest as head_digest,
    log_head.recorded_at as head_recorded_at,
    to_regclass('issued_tokens')::oid::bigint as tokens_table,
    to_regclass('revocation_rules')::oid::bigint as rules_table,
    ahead.*
  from log_head
  left join lateral (
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
     where events.position >= $1
     order by events.position
     limit $2
  ) as ahead on true
 where log_head.id = 1
 order by ahead.position
