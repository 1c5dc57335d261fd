do $$
begin
    execute 'create or replace view {live}.tokens as ' || pg_get_viewdef('{side}.tokens'::regclass);
end
$$;
