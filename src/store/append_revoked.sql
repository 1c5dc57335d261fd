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
)
