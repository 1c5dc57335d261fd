, reached_teams as (
    insert into token_teams (
        team,
        issued_pos
    )
    select
        team,
        issued_pos
      from unnest($29::text[], $30::bigint[]) as reached (team, issued_pos)
     where exists (select from head)
), reached_permissions as (
    insert into token_permissions (
        permission,
        issued_pos
    )
    select
        permission,
        issued_pos
      from unnest($31::text[], $32::bigint[]) as reached (permission, issued_pos)
     where exists (select from head)
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
      from unnest($33::bigint[], $34::timestamptz[], $35::timestamptz[], $36::timestamptz[], $37::timestamptz[])
        as times (span, iat_min, iat_max, exp_min, exp_max)
     where exists (select from head)
        on conflict (span) do update
       set iat_min = least(token_spans.iat_min, excluded.iat_min),
           iat_max = greatest(token_spans.iat_max, excluded.iat_max),
           exp_min = least(token_spans.exp_min, excluded.exp_min),
           exp_max = greatest(token_spans.exp_max, excluded.exp_max)
), freed as (
    delete
      from token_names as named
     using unnest($39::text[], $40::text[], $59::timestamptz[]) as wanted (sub, name, iat),
           token_revocations as revocation
     where exists (select from head)
       and named.sub = wanted.sub
       and named.name = wanted.name
       and named.exp > wanted.iat
       and revocation.issued_pos = named.issued_pos
       and revocation.effective_from is null
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
      from unnest($39::text[], $40::text[], $60::timestamptz[], $58::bigint[]) as named (sub, name, exp, issued_pos)
     where exists (select from head)
       and sub is not null
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
               $38::uuid[],
               $39::text[],
               $40::text[],
               $41::text[],
               $42::text[],
               $43::text[],
               $44::text[],
               $45::text[],
               $46::text[],
               $47::boolean[],
               $48::text[],
               $49::text[],
               $50::text[],
               $51::text[],
               $52::jsonb[],
               $53::text[],
               $54::text[],
               $55::boolean[],
               $56::text[],
               $57::integer[],
               $58::bigint[],
               $59::timestamptz[],
               $60::timestamptz[],
               $61::bytea[],
               $62::bigint[],
               $63::timestamptz[],
               $64::uuid[],
               $65::uuid[],
               $66::uuid[],
               $67::text[],
               $68::timestamptz[],
               $69::text[],
               $70::text[],
               $71::boolean[]
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
     where exists (select from head)
), entered as (
    insert into status_list_entries (
        list,
        idx,
        issued_pos
    )
    select
        list,
        idx,
        issued_pos
      from unnest($72::uuid[], $73::integer[], $74::bigint[]) as entry (list, idx, issued_pos)
     where exists (select from head)
)
