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
               $16::bigint[],
               $17::bigint[],
               $18::timestamptz[],
               $19::timestamptz[],
               $20::text[],
               $21::text[],
               $22::text[]
           ) as revocation (
               issued_pos,
               revoked_pos,
               revoked_at,
               effective_from,
               revocation_reason,
               revocation_note,
               revoked_by
           )
     where exists (select from head)
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
               $23::uuid[],
               $24::bigint[],
               $25::timestamptz[],
               $26::uuid[],
               $27::text[],
               $28::boolean[]
           ) as changed (
               jti,
               suspended_pos,
               suspended_at,
               successor,
               suspended_by,
               suspended_by_full_admin
           )
     where exists (select from head)
       and token.jti = changed.jti
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
