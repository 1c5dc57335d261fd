-- Which token took whose place.
alter table tokens
    add column family uuid,
    add column predecessor uuid,
    add column successor uuid,
    add constraint tokens_lineage_whole check ((family is null) = (predecessor is null));

comment on column tokens.family is 'The first token of its family, for one that took the place of another';
comment on column tokens.predecessor is 'The token whose place it took';
comment on column tokens.successor is 'The token that took its own place';
