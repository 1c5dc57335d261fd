-- Revocations in a table of their own: ending a token adds one narrow row to one index, and leaves the token's row as it is.
create table token_revocations (
    issued_pos bigint not null,
    revoked_pos bigint not null,
    revoked_at timestamptz not null,
    effective_from timestamptz,
    revocation_reason text not null,
    revocation_note text,
    revoked_by text,
    constraint token_revocations_pkey primary key (issued_pos),
    constraint token_revocations_after_issuance check (revoked_pos > issued_pos),
    constraint token_revocations_times_are_finite check (isfinite(revoked_at) and isfinite(effective_from))
);

insert into token_revocations (
    issued_pos, revoked_pos, revoked_at, effective_from, revocation_reason, revocation_note, revoked_by)
select issued_pos, revoked_pos, revoked_at, effective_from, revocation_reason, revocation_note, revoked_by
  from tokens
 where revoked_pos is not null
 order by issued_pos;

-- Which tokens may hold a name. An issuance under a name deletes those that are revoked by then.
create table token_names (
    sub text collate "C" not null,
    name text collate "C" not null,
    exp timestamptz not null,
    issued_pos bigint not null,
    constraint token_names_pkey primary key (sub, name, exp, issued_pos),
    constraint token_names_times_are_finite check (isfinite(exp))
);

insert into token_names (sub, name, exp, issued_pos)
select sub, name, exp, issued_pos
  from tokens
 where sub is not null
   and name is not null
   and (revoked_pos is null or effective_from is not null)
 order by sub, name, exp;

drop index tokens_revoked_idx;
drop index tokens_holder_idx;
alter table tokens
    drop constraint tokens_times_are_finite,
    drop constraint tokens_revocation_whole,
    drop column revoked_pos,
    drop column revoked_at,
    drop column effective_from,
    drop column revocation_reason,
    drop column revocation_note,
    drop column revoked_by,
    add constraint tokens_times_are_finite check (isfinite(iat) and isfinite(exp) and isfinite(suspended_at));
alter table tokens rename to issued_tokens;

create view tokens as
select
    issued.*,
    revocation.revoked_pos,
    revocation.revoked_at,
    revocation.effective_from,
    revocation.revocation_reason,
    revocation.revocation_note,
    revocation.revoked_by
  from issued_tokens as issued
  left join token_revocations as revocation on revocation.issued_pos = issued.issued_pos;

comment on table issued_tokens is 'Inline projection: one row a token, equal at any time to the fold of its events, but for its revocation';
comment on table token_revocations is 'Inline projection: one row for each token that is revoked, or will be at its deadline';
comment on column token_revocations.issued_pos is 'The token, by the position of the event that issued it';
comment on column token_revocations.revoked_pos is 'The position of the event that revoked it';
comment on column token_revocations.revoked_at is 'When the revocation was decided';
comment on column token_revocations.effective_from is 'From when on the revocation holds; null is at once, whatever any clock says';
comment on column token_revocations.revocation_reason is 'Why it was revoked, in a word of RFC 5280';
comment on column token_revocations.revocation_note is 'Why it was revoked, in the words of a person; null once erased';
comment on column token_revocations.revoked_by is 'Who revoked it, for people to read; null once erased';
comment on table token_names is 'Inline projection: one row for each named token, unless it is revoked at once';
comment on column token_names.sub is 'Whom the token speaks for';
comment on column token_names.name is 'Its name';
comment on column token_names.exp is 'The first instant at which it is expired';
comment on column token_names.issued_pos is 'The token, by the position of the event that issued it';
comment on view tokens is 'What is known of each token: how it was issued, and its revocation';

do $$
declare
    described record;
begin
    for described in
        select attname, col_description(attrelid, attnum) as comment
          from pg_attribute
         where attrelid in ('issued_tokens'::regclass, 'token_revocations'::regclass)
           and attnum > 0
           and not attisdropped
         order by attrelid = 'issued_tokens'::regclass
    loop
        execute format('comment on column tokens.%I is %L', described.attname, described.comment);
    end loop;
end
$$;

analyze token_revocations;
analyze token_names;
