-- What a listing by permission walks, newest first, however rare or frequent the permission is.
create table token_permissions (
    permission text collate "C" not null,
    issued_pos bigint not null,
    constraint token_permissions_pkey primary key (permission, issued_pos)
);

comment on table token_permissions is 'Inline projection: one row for each permission that a token names, or one that stands for all its subject may do';
comment on column token_permissions.permission is 'The permission or wildcard; empty for a token that leaves everything to its subject''s roles';
comment on column token_permissions.issued_pos is 'The token, by the position of the event that issued it';

insert into token_permissions (permission, issued_pos)
select distinct permission, issued_pos
  from tokens,
       unnest(case when permissions = '{}' then array[''] else permissions end) as permission;

analyze token_permissions;
