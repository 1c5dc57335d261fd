select
    jti,
    kid,
    teams,
    permissions,
    sub,
    name,
    iat,
    claims_digest,
    issued_pos,
    path,
    out_of_band,
    exp,
    revoked_pos is not null as is_revoked,
    effective_from,
    suspended_pos is not null as is_suspended,
    family,
    predecessor,
    successor,
    list,
    idx
  from tokens
  left join status_list_entries using (issued_pos)
 where exp > $1
    or exp > $2
   and list is not null
