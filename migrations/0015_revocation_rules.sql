-- Revocations of sets of tokens: what a token must be like, a column for each field, and how far its rows say so. The table
-- of that name from before had another form, and never a row.
drop table revocation_rules;

create table revocation_rules (
    position bigint not null,
    sub text,
    team text,
    path text,
    kid text,
    permission text,
    name text,
    issued_after timestamptz,
    issued_before timestamptz,
    revoked_at timestamptz not null,
    reason text not null,
    note text,
    revoked_by text,
    filled_to bigint not null,
    constraint revocation_rules_pkey primary key (position),
    constraint revocation_rules_times_are_finite check (
        isfinite(issued_after) and isfinite(issued_before) and isfinite(revoked_at)),
    constraint revocation_rules_filled_to_is_before_it check (filled_to between 0 and position)
);

create index revocation_rules_unfilled_idx on revocation_rules (position) where filled_to > 0;

comment on table revocation_rules is 'Inline projection: one row a rule, which covers tokens issued before its own position that meet all its fields';
comment on column revocation_rules.position is 'The position of the event that added the rule';
comment on column revocation_rules.sub is 'Whom a covered token speaks for; null is anybody';
comment on column revocation_rules.team is 'A team that a covered token reaches; null is any';
comment on column revocation_rules.path is 'The door that a covered token came through; null is any';
comment on column revocation_rules.kid is 'The key that signs a covered token; null is any';
comment on column revocation_rules.permission is 'What a covered token may be used for; null is anything';
comment on column revocation_rules.name is 'The name of a covered token; null is any';
comment on column revocation_rules.issued_after is 'A covered token was issued at this instant or later; null is whenever';
comment on column revocation_rules.issued_before is 'A covered token was issued before this instant; null is whenever';
comment on column revocation_rules.revoked_at is 'When the rule was decided';
comment on column revocation_rules.reason is 'Why, in a word of RFC 5280';
comment on column revocation_rules.note is 'Why, in the words of a person; null once erased';
comment on column revocation_rules.revoked_by is 'Who, for people to read; null once erased';
comment on column revocation_rules.filled_to is 'The rows of covered tokens from this position on say that they are revoked; 0 is all of them, and reads need the rule no more';
