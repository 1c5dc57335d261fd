delete from idempotency
 where (credential, key) in (
        select
            credential,
            key
          from idempotency
         where at <= $1
         order by at
         limit $2
           for update skip locked
       )
