-- The end of the log, one row. Whoever holds its lock is the only one who appends.
create table log_head (
    id smallint not null default 1,
    position bigint not null,
    digest bytea not null,
    recorded_at timestamptz not null,
    log_id uuid not null,
    constraint log_head_pkey primary key (id),
    constraint log_head_one_row check (id = 1),
    constraint log_head_position_counts check (position >= 0),
    constraint log_head_recorded_at_is_finite check (isfinite(recorded_at)),
    constraint log_head_digest_is_sha256 check (length(digest) = 32)
) with (fillfactor = 10);

comment on table log_head is 'The end of the event log: one row, whose lock orders every append';
comment on column log_head.id is 'Always 1';
comment on column log_head.position is 'The position of the last event; 0 while there is none';
comment on column log_head.digest is 'The digest of the last event; 32 zero bytes while there is none';
comment on column log_head.recorded_at is 'The recorded_at of the last event; never goes backwards';
comment on column log_head.log_id is 'The epoch of the log: another value means that positions may have been handed out twice';

insert into log_head (position, digest, recorded_at, log_id)
values (0, decode(repeat('00', 32), 'hex'), clock_timestamp(), gen_random_uuid());
