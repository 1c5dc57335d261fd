-- Rules that cover whole families, and rules that cover successors by how their family began.
alter table revocation_rules
    add column family uuid,
    add column successors boolean not null default false;

comment on column revocation_rules.family is 'The first token of the family of a covered token; null is any';
comment on column revocation_rules.successors is 'Whether door, key and instants may be those of the first token of the family of a covered token';
