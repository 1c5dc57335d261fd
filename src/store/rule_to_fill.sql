select to_jsonb(rule)
  from revocation_rules as rule
 where position = (
        select min(position)
          from revocation_rules
         where filled_to > 0
       )
   for update skip locked
