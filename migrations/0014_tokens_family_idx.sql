-- The tokens that took each other's place, for when one of them is presented after its deadline.
create index tokens_family_idx on tokens (family) where family is not null;
