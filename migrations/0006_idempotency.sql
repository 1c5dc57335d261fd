-- Which requests were already answered, so that a repeat gets the same answer.
create table idempotency (
    credential text not null,
    key text not null,
    request_digest bytea not null,
    position bigint not null,
    at timestamptz not null,
    constraint idempotency_pkey primary key (credential, key),
    constraint idempotency_request_digest_is_sha256 check (length(request_digest) = 32)
);

create index idempotency_at_idx on idempotency (at);

comment on table idempotency is 'The requests of the last 24 hours that carried an Idempotency-Key';
comment on column idempotency.credential is 'The credential of the caller, to whom the key belongs';
comment on column idempotency.key is 'The Idempotency-Key as it was sent';
comment on column idempotency.request_digest is 'SHA-256 over the parsed command';
comment on column idempotency.position is 'The position of the event that the first request caused';
comment on column idempotency.at is 'When the first request was recorded';
