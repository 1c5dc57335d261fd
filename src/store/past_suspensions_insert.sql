insert into past_suspensions (
    issued_pos,
    suspended_pos,
    suspended_at,
    until_pos
)
select
    issued_pos,
    suspended_pos,
    suspended_at,
    until_pos
  from unnest($1::bigint[], $2::bigint[], $3::timestamptz[], $4::bigint[])
    as past (issued_pos, suspended_pos, suspended_at, until_pos)
