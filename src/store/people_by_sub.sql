select
    sub,
    issuer,
    is_admin,
    teams,
    permissions,
    logged_in,
    position
  from people
 where sub = any($1)
