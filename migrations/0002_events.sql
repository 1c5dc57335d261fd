-- The log. Rows are inserted and never changed, save that what is personal can be erased.
create table events (
    position bigint not null,
    kind text not null,
    jti uuid,
    recorded_at timestamptz not null,
    path text not null,
    request_id text not null,
    body bytea not null,
    personal bytea,
    salt bytea,
    personal_commitment bytea not null,
    digest bytea not null,
    constraint events_pkey primary key (position),
    constraint events_position_counts check (position >= 1),
    constraint events_recorded_at_is_finite check (isfinite(recorded_at)),
    constraint events_personal_and_salt_together check ((personal is null) = (salt is null)),
    constraint events_salt_length check (length(salt) = 16),
    constraint events_personal_commitment_is_sha256 check (length(personal_commitment) = 32),
    constraint events_digest_is_sha256 check (length(digest) = 32)
);

create index events_jti_idx on events (jti, position) where jti is not null;
create index events_path_idx on events (path, position);
create index events_settings_idx on events (position) where split_part(kind, '.', 1) in ('catalog', 'policy', 'key');

comment on table events is 'The event log: dense, ordered by commit, append-only';
comment on column events.position is '1, 2, 3 and so on without a hole, in the order of commits';
comment on column events.kind is 'What happened, with the version of its form, such as token.issued.v1; a copy of what body says';
comment on column events.jti is 'The token it speaks of, if any; a copy of what body says';
comment on column events.recorded_at is 'The clock of the database when it was appended; never goes backwards along the log';
comment on column events.path is 'The door: api, cli-dev, cli-admin or system; a copy of what body says';
comment on column events.request_id is 'The request in the diagnostics; a copy of what body says';
comment on column events.body is 'The structure of the event: canonical JSON, exactly these bytes are under the digest';
comment on column events.personal is 'What may have to be erased: canonical JSON; null once erased';
comment on column events.salt is '16 random bytes that keep the commitment from being guessed; null once erased';
comment on column events.personal_commitment is 'SHA-256(salt || personal); stays when both are erased';
comment on column events.digest is 'SHA-256(previous digest || position || recorded_at in microseconds || SHA-256(body) || personal_commitment), integers as 8 bytes, big-endian';
