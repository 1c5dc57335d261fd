-- Which places of the status lists are taken, and by which tokens.
create table status_list_entries (
    list uuid not null,
    idx integer not null,
    issued_pos bigint not null,
    constraint status_list_entries_pkey primary key (list, idx),
    constraint status_list_entries_idx_counts check (idx >= 0)
);

create unique index status_list_entries_issued_pos_idx on status_list_entries (issued_pos);

comment on table status_list_entries is 'Inline projection: one row for each token whose status stands in a status list';
comment on column status_list_entries.list is 'The list';
comment on column status_list_entries.idx is 'The place in it, from 0';
comment on column status_list_entries.issued_pos is 'The token, by the position of the event that issued it';
