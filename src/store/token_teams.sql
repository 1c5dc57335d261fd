select
    issued_pos,
    array_agg(team order by team) as values
  from token_teams
 group by issued_pos
