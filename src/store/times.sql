select 'log_head' as place, position
  from log_head
 where not isfinite(recorded_at)
 union all
select 'events' as place, position
  from events
 where not isfinite(recorded_at)
 union all
select 'tokens' as place, issued_pos
  from issued_tokens
 where not (
           isfinite(iat)
       and isfinite(exp)
       and coalesce(isfinite(suspended_at), true)
       and coalesce(isfinite(first_iat), true)
       )
 union all
select 'token_revocations' as place, issued_pos
  from token_revocations
 where not (isfinite(revoked_at) and coalesce(isfinite(effective_from), true))
 union all
select 'past_revocations' as place, issued_pos
  from past_revocations
 where not (isfinite(revoked_at) and coalesce(isfinite(effective_from), true))
 union all
select 'past_suspensions' as place, issued_pos
  from past_suspensions
 where not isfinite(suspended_at)
 union all
select 'token_names' as place, issued_pos
  from token_names
 where not isfinite(exp)
 union all
select 'token_spans' as place, span * 1024
  from token_spans
 where not (isfinite(iat_min) and isfinite(iat_max) and isfinite(exp_min) and isfinite(exp_max))
 union all
select 'revocation_rules' as place, position
  from revocation_rules
 where not (
           isfinite(revoked_at)
       and coalesce(isfinite(issued_after), true)
       and coalesce(isfinite(issued_before), true)
       )
 order by position
