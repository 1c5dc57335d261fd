insert into status_list_entries (
    list,
    idx,
    issued_pos
)
select
    list,
    idx,
    issued_pos
  from unnest($1::uuid[], $2::integer[], $3::bigint[]) as entry (list, idx, issued_pos)
