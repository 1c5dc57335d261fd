-- The events that the feed of revocations is made of, among which it begins at a position.
create index events_feed_idx on events (position)
 where split_part(kind, '.v', 1) in (
           'token.revoked', 'token.suspended', 'token.resumed', 'tokens.revoked_by_rule', 'key.compromised'
       );
