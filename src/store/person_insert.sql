insert into people (
    sub,
    issuer,
    is_admin,
    teams,
    permissions,
    logged_in,
    position
)
values ($1, $2, $3, $4, $5, $6, $7)
on conflict (sub) do update
   set issuer = excluded.issuer,
       is_admin = excluded.is_admin,
       teams = excluded.teams,
       permissions = excluded.permissions,
       logged_in = excluded.logged_in,
       position = excluded.position
