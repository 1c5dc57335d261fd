//! What a policy file may say, and how it is told what it may not.

use proptest::{collection::vec, option, prelude::*, sample::select};

use super::*;

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
    let teams = proptest::collection::btree_map("[a-z.]{1,4}".prop_map(|id| TeamId::parse(id).unwrap()), team, 0..3);
    let reuse = select(&[Reuse::Record, Reuse::RevokeFamily][..]);
    let rest = (option::of(membership), reuse);
    (door(), door(), shell, teams, rest).prop_map(|(api, cli_dev, shell, mut teams, (membership, reuse))| {
        for rules in teams.values_mut() {
            bound(&mut rules.api, &api);
            bound(&mut rules.cli_dev, &cli_dev);
        }
        teams.retain(|_, rules| *rules != TeamRules::default());
        let cli_dev = PathRules { child_outlives_parent: false, ..cli_dev };
        Rules { api, cli_dev, shell, teams, membership, reuse }
    })
}

proptest! {
    #[test]
    fn a_policy_that_was_written_out_says_the_same_when_it_is_read(rules in rules()) {
        let text = render(&rules);

        prop_assert_eq!(parse(&text), Ok(rules), "{}", text);
    }
}
