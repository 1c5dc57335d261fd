//! The files that a policy names, looked at before it is applied. Every server needs them, and this process may be on none of
//! those: what is the matter is told, and decides nothing.

use super::{membership, providers};
use crate::domain::{
    causes::Causes,
    policy::{MembershipSource, Rules},
    trusted_issuer::KeySource,
};

/// What is the matter with the files that the rules name, as they are on this machine: a line for each.
pub async fn faults(rules: &Rules) -> Vec<String> {
    let mut faults = Vec::new();
    for trusted in &rules.trusted_issuers {
        let KeySource::JwksFile(path) = &trusted.keys else { continue };
        match providers::ask(&trusted.keys).await {
            Ok(keys) => faults.extend(keys.ignored().iter().map(|key| {
                format!("trusted_issuer.jwks_file '{path}': the key '{}' is not used: {}", key.kid, key.why)
            })),
            Err(error) => faults.push(format!("trusted_issuer.jwks_file '{path}': {}", Causes(&error))),
        }
    }
    if let Some(source) = rules.membership.as_ref().map(|membership| &membership.source)
        && let MembershipSource::File(path) = source
        && let Err(error) = membership::ask(source).await
    {
        faults.push(format!("membership.file '{path}': {}", Causes(&error)));
    }
    faults
}
