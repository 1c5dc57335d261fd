insert into idempotency (
    credential,
    key,
    request_digest,
    position,
    at
)
select
    credential,
    key,
    request_digest,
    position,
    at
  from unnest($1::text[], $2::text[], $3::bytea[], $4::bigint[], $5::timestamptz[]) as request (credential, key, request_digest, position, at)
    on conflict (credential, key) do update
   set request_digest = excluded.request_digest,
       position = excluded.position,
       at = excluded.at
