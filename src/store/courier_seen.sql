select exists (
         select 1
           from events
          where jti = $1
            and kind = 'courier.issued.v1'
            and convert_from(body, 'utf8')::jsonb #>> '{data,claims_digest}' = $2
       )
