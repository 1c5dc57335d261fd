-- The tokens of a key, newest first.
create index tokens_kid_idx on tokens (kid, issued_pos);
