select
    issued_pos,
    sub,
    name,
    exp
  from token_names
