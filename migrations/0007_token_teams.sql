-- What a listing by team walks, newest first, however rare or frequent the team is.
create table token_teams (
    team text collate "C" not null,
    issued_pos bigint not null,
    constraint token_teams_pkey primary key (team, issued_pos)
);

comment on table token_teams is 'Inline projection: one row for each team that a token names, or one that stands for every team';
comment on column token_teams.team is 'The team; empty for a token that reaches every team';
comment on column token_teams.issued_pos is 'The token, by the position of the event that issued it';

insert into token_teams (team, issued_pos)
select distinct team, issued_pos
  from tokens,
       unnest(coalesce(teams, array[''])) as team;

analyze token_teams;
