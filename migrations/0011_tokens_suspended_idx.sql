-- Suspended tokens, newest first.
create index tokens_suspended_idx on tokens (issued_pos) where suspended_pos is not null;
