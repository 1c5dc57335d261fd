-- The events that the settings are made of: those of clients, too.
drop index events_settings_idx;

create index events_settings_idx on events (position) where split_part(kind, '.', 1) in ('catalog', 'policy', 'key', 'client');
