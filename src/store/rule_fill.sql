with superseded as (
    insert into past_revocations (
        issued_pos,
        revoked_pos,
        revoked_at,
        effective_from,
        revocation_reason,
        revocation_note,
        revoked_by,
        until_pos
    )
    select
        issued_pos,
        revoked_pos,
        revoked_at,
        effective_from,
        revocation_reason,
        revocation_note,
        revoked_by,
        $2
      from token_revocations
     where issued_pos = any($1)
       and effective_from > $3
        on conflict (issued_pos, revoked_pos) do nothing
)
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
