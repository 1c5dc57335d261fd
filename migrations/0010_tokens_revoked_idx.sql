-- Revoked tokens, newest first. The order of their revocations is the log's.
create index tokens_revoked_idx on tokens (issued_pos) where revoked_pos is not null;
drop index tokens_revoked_pos_idx;
