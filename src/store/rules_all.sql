select
    position,
    filled_to,
    to_jsonb(rule) as columns
  from revocation_rules as rule
 order by position
