with wanted as (
    select sub, name
      from unnest($1::text[], $2::text[]) as wanted (sub, name)
), freed as (
    delete
      from token_names as named
     using wanted, token_revocations as revocation
     where named.sub = wanted.sub
       and named.name = wanted.name
       and named.exp > $3
       and revocation.issued_pos = named.issued_pos
       and revocation.effective_from is null
)
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
    tokens.issued_pos,
    iat,
    tokens.exp,
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
    first_path,
    first_iat,
    first_kid,
    suspended_by,
    suspended_by_full_admin,
    exists (select from revocation_rules where position = tokens.revoked_pos) as by_rule,
    (select jsonb_agg(to_jsonb(rule) order by position) from revocation_rules as rule where filled_to > 0) as rules
  from wanted
  join token_names as named
    on named.sub = wanted.sub
   and named.name = wanted.name
  join tokens on tokens.issued_pos = named.issued_pos
 where named.exp > $3
   and (tokens.revoked_pos is null or tokens.effective_from is not null)
