//! The guarantees of the catalog, on a real Postgres: one private cluster a run, one database a test.

#![expect(unreachable_pub, reason = "the modules of one test binary share their helpers")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test ends where it finds something else than it expects")]
#![expect(clippy::disallowed_methods, reason = "tests find their server binaries as the program does, by PATH")]

mod support;

mod append_only;
mod authority;
mod authorize;
mod cli;
mod cli_audit;
mod cli_issue;
mod cli_secrets;
mod cli_settings;
mod cli_shell;
mod cli_stdout;
mod client;
mod client_errors;
mod client_looks;
mod clients;
mod codec;
mod codec_golden;
mod concurrency;
mod connections;
mod constraints;
mod courier;
mod crash;
mod denials;
mod diagnostics;
mod disk_full;
mod doors;
mod edge;
mod export;
mod faults;
mod feed;
mod gateway;
mod hostile;
mod http_bad_input;
mod http_checks;
mod http_query;
mod http_rest;
mod http_tokens;
mod idempotency;
mod keys;
mod lifecycle;
mod listing;
mod live_tokens;
mod lookups;
mod lost_answers;
mod many_writers;
mod metadata;
mod metrics;
mod openapi;
mod paused;
mod people;
mod policy;
mod readme;
mod rebuild;
mod resumption;
mod reuse;
mod revoke_several;
mod rotation;
mod rules;
mod schema;
mod seed;
mod shadows;
mod shutdown;
mod sight;
mod standards;
mod status_lists;
mod suspension;
mod sweeping;
mod tampering;
mod time_travel;
mod verdicts;
mod why_inactive;
