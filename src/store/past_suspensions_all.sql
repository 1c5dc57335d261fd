select
    issued_pos,
    suspended_pos,
    suspended_at,
    until_pos
  from past_suspensions
