select
    path,
    count(*) filter (where kind like 'token.issued.v%') as issued,
    count(*) filter (where kind like 'token.revoked.v%') as revoked,
    count(*) filter (where kind like 'tokens.revoked_by_rule.v%') as rules
  from events
 where position > $1
   and position <= $2
 group by path
