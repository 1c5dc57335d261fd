-- What identity providers said of people last: whom they vouch for, and what that is worth here.
create table people (
    sub text collate "C" not null,
    issuer text not null,
    is_admin boolean not null,
    teams text[],
    permissions text[] not null,
    logged_in bigint not null,
    position bigint not null,
    constraint people_pkey primary key (sub),
    constraint people_every_team_is_of_administrators check (teams is not null or is_admin)
);

comment on table people is 'Inline projection: one row for each person whom a trusted issuer vouched for, as of the last login that changed anything';
comment on column people.sub is 'Whom the person speaks for here';
comment on column people.issuer is 'The identity provider that vouched for the person';
comment on column people.is_admin is 'Whether a role of the person makes it an administrator';
comment on column people.teams is 'The teams that the groups of the person are here; null is every team';
comment on column people.permissions is 'What the person may do here; an administrator may do everything';
comment on column people.logged_in is 'When the provider said so: iat of the access token, in seconds since 1970';
comment on column people.position is 'The position of the event that recorded it';
