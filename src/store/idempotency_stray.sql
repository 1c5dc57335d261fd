select position
  from idempotency
 where not exists (select from events where events.position = idempotency.position)
 order by position
