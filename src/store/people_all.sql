select
    sub,
    issuer,
    is_admin,
    teams,
    permissions,
    logged_in,
    position
  from people
 order by position
