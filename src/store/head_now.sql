select
    log_id,
    position,
    digest,
    recorded_at,
    greatest(clock_timestamp(), recorded_at) as now
  from log_head
 where id = 1
