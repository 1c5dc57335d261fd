select issued_pos
  from token_revocations as revocation
 where not exists (select from issued_tokens as issued where issued.issued_pos = revocation.issued_pos)
 order by issued_pos
