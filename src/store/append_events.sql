with head as (
    update log_head
       set position = $1,
           digest = $2,
           recorded_at = $3
     where id = 1
       and position = $14
       and digest = $15
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
        position,
        kind,
        jti,
        $3,
        path,
        request_id,
        body,
        personal,
        salt,
        personal_commitment,
        digest
      from unnest(
               $4::bigint[],
               $5::text[],
               $6::uuid[],
               $7::text[],
               $8::text[],
               $9::bytea[],
               $10::bytea[],
               $11::bytea[],
               $12::bytea[],
               $13::bytea[]
           ) as event (position, kind, jti, path, request_id, body, personal, salt, personal_commitment, digest)
     where exists (select from head)
)
