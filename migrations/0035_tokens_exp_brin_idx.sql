-- Which tokens are not expired is asked of the whole table: by a server that starts, for its memory, by each report, and by each snapshot of the
-- feed. Tokens that were issued beside each other are on the same pages and end about the same time, so the latest end on a few pages tells
-- that they need not be read. Pages that came since the table was last vacuumed are read.
create index tokens_exp_brin_idx on issued_tokens using brin (exp) with (pages_per_range = 8);
