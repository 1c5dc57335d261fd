select
    issued_pos,
    revoked_pos,
    revoked_at,
    effective_from,
    revocation_reason,
    revocation_note,
    revoked_by,
    until_pos
  from past_revocations
