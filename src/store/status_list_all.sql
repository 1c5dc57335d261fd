select
    list,
    idx,
    issued_pos
  from status_list_entries
