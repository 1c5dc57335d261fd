-- A second fence behind the privileges: it stops the owner's mistakes. Nothing relies on it to be correct.
create function refuse_change_of_events() returns trigger
    language plpgsql
as $$
begin
    if tg_op = 'UPDATE'
        and old.personal is not null
        and new.personal is null
        and new.salt is null
        and (new.position, new.kind, new.jti, new.recorded_at, new.path, new.request_id, new.body, new.personal_commitment, new.digest)
            is not distinct from
            (old.position, old.kind, old.jti, old.recorded_at, old.path, old.request_id, old.body, old.personal_commitment, old.digest)
    then
        return new;
    end if;
    raise exception 'events are append-only: % is refused', lower(tg_op)
        using errcode = 'restrict_violation',
              hint = 'only personal and salt can be set to null, together';
end
$$;

comment on function refuse_change_of_events() is 'Refuses every change of an event but the erasure of its personal part';

create trigger events_refuse_update before update on events
    for each row execute function refuse_change_of_events();
create trigger events_refuse_delete before delete on events
    for each row execute function refuse_change_of_events();
create trigger events_refuse_delete_statement before delete on events
    for each statement execute function refuse_change_of_events();
create trigger events_refuse_truncate before truncate on events
    for each statement execute function refuse_change_of_events();

alter table events enable always trigger events_refuse_update;
alter table events enable always trigger events_refuse_delete;
alter table events enable always trigger events_refuse_delete_statement;
alter table events enable always trigger events_refuse_truncate;
