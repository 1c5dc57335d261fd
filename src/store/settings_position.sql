select coalesce(max(position), 0)
  from events
 where split_part(kind, '.', 1) in ('catalog', 'policy', 'key', 'client')
