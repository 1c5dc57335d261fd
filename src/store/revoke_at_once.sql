with head as (
    update log_head
       set position = $1,
           digest = $2,
           recorded_at = $3
     where id = 1
       and position = $4
       and digest = $5
       and log_id = $19
       and $3 between clock_timestamp() - interval '100 ms' and clock_timestamp() + interval '100 ms'
    returning id
), appended as (
    insert into events (
        position,
        kind,
        jti,
        recorded_at,
        path,
        request_id,
        body,
        personal,
        salt,
        personal_commitment,
        digest
    )
    select
        $1,
        $6::text,
        $7::uuid,
        $3,
        $8::text,
        $9::text,
        $10::bytea,
        $11::bytea,
        $12::bytea,
        $13::bytea,
        $2
      from head
), revoked as (
    insert into token_revocations (
        issued_pos,
        revoked_pos,
        revoked_at,
        revocation_reason,
        revocation_note,
        revoked_by
    )
    select
        $14::bigint,
        $1,
        $15::timestamptz,
        $16::text,
        $17::text,
        $18::text
      from head
)
select clock_timestamp() as now
  from head
