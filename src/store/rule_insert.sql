insert into revocation_rules (
    position,
    sub,
    team,
    path,
    kid,
    permission,
    name,
    issued_after,
    issued_before,
    family,
    successors,
    revoked_at,
    reason,
    note,
    revoked_by,
    issued_from,
    filled_to
)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $1)
