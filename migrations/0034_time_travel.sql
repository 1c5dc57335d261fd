-- What was so of a token once and is no more, and from where to where in the log: with it a past state is read, not folded.
create table past_revocations (
    issued_pos bigint not null,
    revoked_pos bigint not null,
    revoked_at timestamptz not null,
    effective_from timestamptz,
    revocation_reason text not null,
    revocation_note text,
    revoked_by text,
    until_pos bigint not null,
    constraint past_revocations_pkey primary key (issued_pos, revoked_pos),
    constraint past_revocations_end_later check (until_pos > revoked_pos),
    constraint past_revocations_times_are_finite check (isfinite(revoked_at) and isfinite(effective_from))
);

create table past_suspensions (
    issued_pos bigint not null,
    suspended_pos bigint not null,
    suspended_at timestamptz not null,
    until_pos bigint not null,
    constraint past_suspensions_pkey primary key (issued_pos, suspended_pos),
    constraint past_suspensions_end_later check (until_pos > suspended_pos),
    constraint past_suspensions_times_are_finite check (isfinite(suspended_at))
);

comment on table past_revocations is 'Inline projection: revocations in place of which sooner ones came';
comment on column past_revocations.issued_pos is 'The token, by the position of the event that issued it';
comment on column past_revocations.revoked_pos is 'The position of the event that revoked it';
comment on column past_revocations.revoked_at is 'When the revocation was decided';
comment on column past_revocations.effective_from is 'From when on it would have held';
comment on column past_revocations.revocation_reason is 'Why it was revoked, in a word of RFC 5280';
comment on column past_revocations.revocation_note is 'Why it was revoked, in the words of a person; null once erased';
comment on column past_revocations.revoked_by is 'Who revoked it, for people to read; null once erased';
comment on column past_revocations.until_pos is 'The position of the event that brought the sooner one';
comment on table past_suspensions is 'Inline projection: suspensions that were ended';
comment on column past_suspensions.issued_pos is 'The token, by the position of the event that issued it';
comment on column past_suspensions.suspended_pos is 'The position of the event that suspended it, the first of several';
comment on column past_suspensions.suspended_at is 'When the suspension was decided';
comment on column past_suspensions.until_pos is 'The position of the event that resumed it';

-- What the log says of them so far.
insert into past_suspensions (issued_pos, suspended_pos, suspended_at, until_pos)
select token.issued_pos, suspended.position, (convert_from(suspended.body, 'UTF8')::jsonb ->> 'occurred_at')::timestamptz, ended.until_pos
  from (
        select resumed.jti,
               resumed.position as until_pos,
               (select min(position)
                  from events as suspended
                 where suspended.jti = resumed.jti
                   and split_part(suspended.kind, '.v', 1) = 'token.suspended'
                   and suspended.position < resumed.position
                   and suspended.position > coalesce((
                        select max(position)
                          from events as earlier
                         where earlier.jti = resumed.jti
                           and split_part(earlier.kind, '.v', 1) = 'token.resumed'
                           and earlier.position < resumed.position), 0)) as suspended_pos
          from events as resumed
         where split_part(resumed.kind, '.v', 1) = 'token.resumed'
       ) as ended
  join events as suspended on suspended.position = ended.suspended_pos
  join issued_tokens as token on token.jti = ended.jti;

insert into past_revocations (
    issued_pos, revoked_pos, revoked_at, effective_from, revocation_reason, revoked_by, until_pos)
select token.issued_pos,
       revoked.position,
       (revoked.body ->> 'occurred_at')::timestamptz,
       (revoked.body -> 'data' ->> 'effective_from')::timestamptz,
       revoked.body -> 'data' ->> 'reason',
       coalesce(
           revoked.actor ->> 'sub',
           (revoked.actor ->> 'name') || '@' || (revoked.actor ->> 'host'),
           revoked.actor ->> 'name'),
       revocation.revoked_pos
  from (
        select position,
               jti,
               convert_from(body, 'UTF8')::jsonb as body,
               convert_from(personal, 'UTF8')::jsonb -> 'actor' as actor
          from events
         where split_part(kind, '.v', 1) = 'token.revoked'
       ) as revoked
  join issued_tokens as token on token.jti = revoked.jti
  join token_revocations as revocation on revocation.issued_pos = token.issued_pos
 where revoked.body -> 'data' ? 'effective_from'
   and revoked.position < revocation.revoked_pos;

-- Each token that was issued by a position, as it was there. Who suspended it is told of suspensions that last.
create function tokens_as_of(at bigint) returns setof tokens
language sql stable as $$
select
    issued.jti,
    issued.sub,
    issued.name,
    issued.description,
    issued.reason,
    issued.email,
    issued.full_name,
    issued.aud,
    issued.kid,
    issued.is_admin,
    issued.teams,
    issued.namespaces,
    issued.permissions,
    issued.server_id,
    issued.restrictions,
    issued.elevated,
    issued.path,
    issued.out_of_band,
    issued.issued_by,
    issued.policy_version,
    issued.issued_pos,
    issued.iat,
    issued.exp,
    issued.claims_digest,
    case when issued.suspended_pos <= at then issued.suspended_pos else suspension.suspended_pos end,
    case when issued.suspended_pos <= at then issued.suspended_at else suspension.suspended_at end,
    issued.family,
    issued.predecessor,
    case when coalesce(revocation.revoked_pos, past.revoked_pos) is not null then issued.successor end,
    issued.first_path,
    issued.first_iat,
    issued.first_kid,
    case when issued.suspended_pos <= at then issued.suspended_by end,
    coalesce(issued.suspended_pos <= at, false) and issued.suspended_by_full_admin,
    case when revocation.issued_pos is not null then revocation.revoked_pos else past.revoked_pos end,
    case when revocation.issued_pos is not null then revocation.revoked_at else past.revoked_at end,
    case when revocation.issued_pos is not null then revocation.effective_from else past.effective_from end,
    case when revocation.issued_pos is not null then revocation.revocation_reason else past.revocation_reason end,
    case when revocation.issued_pos is not null then revocation.revocation_note else past.revocation_note end,
    case when revocation.issued_pos is not null then revocation.revoked_by else past.revoked_by end
  from issued_tokens as issued
  left join token_revocations as revocation
    on revocation.issued_pos = issued.issued_pos
   and revocation.revoked_pos <= at
  left join past_revocations as past
    on past.issued_pos = issued.issued_pos
   and past.revoked_pos <= at
   and past.until_pos > at
  left join past_suspensions as suspension
    on suspension.issued_pos = issued.issued_pos
   and suspension.suspended_pos <= at
   and suspension.until_pos > at
 where issued.issued_pos <= at
$$;

comment on function tokens_as_of(bigint) is 'The rows of the view tokens as they were when the log ended at a position, but for rules that are not filled yet';

analyze past_revocations;
analyze past_suspensions;
