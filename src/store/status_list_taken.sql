select idx
  from status_list_entries
 where list = $1
   and idx = any($2)
