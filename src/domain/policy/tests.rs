//! Rules, held against each other.

use super::*;

fn grantable(permissions: &[&str]) -> Grantable {
    Grantable(permissions.iter().map(|text| text.parse().unwrap()).collect())
}

#[test]
fn what_two_rules_grant_is_what_each_of_them_grants() {
    let both = |a: &[&str], b: &[&str]| grantable(a).and(&grantable(b));

    assert_eq!(both(&["*"], &["tools.*", "servers.use"]), grantable(&["servers.use", "tools.*"]));
    assert_eq!(both(&["tools.*"], &["tools.read", "servers.use"]), grantable(&["tools.read"]));
    assert_eq!(both(&["tools.read"], &["servers.use"]), grantable(&[]));
}

#[test]
fn a_team_can_only_narrow_a_door() {
    let mut rules = Rules::initial();
    let narrowing = Narrowing {
        ttl_seconds_max: Some(600),
        audiences: Some(Audiences::These(vec!["gateway".parse().unwrap()])),
        reason_required: true,
        active_max: Some(3),
        ..Narrowing::default()
    };
    rules.teams.insert("red".parse().unwrap(), TeamRules { api: narrowing, cli_dev: Narrowing::default() });
    let red = Teams::These(vec!["red".parse().unwrap()]);
    let none = Teams::These(Vec::new());

    let held = rules.for_teams(Path::Api, &red);

    assert_eq!((held.ttl_seconds_max, held.ttl_seconds_default), (600, 600));
    assert!(held.reason_required && !held.audiences.contain(&"other".parse().unwrap()));
    assert_eq!(held.active_max, Some(3));
    assert_eq!(rules.for_teams(Path::Api, &Teams::Every), held, "every team is each of them");
    assert_eq!(&rules.for_teams(Path::Api, &none), rules.of(Path::Api));
    assert_eq!(&rules.for_teams(Path::CliDev, &red), rules.of(Path::CliDev));
    assert_eq!((rules.active_max(), Rules::initial().active_max()), (Some(3), None));
}

#[test]
fn a_policy_from_before_there_were_files_is_read_as_it_was_and_written_as_it_was() {
    let stored = r#"{"version":1,"api":{"ttl_seconds_default":3600,"ttl_seconds_max":2592000},"cli_dev":{"ttl_seconds_default":1200,"ttl_seconds_max":604800}}"#;

    let policy: Policy = serde_json::from_str(stored).unwrap();

    assert_eq!(policy, Policy::initial());
    assert_eq!(serde_json::to_string(&policy).unwrap(), stored);
}
