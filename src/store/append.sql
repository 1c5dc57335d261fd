with head as (
    update log_head
       set position = $1,
           digest = $2,
           recorded_at = $3
     where id = 1
), appended as (
    insert into events (
        position,
        kind,
        jti,
        recorded_at,
        path,
        request_id,
        body,
        personal,
        salt,
        personal_commitment,
        digest
    )
    select
        position,
        kind,
        jti,
        $3,
        path,
        request_id,
        body,
        personal,
        salt,
        personal_commitment,
        digest
      from unnest(
               $4::bigint[],
               $5::text[],
               $6::uuid[],
               $7::text[],
               $8::text[],
               $9::bytea[],
               $10::bytea[],
               $11::bytea[],
               $12::bytea[],
               $13::bytea[]
           ) as event (position, kind, jti, path, request_id, body, personal, salt, personal_commitment, digest)
), reached_teams as (
    insert into token_teams (
        team,
        issued_pos
    )
    select
        team,
        issued_pos
      from unnest($14::text[], $15::bigint[]) as reached (team, issued_pos)
), reached_permissions as (
    insert into token_permissions (
        permission,
        issued_pos
    )
    select
        permission,
        issued_pos
      from unnest($16::text[], $17::bigint[]) as reached (permission, issued_pos)
), spans as (
    insert into token_spans (
        span,
        iat_min,
        iat_max,
        exp_min,
        exp_max
    )
    select
        span,
        iat_min,
        iat_max,
        exp_min,
        exp_max
      from unnest($18::bigint[], $19::timestamptz[], $20::timestamptz[], $21::timestamptz[], $22::timestamptz[])
        as times (span, iat_min, iat_max, exp_min, exp_max)
        on conflict (span) do update
       set iat_min = least(token_spans.iat_min, excluded.iat_min),
           iat_max = greatest(token_spans.iat_max, excluded.iat_max),
           exp_min = least(token_spans.exp_min, excluded.exp_min),
           exp_max = greatest(token_spans.exp_max, excluded.exp_max)
)
insert into tokens (
    jti,
    sub,
    name,
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
    suspended_by_full_admin
)
select
    jti,
    sub,
    name,
    description,
    reason,
    email,
    full_name,
    aud::text[],
    kid,
    is_admin,
    teams::text[],
    namespaces::text[],
    permissions::text[],
    server_id,
    restrictions,
    elevated::text[],
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
    suspended_by_full_admin
  from unnest(
           $23::uuid[],
           $24::text[],
           $25::text[],
           $26::text[],
           $27::text[],
           $28::text[],
           $29::text[],
           $30::text[],
           $31::text[],
           $32::boolean[],
           $33::text[],
           $34::text[],
           $35::text[],
           $36::text[],
           $37::jsonb[],
           $38::text[],
           $39::text[],
           $40::boolean[],
           $41::text[],
           $42::integer[],
           $43::bigint[],
           $44::timestamptz[],
           $45::timestamptz[],
           $46::bytea[],
           $47::bigint[],
           $48::timestamptz[],
           $49::timestamptz[],
           $50::text[],
           $51::text[],
           $52::text[],
           $53::bigint[],
           $54::timestamptz[],
           $55::uuid[],
           $56::uuid[],
           $57::uuid[],
           $58::text[],
           $59::boolean[]
       ) as token (
           jti,
           sub,
           name,
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
           suspended_by_full_admin
       )
    on conflict (jti) do update
   set revoked_pos = excluded.revoked_pos,
       revoked_at = excluded.revoked_at,
       effective_from = excluded.effective_from,
       revocation_reason = excluded.revocation_reason,
       revocation_note = excluded.revocation_note,
       revoked_by = excluded.revoked_by,
       suspended_pos = excluded.suspended_pos,
       suspended_at = excluded.suspended_at,
       successor = excluded.successor,
       suspended_by = excluded.suspended_by,
       suspended_by_full_admin = excluded.suspended_by_full_admin
 where tokens.issued_pos = excluded.issued_pos
