//! A policy written out as a file: every key with its value, so that what is in force can be read, changed and applied.

use std::{fmt::Write, time::Duration};

use crate::domain::{
    policy::{
        Audiences, Grantable, MembershipRules, MembershipSource, Narrowing, PathRules, Reuse, Rules, ShellRules, Switch,
    },
    text::{Audience, ClaimName, EmailDomain, Group, Permission},
    trusted_issuer::{KeySource, Role, TrustedIssuer},
};

/// The file that says what `rules` say. Reading it gives the same rules again.
#[must_use]
pub fn render(rules: &Rules) -> String {
    let mut file = String::new();
    heading(&mut file, "# POST /tokens", "api");
    door(&mut file, &rules.api);
    entry(&mut file, "child_outlives_parent", &rules.api.child_outlives_parent.to_string());
    heading(&mut file, "\n# catalog issue --dev", "cli-dev");
    shell(&mut file, &rules.shell);
    door(&mut file, &rules.cli_dev);
    for (team, rules) in &rules.teams {
        for (name, narrowing) in [("api", &rules.api), ("cli-dev", &rules.cli_dev)] {
            if *narrowing != Narrowing::default() {
                heading(&mut file, "", &format!("teams.{}.{name}", quoted_key(team.as_str())));
                narrowed(&mut file, narrowing);
            }
        }
    }
    if let Some(rules) = &rules.membership {
        heading(&mut file, "\n# who is in which team, for tokens that are issued for somebody else", "membership");
        membership(&mut file, rules);
    }
    heading(&mut file, "\n# POST /tokens/{jti}/rotate", "rotation");
    entry(&mut file, "reuse", reuse(rules.reuse));
    if let Some(rules) = &rules.status_lists {
        heading(&mut file, "\n# tokens' status in lists that anybody may fetch", "status-lists");
        entry(&mut file, "url", &quoted(&rules.url));
        entry(&mut file, "ttl", &duration(rules.ttl_seconds));
    }
    for trusted in &rules.trusted_issuers {
        trusted_issuer(&mut file, trusted);
    }
    file
}

fn heading(file: &mut String, comment: &str, table: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(file, "{comment}\n[{table}]");
}

fn entry(file: &mut String, key: &str, value: &str) {
    let _ = writeln!(file, "{key} = {value}");
}

fn door(file: &mut String, rules: &PathRules) {
    entry(file, "ttl_default", &duration(rules.ttl_seconds_default));
    entry(file, "ttl_max", &duration(rules.ttl_seconds_max));
    entry(file, "audiences", &audiences(&rules.audiences));
    entry(file, "permissions", &permissions(&rules.permissions));
    entry(file, "reason_required", &rules.reason_required.to_string());
    match rules.active_max {
        Some(max) => entry(file, "active_max", &max.to_string()),
        None => entry(file, "# active_max", "any number of active tokens for a subject"),
    }
}

fn shell(file: &mut String, rules: &ShellRules) {
    entry(file, "out_of_band", switch(rules.out_of_band));
    // A door that is closed has nothing to say of what comes through it.
    if rules.out_of_band == Switch::Allow {
        entry(file, "elevated", switch(rules.elevated));
    }
    match &rules.kid {
        Some(kid) => entry(file, "kid", &quoted(kid.as_str())),
        None => entry(file, "# kid", "the catalog's own key"),
    }
}

fn narrowed(file: &mut String, rules: &Narrowing) {
    let entries = [
        ("ttl_default", rules.ttl_seconds_default.map(duration)),
        ("ttl_max", rules.ttl_seconds_max.map(duration)),
        ("audiences", rules.audiences.as_ref().map(audiences)),
        ("permissions", rules.permissions.as_ref().map(permissions)),
        ("reason_required", rules.reason_required.then(|| "true".to_owned())),
        ("active_max", rules.active_max.map(|max| max.to_string())),
    ];
    for (key, value) in entries {
        if let Some(value) = value {
            entry(file, key, &value);
        }
    }
}

fn membership(file: &mut String, rules: &MembershipRules) {
    match &rules.source {
        MembershipSource::File(path) => entry(file, "file", &quoted(path)),
        MembershipSource::Url(url) => entry(file, "url", &quoted(url)),
    }
    entry(file, "refresh", &duration(rules.refresh_seconds));
    entry(file, "unknown", switch(rules.unknown));
}

fn trusted_issuer(file: &mut String, trusted: &TrustedIssuer) {
    heading(file, "\n# an identity provider whose access tokens are taken", "[trusted_issuer]");
    entry(file, "issuer", &quoted(trusted.issuer.as_str()));
    match &trusted.keys {
        KeySource::JwksUri(uri) => entry(file, "jwks_uri", &quoted(uri)),
        KeySource::JwksFile(path) => entry(file, "jwks_file", &quoted(path)),
    }
    entry(file, "audience", &quoted(trusted.audience.as_str()));
    entry(file, "email_domains", &list(trusted.email_domains.iter().map(EmailDomain::as_str)));
    let claims = &trusted.claims;
    let named = [
        ("subject_claim", &claims.subject),
        ("email_claim", &claims.email),
        ("groups_claim", &claims.groups),
        ("roles_claim", &claims.roles),
    ];
    for (key, claim) in named {
        entry(file, key, &quoted(ClaimName::as_str(claim)));
    }
    entry(file, "optional_claims", &list(trusted.optional_claims.iter().map(|claim| claim.as_str())));
    entry(file, "permissions", &list(trusted.permissions.iter().map(Permission::as_str)));
    mapping(file, "trusted_issuer.teams", trusted.teams.iter().map(|(group, team)| (group, quoted(team.as_str()))));
    mapping(file, "trusted_issuer.roles", trusted.roles.iter().map(|(role, worth)| (role, role_worth(worth))));
}

fn mapping<'a>(file: &mut String, table: &str, entries: impl ExactSizeIterator<Item = (&'a Group, String)>) {
    if entries.len() > 0 {
        heading(file, "", table);
    }
    for (name, value) in entries {
        entry(file, &quoted_key(name.as_str()), &value);
    }
}

fn role_worth(worth: &Role) -> String {
    match worth {
        Role::Admin => quoted("admin"),
        Role::Permissions(these) => list(these.iter().map(Permission::as_str)),
    }
}

fn switch(switch: Switch) -> &'static str {
    match switch {
        Switch::Allow => "\"allow\"",
        Switch::Deny => "\"deny\"",
    }
}

fn reuse(reuse: Reuse) -> &'static str {
    match reuse {
        Reuse::Record => "\"record\"",
        Reuse::RevokeFamily => "\"revoke_family\"",
    }
}

fn duration(seconds: u32) -> String {
    quoted(&humantime::format_duration(Duration::from_secs(seconds.into())).to_string())
}

fn audiences(audiences: &Audiences) -> String {
    match audiences {
        Audiences::Any => "[\"*\"]".to_owned(),
        Audiences::These(these) => list(these.iter().map(Audience::as_str)),
    }
}

fn permissions(permissions: &Grantable) -> String {
    list(permissions.0.iter().map(Permission::as_str))
}

fn list<'a>(items: impl Iterator<Item = &'a str>) -> String {
    format!("[{}]", items.map(quoted).collect::<Vec<_>>().join(", "))
}

fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

/// A key has one line: a text with quotes and backslashes would else become a block. JSON's strings are TOML's basic ones.
fn quoted_key(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
