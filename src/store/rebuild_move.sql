drop table {live}.{table};
alter table {side}.{table} set schema {live};
