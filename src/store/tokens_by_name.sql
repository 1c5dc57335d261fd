select
    tokens.jti,
    tokens.sub,
    tokens.name,
    description,
    reason,
    email,
    full_name,
    aud,
    kid,
    is_admin,
    teams,
    namespaces,
    permissions,
    server_id,
    restrictions,
    elevated,
    path,
    out_of_band,
    issued_by,
    policy_version,
    issued_pos,
    iat,
    exp,
    claims_digest,
    revoked_pos,
    revoked_at,
    effective_from,
    revocation_reason,
    revocation_note,
    revoked_by,
    suspended_pos,
    suspended_at,
    family,
    predecessor,
    successor,
    suspended_by,
    suspended_by_full_admin,
    exists (select from revocation_rules where position = tokens.revoked_pos) as by_rule,
    (select jsonb_agg(to_jsonb(rule) order by position) from revocation_rules as rule where filled_to > 0) as rules
  from tokens
  join unnest($1::text[], $2::text[]) as wanted (sub, name)
    on wanted.sub = tokens.sub
   and wanted.name = tokens.name
 where tokens.name is not null
   and tokens.exp > $3
   and (tokens.revoked_pos is null or tokens.effective_from is not null)
