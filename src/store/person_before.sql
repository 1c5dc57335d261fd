select position
  from events
 where kind = 'person.seen.v1'
   and position < $1
   and convert_from(personal, 'utf8')::jsonb #>> '{data,sub}' = $2
 order by position desc
 limit 1
