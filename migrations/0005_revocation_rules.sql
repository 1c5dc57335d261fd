-- Revocations of sets of tokens: a predicate over fields that never change for a token.
create table revocation_rules (
    position bigint not null,
    predicate jsonb not null,
    reason text not null,
    recorded_at timestamptz not null,
    effective_from timestamptz,
    constraint revocation_rules_pkey primary key (position)
);

comment on table revocation_rules is 'Inline projection: one row a rule, which covers tokens issued before its own position';
comment on column revocation_rules.position is 'The position of the event that added the rule';
comment on column revocation_rules.predicate is 'The fields and values that a covered token has, all of them';
comment on column revocation_rules.reason is 'Why, in a word of RFC 5280';
comment on column revocation_rules.recorded_at is 'When the log knew it';
comment on column revocation_rules.effective_from is 'From when on it holds; null is at once';
