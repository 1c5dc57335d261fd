insert into token_revocations (
    issued_pos,
    revoked_pos,
    revoked_at,
    revocation_reason,
    revocation_note,
    revoked_by
)
select
    issued_pos,
    $2,
    $3,
    $4,
    $5,
    $6
  from unnest($1::bigint[]) as covered (issued_pos)
    on conflict (issued_pos) do update
   set revoked_pos = excluded.revoked_pos,
       revoked_at = excluded.revoked_at,
       effective_from = null,
       revocation_reason = excluded.revocation_reason,
       revocation_note = excluded.revocation_note,
       revoked_by = excluded.revoked_by
 where token_revocations.effective_from > excluded.revoked_at
