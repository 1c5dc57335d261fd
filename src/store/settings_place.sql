select
    position,
    digest
  from events
 where split_part(kind, '.', 1) in ('catalog', 'policy', 'key', 'client')
 order by position desc
 limit 1
