, reached_teams as (
    insert into token_teams (
        team,
        issued_pos
    )
    select
        team,
        issued_pos
      from unnest($27::text[], $28::bigint[]) as reached (team, issued_pos)
), reached_permissions as (
    insert into token_permissions (
        permission,
        issued_pos
    )
    select
        permission,
        issued_pos
      from unnest($29::text[], $30::bigint[]) as reached (permission, issued_pos)
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
      from unnest($31::bigint[], $32::timestamptz[], $33::timestamptz[], $34::timestamptz[], $35::timestamptz[])
        as times (span, iat_min, iat_max, exp_min, exp_max)
        on conflict (span) do update
       set iat_min = least(token_spans.iat_min, excluded.iat_min),
           iat_max = greatest(token_spans.iat_max, excluded.iat_max),
           exp_min = least(token_spans.exp_min, excluded.exp_min),
           exp_max = greatest(token_spans.exp_max, excluded.exp_max)
), names as (
    insert into token_names (
        sub,
        name,
        exp,
        issued_pos
    )
    select
        sub,
        name,
        exp,
        issued_pos
      from unnest($37::text[], $38::text[], $58::timestamptz[], $56::bigint[]) as named (sub, name, exp, issued_pos)
     where sub is not null
       and name is not null
), issued as (
    insert into issued_tokens (
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
        suspended_pos,
        suspended_at,
        family,
        predecessor,
        successor,
        first_path,
        first_iat,
        first_kid,
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
        suspended_pos,
        suspended_at,
        family,
        predecessor,
        successor,
        first_path,
        first_iat,
        first_kid,
        suspended_by,
        suspended_by_full_admin
      from unnest(
               $36::uuid[],
               $37::text[],
               $38::text[],
               $39::text[],
               $40::text[],
               $41::text[],
               $42::text[],
               $43::text[],
               $44::text[],
               $45::boolean[],
               $46::text[],
               $47::text[],
               $48::text[],
               $49::text[],
               $50::jsonb[],
               $51::text[],
               $52::text[],
               $53::boolean[],
               $54::text[],
               $55::integer[],
               $56::bigint[],
               $57::timestamptz[],
               $58::timestamptz[],
               $59::bytea[],
               $60::bigint[],
               $61::timestamptz[],
               $62::uuid[],
               $63::uuid[],
               $64::uuid[],
               $65::text[],
               $66::timestamptz[],
               $67::text[],
               $68::text[],
               $69::boolean[]
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
               suspended_pos,
               suspended_at,
               family,
               predecessor,
               successor,
               first_path,
               first_iat,
               first_kid,
               suspended_by,
               suspended_by_full_admin
           )
)
