, revoked as (
    insert into token_revocations (
        issued_pos,
        revoked_pos,
        revoked_at,
        effective_from,
        revocation_reason,
        revocation_note,
        revoked_by
    )
    select
        issued_pos,
        revoked_pos,
        revoked_at,
        effective_from,
        revocation_reason,
        revocation_note,
        revoked_by
      from unnest(
               $14::bigint[],
               $15::bigint[],
               $16::timestamptz[],
               $17::timestamptz[],
               $18::text[],
               $19::text[],
               $20::text[]
           ) as revocation (
               issued_pos,
               revoked_pos,
               revoked_at,
               effective_from,
               revocation_reason,
               revocation_note,
               revoked_by
           )
        on conflict (issued_pos) do update
       set revoked_pos = excluded.revoked_pos,
           revoked_at = excluded.revoked_at,
           effective_from = excluded.effective_from,
           revocation_reason = excluded.revocation_reason,
           revocation_note = excluded.revocation_note,
           revoked_by = excluded.revoked_by
     where token_revocations.revoked_pos <> excluded.revoked_pos
), changed as (
    update issued_tokens as token
       set suspended_pos = changed.suspended_pos,
           suspended_at = changed.suspended_at,
           successor = changed.successor,
           suspended_by = changed.suspended_by,
           suspended_by_full_admin = changed.suspended_by_full_admin
      from unnest(
               $21::uuid[],
               $22::bigint[],
               $23::timestamptz[],
               $24::uuid[],
               $25::text[],
               $26::boolean[]
           ) as changed (
               jti,
               suspended_pos,
               suspended_at,
               successor,
               suspended_by,
               suspended_by_full_admin
           )
     where token.jti = changed.jti
       and (
               token.suspended_pos,
               token.suspended_at,
               token.successor,
               token.suspended_by,
               token.suspended_by_full_admin
           ) is distinct from (
               changed.suspended_pos,
               changed.suspended_at,
               changed.successor,
               changed.suspended_by,
               changed.suspended_by_full_admin
           )
)
