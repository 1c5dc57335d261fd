select
    jti,
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
    successor
  from tokens
 where exp > $1
