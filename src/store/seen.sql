select distinct jti
  from events
 where jti = any($1)
   and split_part(kind, '.', 1) = $2
