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
    until_pos
  from unnest(
           $1::bigint[],
           $2::bigint[],
           $3::timestamptz[],
           $4::timestamptz[],
           $5::text[],
           $6::text[],
           $7::text[],
           $8::bigint[]
       ) as past (
           issued_pos,
           revoked_pos,
           revoked_at,
           effective_from,
           revocation_reason,
           revocation_note,
           revoked_by,
           until_pos
       )
    on conflict (issued_pos, revoked_pos) do nothing
