update tokens
   set revoked_pos = changed.revoked_pos,
       revoked_at = changed.revoked_at,
       effective_from = changed.effective_from,
       revocation_reason = changed.revocation_reason,
       revocation_note = changed.revocation_note,
       revoked_by = changed.revoked_by,
       suspended_pos = changed.suspended_pos,
       suspended_at = changed.suspended_at,
       successor = changed.successor,
       suspended_by = changed.suspended_by,
       suspended_by_full_admin = changed.suspended_by_full_admin
  from unnest(
           $14::uuid[],
           $15::bigint[],
           $16::bigint[],
           $17::timestamptz[],
           $18::timestamptz[],
           $19::text[],
           $20::text[],
           $21::text[],
           $22::bigint[],
           $23::timestamptz[],
           $24::uuid[],
           $25::text[],
           $26::boolean[]
       ) as changed (
           jti,
           issued_pos,
           revoked_pos,
           revoked_at,
           effective_from,
           revocation_reason,
           revocation_note,
           revoked_by,
           suspended_pos,
           suspended_at,
           successor,
           suspended_by,
           suspended_by_full_admin
       )
 where tokens.jti = changed.jti
   and tokens.issued_pos = changed.issued_pos
