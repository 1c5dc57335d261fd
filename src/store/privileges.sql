grant usage on schema {schema} to {writer};
grant select on all tables in schema {schema} to {writer};
grant insert on {schema}.events to {writer};
grant update on {schema}.log_head to {writer};
grant insert, update on {schema}.tokens to {writer};
grant insert on {schema}.revocation_rules to {writer};
grant insert, update, delete on {schema}.idempotency to {writer};
