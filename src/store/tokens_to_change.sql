select changed.jti
  from unnest($1::text[], $2::boolean[]) as wanted (sub, is_suspended)
 cross join lateral (
    select jti
      from tokens
     where tokens.sub = wanted.sub
       and exp > $3
       and (revoked_pos is null or effective_from is not null)
       and (suspended_pos is not null) = wanted.is_suspended
     limit $4
) as changed
