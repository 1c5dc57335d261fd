-- Listings by time begin where token_spans says: no issuance need keep an index of its own for them.
drop index tokens_exp_idx;
