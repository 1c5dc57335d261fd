//! What a policy file may say, and how it is told what it may not.

use proptest::{
    collection::{btree_map, vec},
    option,
    prelude::*,
    sample::select,
};

use super::*;
use crate::domain::{
    status_list::StatusListRules,
    text::{EmailDomain, Group},
    trusted_issuer::{ClaimNames, KeySource, OptionalClaim, Role, TrustedIssuer},
};

fn fault(text: &str) -> (usize, String) {
    let fault = parse(text).expect_err(text);
    (fault.line, fault.what)
}

#[test]
fn an_empty_file_is_the_policy_of_a_new_catalog() {
    assert_eq!(parse("").unwrap(), Rules::initial());
    assert_eq!(parse("[api]\n[cli-dev]\n").unwrap(), Rules::initial());
}

#[test]
fn lists_are_fetched_below_a_url_without_its_last_slash_and_kept_for_a_minute_unless_it_is_said() {
    let lists = |text: &str| parse(text).unwrap().status_lists.map(|lists| (lists.url, lists.ttl_seconds));

    assert_eq!(lists("[status-lists]\nurl = \"https://h/lists/\"\n"), Some(("https://h/lists".to_owned(), 60)));
    for (ttl, seconds) in [("10s", 10), ("1day", 86_400)] {
        let text = format!("[status-lists]\nurl = \"http://127.0.0.1:8080\"\nttl = \"{ttl}\"\n");
        assert_eq!(lists(&text), Some(("http://127.0.0.1:8080".to_owned(), seconds)));
    }
}

#[test]
fn every_mistake_is_told_with_its_line_and_key() {
    let cases = [
        ("[api]\nttl_max = \"30d\"\nttl_maxx = \"30d\"\n", 3, "ttl_maxx"),
        ("[http]\n", 1, "http"),
        ("[api]\nttl_max = \"soon\"\n", 2, "'soon' is not a length of time"),
        ("[api]\nttl_max = 30\n", 2, "api.ttl_max: invalid type: integer `30`, expected a string"),
        ("[api]\nttl_max = \"0s\"\n", 2, "'0s'"),
        ("[api]\nttl_max = \"1500ms\"\n", 2, "'1500ms'"),
        ("[api]\nttl_max = \"200y\"\n", 2, "'200y'"),
        ("[api]\nttl_max = \"1h\"\nttl_max = \"2h\"\n", 3, "duplicate"),
        (
            "[api]\nttl_max = \"1h\"\n\nttl_default = \"2h\"\n",
            4,
            "api.ttl_default of 7200 s exceeds api.ttl_max of 3600 s",
        ),
        ("[api]\nttl_default = \"31d\"\n", 2, "api.ttl_max of 2592000 s"),
        ("[api]\npermissions = [\"Tools\"]\n", 2, "'Tools' is not a permission"),
        ("[api]\naudiences = []\n", 2, "an empty list would allow no token"),
        ("[api]\naudiences = [\"*\", \"a\"]\n", 2, "\"*\" stands alone"),
        ("[api]\naudiences = [\"a b\"]\n", 2, "white space"),
        ("[status-lists]\nttl = \"1m\"\n", 1, "missing field `url`"),
        ("[status-lists]\nurl = \"mcpgateway\"\n", 2, "status-lists.url: an address must be https"),
        ("[status-lists]\nurl = \"http://h\"\n", 2, "status-lists.url: an address must be https"),
        ("[status-lists]\nurl = \"https://u:p@h\"\n", 2, "status-lists.url: an address must be https"),
        ("[status-lists]\nurl = \"https://h/?a=b\"\n", 2, "status-lists.url: the identifier of a list"),
        ("[status-lists]\nurl = \"https://h\"\nttl = \"9s\"\n", 3, "status-lists.ttl of 9 s"),
        ("[status-lists]\nurl = \"https://h\"\nttl = \"86401s\"\n", 3, "status-lists.ttl of 86401 s"),
        ("[api]\nactive_max = 0\n", 2, "api.active_max"),
        ("[cli-dev]\nout_of_band = \"deny\"\nelevated = \"allow\"\n", 3, "cli-dev.out_of_band"),
        ("[cli-dev]\nkid = \"k\"\nout_of_band = \"deny\"\n", 2, "cli-dev.kid"),
        ("[cli-dev]\nout_of_band = \"maybe\"\n", 2, "maybe"),
        ("[cli-dev]\nchild_outlives_parent = true\n", 2, "child_outlives_parent"),
        (
            "[teams.red.api]\nttl_max = \"31d\"\n",
            2,
            "teams.red.api.ttl_max of 2678400 s exceeds the 2592000 s of its door",
        ),
        ("[teams.red.cli-dev]\nttl_default = \"8d\"\n", 2, "teams.red.cli-dev.ttl_default"),
        ("[teams.red.api]\nchild_outlives_parent = true\n", 2, "is a rule of the door"),
        ("[teams.red.api]\nout_of_band = \"deny\"\n", 2, "out_of_band"),
        ("[teams.\"a b\".api]\n", 1, "white space"),
        ("[rotation]\nreuse = \"maybe\"\n", 2, "rotation.reuse: unknown variant `maybe`"),
        ("[rotation]\noverlap = \"1h\"\n", 2, "overlap"),
        ("[membership]\n", 1, "membership needs file or url"),
        ("[membership]\nfile = \"m.json\"\n", 1, "is not an absolute path"),
        ("[membership]\nurl = \"https://u:p@people.example.com\"\n", 2, "carry no password"),
        (
            "[api]\npermissions = [\"tools.*\"]\n[teams.red.api]\npermissions = [\"*\"]\n",
            4,
            "has '*', which its door does not grant",
        ),
        (
            "[api]\naudiences = [\"a\"]\n[teams.red.api]\naudiences = [\"b\"]\n",
            4,
            "has 'b', which its door does not allow",
        ),
        ("[api]\nactive_max = 2\n[teams.red.api]\nactive_max = 3\n", 4, "active_max of 3 exceeds the 2 of its door"),
        ("[membership]\nfile = \"/f\"\nurl = \"https://a\"\n", 3, "exclude each other"),
        ("[membership]\nurl = \"http://people.example.com\"\n", 2, "https, or http on loopback"),
        ("[membership]\nurl = \"ftp://a\"\n", 2, "https"),
        ("api = 1\n", 1, "api: invalid type: integer `1`, expected a table"),
        ("[api\n", 1, ""),
    ];

    for (text, line, what) in cases {
        let (found, told) = fault(text);
        assert!(told.contains(what), "{text:?}: {told}");
        assert_eq!(found, line, "{text:?}: {told}");
    }
}

/// A file that trusts one provider, with these lines more in its table.
fn trusting(lines: &str) -> String {
    format!(
        "[[trusted_issuer]]\nissuer = \"https://login.example.com\"\njwks_uri = \"https://login.example.com/jwks\"\n\
         audience = \"https://catalog.example.com\"\nemail_domains = [\"example.com\"]\npermissions = [\"tokens.create\"]\n\
         {lines}"
    )
}

#[test]
fn a_provider_is_read_with_the_claims_that_it_usually_has() {
    let text = trusting(
        "[trusted_issuer.teams]\n\"Platform Engineers\" = \"red\"\n[trusted_issuer.roles]\nops = \"admin\"\n\
                         auditor = [\"audit.read\"]\n",
    );

    let rules = parse(&text).unwrap();

    let trusted = &rules.trusted_issuers[0];
    assert_eq!(rules.trusted_issuer(&"https://login.example.com".parse().unwrap()), Some(trusted));
    assert_eq!(rules.trusted_issuer(&"https://login.example.com/".parse().unwrap()), None, "to the letter");
    assert_eq!(trusted.claims, ClaimNames::default());
    assert_eq!(trusted.teams.values().next(), Some(&"red".parse().unwrap()));
    assert_eq!(trusted.roles.values().next(), Some(&Role::Permissions(vec!["audit.read".parse().unwrap()])));
    assert_eq!(trusted.roles.values().nth(1), Some(&Role::Admin));
}

#[test]
fn a_provider_by_another_claim_for_its_addresses_names_its_people_by_them() {
    let rules = parse(&trusting("email_claim = \"mail\"\n")).unwrap();

    assert_eq!(rules.trusted_issuers[0].claims.subject.as_str(), "mail");
    assert!(!rules.trusted_issuers[0].names_by_other_claim());
}

#[test]
fn every_mistake_about_a_provider_is_told_with_its_line_and_key() {
    let second = |lines: &str| trusting("") + &trusting(lines).replace("login.", "other.");
    let without =
        |line: &str| trusting("").lines().filter(|kept| !kept.starts_with(line)).collect::<Vec<_>>().join("\n");
    let with = |from: &str, to: &str| trusting("").replace(from, to);
    let cases = [
        (trusting("isuer = 1\n"), 7, "isuer"),
        (without("issuer"), 1, "missing field `issuer`"),
        (without("audience"), 1, "missing field `audience`"),
        (without("email_domains"), 1, "missing field `email_domains`"),
        (without("jwks_uri"), 1, "trusted_issuer needs jwks_uri or jwks_file"),
        (without("permissions"), 1, "trusted_issuer gives nobody any permission"),
        (trusting("jwks_file = \"/etc/jwks.json\"\n"), 7, "exclude each other"),
        (with("jwks_uri = \"https://login.example.com/jwks\"", "jwks_file = \"jwks.json\""), 3, "not an absolute path"),
        (with("issuer = \"https", "issuer = \"http"), 2, "trusted_issuer.issuer: an address must be https"),
        (with("jwks_uri = \"https", "jwks_uri = \"http"), 3, "trusted_issuer.jwks_uri: an address must be https"),
        (with("/jwks\"", "/jwks#keys\""), 3, "trusted_issuer.jwks_uri: an address is asked for without its fragment"),
        (with("issuer = \"https://", "issuer = \"https://u:p@"), 2, "carry no password"),
        (with("issuer = \"https://login.example.com", "issuer = \"https://login.example.com?a=b"), 2, "has a query"),
        (with("[\"example.com\"]", "[]"), 5, "an empty list would let nobody in"),
        (
            with("[\"example.com\"]", "[\"*.example.com\"]"),
            5,
            "trusted_issuer.email_domains: '*.example.com' is not a domain",
        ),
        (with("[\"example.com\"]", "[\"example.com\", \"example.com\"]"), 5, "'example.com', which is claimed already"),
        (second(""), 11, "has 'example.com', which is claimed already: one provider speaks for a domain"),
        (trusting("") + &trusting(""), 8, "trusted_issuer.issuer 'https://login.example.com' is there twice"),
        (
            trusting("") + &trusting("").replace("login.example.com\"", "Login.example.com/\""),
            8,
            "trusted_issuer.issuer 'https://Login.example.com/' is there twice",
        ),
        (trusting("optional_claims = [\"sub\"]\n"), 7, "unknown variant `sub`, expected `client_id` or `jti`"),
        (trusting("[trusted_issuer.roles]\nops = \"root\"\n"), 8, "expected \"admin\" or a list of permissions"),
        (trusting("[trusted_issuer.roles]\nops = [\"Tools\"]\n"), 8, "'Tools' is not a permission"),
        (
            trusting("[trusted_issuer.teams]\neng = \"blue\"\n[teams.red.api]\nttl_max = \"1h\"\n"),
            8,
            "trusted_issuer.teams names 'blue', for which there is no [teams.blue]",
        ),
    ];

    for (text, line, what) in cases {
        let (found, told) = fault(&text);
        assert!(told.contains(what), "{text}: {told}");
        assert_eq!(found, line, "{text}: {told}");
    }
}

#[test]
fn one_provider_at_most_names_its_people_otherwise_than_by_their_addresses() {
    let other = |lines: &str| trusting(lines).replace("login.", "other.").replace("[\"example.com", "[\"example.org");
    let by_name = "subject_claim = \"preferred_username\"\n";

    assert!(parse(&(trusting(by_name) + &other(""))).is_ok());
    assert!(parse(&(trusting(by_name) + &other("subject_claim = \"email\"\n"))).is_ok());
    let (line, told) = fault(&(trusting(by_name) + &other(by_name)));
    assert_eq!(line, 14);
    assert!(told.contains("could not be told apart"), "{told}");
}

#[test]
fn a_default_that_nobody_chose_gives_way_to_a_maximum_that_somebody_did() {
    let rules = parse("[api]\nttl_max = \"10m\"\n").unwrap();

    assert_eq!((rules.api.ttl_seconds_default, rules.api.ttl_seconds_max), (600, 600));
}

#[test]
fn loopback_may_be_plain() {
    for host in ["127.0.0.1:8000", "localhost", "[::1]:1"] {
        assert!(parse(&format!("[membership]\nurl = \"http://{host}/teams\"\n")).is_ok(), "{host}");
    }
}

fn audiences() -> impl Strategy<Value = Audiences> {
    let word = "[a-z\"\\\\]{1,5}".prop_map(|text| Audience::parse(text).unwrap());
    prop_oneof![Just(Audiences::Any), vec(word, 1..3).prop_map(Audiences::These)]
}

fn permissions() -> impl Strategy<Value = Grantable> {
    vec(select(&["*", "tools.*", "tools.read", "servers.use"][..]), 0..3)
        .prop_map(|texts| Grantable(texts.into_iter().map(|text| text.parse().unwrap()).collect()))
}

fn door() -> impl Strategy<Value = PathRules> {
    (1..5_000_000_u32, 0..5_000_000_u32, audiences(), permissions(), any::<(bool, bool)>(), option::of(1..9_u32))
        .prop_map(|(default, more, audiences, permissions, (reason_required, child_outlives_parent), active_max)| {
            PathRules {
                ttl_seconds_default: default,
                ttl_seconds_max: default + more,
                audiences,
                permissions,
                reason_required,
                active_max,
                child_outlives_parent,
            }
        })
}

fn narrowing() -> impl Strategy<Value = Narrowing> {
    (option::of(Just(1)), option::of(Just(1)), option::of(audiences()), option::of(permissions()), any::<bool>())
        .prop_map(|(ttl_seconds_default, ttl_seconds_max, audiences, permissions, reason_required)| Narrowing {
            ttl_seconds_default,
            ttl_seconds_max,
            audiences,
            permissions,
            reason_required,
            active_max: None,
        })
}

/// Leaves out what a door does not allow anyway.
fn bound(team: &mut Narrowing, door: &PathRules) {
    if let Some(Audiences::These(these)) = &mut team.audiences {
        these.retain(|audience| door.audiences.contain(audience));
    }
    team.audiences.take_if(|audiences| *audiences == Audiences::These(Vec::new()));
    if let Some(Grantable(these)) = &mut team.permissions {
        these.retain(|permission| door.permissions.cover(permission));
    }
}

fn provider(number: usize) -> impl Strategy<Value = TrustedIssuer> {
    let keys = prop_oneof![
        Just(KeySource::JwksUri("https://login.example.com/jwks".to_owned())),
        Just(KeySource::JwksFile("/etc/\"jwks\".json".to_owned())),
    ];
    let name = || "[a-zA-Z'\"\\\\ =.]{0,6}".prop_map(|text| Group::parse(format!("g{text}h")).unwrap());
    let grants = || {
        vec(select(&["*", "tools.read"][..]), 0..3)
            .prop_map(|texts| texts.into_iter().map(|text| text.parse().unwrap()).collect::<Vec<Permission>>())
    };
    let role = prop_oneof![Just(Role::Admin), grants().prop_map(Role::Permissions)];
    let teams = btree_map(name(), select(&["red", "blue"][..]).prop_map(|team| team.parse().unwrap()), 0..3);
    let optional = vec(select(&OptionalClaim::ALL[..]), 0..3);
    let parts = (keys, grants(), teams, btree_map(name(), role, 1..3), optional);
    parts.prop_map(move |(keys, permissions, teams, roles, optional)| TrustedIssuer {
        issuer: format!("https://login-{number}.example.com").parse().unwrap(),
        keys,
        audience: "https://catalog.example.com".parse().unwrap(),
        email_domains: vec![
            EmailDomain::parse(format!("of-{number}.example")).unwrap(),
            format!("{number}.de").parse().unwrap(),
        ],
        claims: ClaimNames { groups: "memberOf".parse().unwrap(), ..ClaimNames::default() },
        optional_claims: optional.into_iter().collect(),
        permissions,
        teams,
        roles,
    })
}

fn rules() -> impl Strategy<Value = Rules> {
    let switch = || select(&[Switch::Allow, Switch::Deny][..]);
    let shell = (switch(), switch(), any::<bool>()).prop_map(|(out_of_band, elevated, has_key)| match out_of_band {
        Switch::Allow => ShellRules { out_of_band, elevated, kid: has_key.then(|| Kid::parse("k-1").unwrap()) },
        Switch::Deny => ShellRules { out_of_band, ..ShellRules::default() },
    });
    let source = prop_oneof![
        Just(MembershipSource::File("/etc/\"teams\".json".to_owned())),
        Just(MembershipSource::Url("https://people.example.com/teams".to_owned())),
    ];
    let membership = (source, 1..9_999_u32, switch()).prop_map(|(source, refresh_seconds, unknown)| MembershipRules {
        source,
        refresh_seconds,
        unknown,
    });
    let team = (narrowing(), narrowing()).prop_map(|(api, cli_dev)| TeamRules { api, cli_dev });
    let teams = btree_map("[a-z.]{1,4}".prop_map(|id| TeamId::parse(id).unwrap()), team, 0..3);
    let reuse = select(&[Reuse::Record, Reuse::RevokeFamily][..]);
    let lists = option::of(
        (select(&["https://h/status-lists", "http://[::1]:8080"][..]), 10..=86_400_u32)
            .prop_map(|(url, ttl_seconds)| StatusListRules { url: url.to_owned(), ttl_seconds }),
    );
    let rest = (option::of(membership), reuse, option::of(provider(1)), option::of(provider(2)), lists);
    (door(), door(), shell, teams, rest).prop_map(|(api, cli_dev, shell, mut teams, rest)| {
        for rules in teams.values_mut() {
            bound(&mut rules.api, &api);
            bound(&mut rules.cli_dev, &cli_dev);
        }
        teams.retain(|_, rules| *rules != TeamRules::default());
        let cli_dev = PathRules { child_outlives_parent: false, ..cli_dev };
        let (membership, reuse, first, second, status_lists) = rest;
        let mut trusted_issuers: Vec<TrustedIssuer> = first.into_iter().chain(second).collect();
        for trusted in &mut trusted_issuers {
            trusted.teams.retain(|_, team| teams.is_empty() || teams.contains_key(team));
        }
        Rules { api, cli_dev, shell, teams, membership, reuse, trusted_issuers, status_lists }
    })
}

proptest! {
    #[test]
    fn a_policy_that_was_written_out_says_the_same_when_it_is_read(rules in rules()) {
        let text = render(&rules);

        prop_assert_eq!(parse(&text), Ok(rules), "{}", text);
    }
}
