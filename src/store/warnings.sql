select
    (select rolsuper from pg_roles where rolname = session_user) as is_superuser,
    (select pg_has_role(session_user, relowner, 'member') from pg_class where oid = 'events'::regclass) as is_owner,
    array(
        select expected.name
          from unnest(array[
                   'events_refuse_update',
                   'events_refuse_delete',
                   'events_refuse_delete_statement',
                   'events_refuse_truncate'
               ]) as expected (name)
         where not exists (
                   select
                     from pg_trigger
                    where tgrelid = 'events'::regclass
                      and tgname = expected.name
                      and tgenabled = 'A'
               )
    ) as triggers_off
