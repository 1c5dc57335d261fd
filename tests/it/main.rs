//! The guarantees of the catalog, on a real Postgres: one private cluster a run, one database a test.

#![expect(unreachable_pub, reason = "the modules of one test binary share their helpers")]

mod support;

mod http_checks;
mod http_tokens;
