-- Who suspended a token, for that bounds who may resume it. What was suspended before is as its event says.
alter table tokens
    add column suspended_by text,
    add column suspended_by_full_admin boolean not null default false,
    add constraint tokens_suspender_has_suspended check (
        suspended_pos is not null or (suspended_by is null and not suspended_by_full_admin));

update tokens
   set suspended_by = convert_from(events.personal, 'UTF8')::jsonb -> 'actor' ->> 'sub'
  from events
 where events.position = tokens.suspended_pos;

comment on column tokens.suspended_by is 'The subject of whoever suspended it, while it is suspended; null for a shell, and once erased';
comment on column tokens.suspended_by_full_admin is 'Whether a full administrator or a shell suspended it, while it is suspended';
