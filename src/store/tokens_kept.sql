select kept.jti
  from unnest($1::text[]) as wanted (sub)
 cross join lateral (
    select jti
      from tokens
     where tokens.sub = wanted.sub
       and exp > $2
       and (revoked_pos is null or effective_from is not null)
     limit $3
) as kept
