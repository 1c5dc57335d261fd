select
    issued_pos,
    array_agg(permission order by permission) as values
  from token_permissions
 group by issued_pos
