, changed as (
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
