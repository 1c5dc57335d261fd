-- Rules about a key that others may have: they go by where in the log a token was issued, which no forger chooses.
alter table revocation_rules
    add column issued_from bigint not null default 0,
    add constraint revocation_rules_issued_from_is_before_it check (issued_from between 0 and position);

comment on column revocation_rules.issued_from is 'A covered token was issued at this position or later; 0 is anywhere';
