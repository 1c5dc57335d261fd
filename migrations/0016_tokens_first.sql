-- How the first token of a family was issued: a rule about that may cover its successors, too.
alter table tokens
    add column first_path text,
    add column first_iat timestamptz,
    add column first_kid text,
    add constraint tokens_first_whole check (
        (first_path is null) = (first_iat is null)
        and (first_path is null) = (first_kid is null)
        and (first_path is null or family is not null)),
    add constraint tokens_first_iat_is_finite check (isfinite(first_iat));

comment on column tokens.first_path is 'The door of the first token of its family, for a successor; null of those issued before it was kept';
comment on column tokens.first_iat is 'When the first token of its family was issued, for a successor';
comment on column tokens.first_kid is 'The key that signs the first token of its family, for a successor';
