//! One policy, two doors: what the one grants the other grants, and no change of rules brings back what is over.

use catalog::domain::{
    Act, Authority, Command, Event, IssueToken, Path, Position, Recorded, RevokeToken, RotateToken, State, Status,
    authority::Permissions,
    claims::{Claims, Teams},
    command::Decision,
    configure::ApplyPolicy,
    denial::{RotatedTokenReused, Shadow, ShadowTokenSeen},
    event::{KeyAdded, Occurrence},
    key::Algorithm,
    policy::{Audiences, Grantable, Narrowing, PathRules, Reuse, Rules, ShellRules, Switch, TeamRules},
    revoke::RevocationReason,
    suspend::{Change, ChangeSuspension, Which},
    text::Kid,
};
use chrono::TimeDelta;
use proptest::{
    collection::vec,
    option,
    prelude::*,
    sample::{Index, select, subsequence},
};
use serde_json::{Value, json};
use std::collections::HashSet;
use uuid::Uuid;

use super::{decide, noon};
use crate::support::{settings::settings, world::shell};

fn audiences() -> impl Strategy<Value = Audiences> {
    prop_oneof![
        2 => Just(Audiences::Any),
        1 => subsequence(&["gateway", "catalog", "billing"][..], 1..=2)
            .prop_map(|names| Audiences::These(names.iter().map(|name| name.parse().unwrap()).collect())),
    ]
}

fn grantable() -> impl Strategy<Value = Grantable> {
    select(vec!["*", "tools.* tokens.create", "tools.read"])
        .prop_map(|names| Grantable(names.split(' ').map(|name| name.parse().unwrap()).collect()))
}

fn rules_of_a_door() -> impl Strategy<Value = PathRules> {
    (60..90_u32, audiences(), grantable(), any::<bool>(), option::of(0..2_u32)).prop_map(
        |(max, audiences, permissions, reason_required, active_max)| PathRules {
            audiences,
            permissions,
            reason_required,
            active_max,
            ..PathRules::open(60, max)
        },
    )
}

fn narrowing() -> impl Strategy<Value = Narrowing> {
    (option::of(50..80_u32), option::of(grantable()), any::<bool>()).prop_map(|(max, permissions, reason_required)| {
        Narrowing { ttl_seconds_max: max, permissions, reason_required, ..Narrowing::default() }
    })
}

/// The same rules for both doors.
fn even_rules() -> impl Strategy<Value = Rules> {
    (rules_of_a_door(), option::of(narrowing())).prop_map(|(door, red)| {
        let mut rules = Rules { api: door.clone(), cli_dev: door, ..Rules::initial() };
        if let Some(narrowing) = red {
            let team = TeamRules { api: narrowing.clone(), cli_dev: narrowing };
            rules.teams.insert("red".parse().unwrap(), team);
        }
        rules
    })
}

fn request() -> impl Strategy<Value = IssueToken> {
    let lists = (
        subsequence(&["gateway", "catalog", "billing"][..], 0..=2),
        subsequence(&["red", "blue"][..], 0..=2),
        subsequence(&["*", "tools.read", "servers.use"][..], 0..=2),
    );
    (any::<bool>(), any::<bool>(), any::<bool>(), option::of(55..95_u32), lists).prop_map(
        |(is_admin, says_teams, says_why, expires_in, (aud, teams, permissions))| {
            let mut request = json!({"sub": "alice@example.com", "is_admin": is_admin, "aud": aud,
                "expires_in": expires_in, "scopes": {"permissions": permissions}});
            if says_teams {
                request["teams"] = json!(teams);
            }
            if says_why {
                request["reason"] = json!("on call");
            }
            serde_json::from_value::<IssueToken>(request).unwrap()
        },
    )
}

/// An administrator's token that names nothing.
fn root() -> Authority {
    let mut state = State::new(settings(Rules::initial()));
    let request: Value = json!({"sub": "root@localhost", "is_admin": true, "aud": ["catalog"]});
    let request: IssueToken = serde_json::from_value(request).unwrap();
    let issued = decide(&mut state, &request, &Authority::of_shell(), Path::CliDev, None).unwrap();
    // Its token is not in the states that the doors decide on.
    Authority { credential: None, ..Authority::of_token(&issued.claims().unwrap()) }
}

fn comparable(claims: &Claims) -> Value {
    let mut claims = serde_json::to_value(claims).unwrap();
    claims.as_object_mut().unwrap().remove("jti");
    claims
}

/// Something that happens to a catalog.
#[derive(Debug, Clone)]
enum Step {
    Issue(IssueToken),
    Revoke(Index),
    Change(Change, Index),
    Rotate(Index, u8),
    Reuse(Index),
    Shadow(Index),
    Policy(Rules),
    Key(u8),
    Wait(i64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let switch = select(&[Switch::Allow, Switch::Deny][..]);
    let reuse = select(&[Reuse::Record, Reuse::RevokeFamily][..]);
    let policy = (even_rules(), switch, option::of(0..2_u8), reuse).prop_map(|(rules, out_of_band, dev, reuse)| {
        let shell = ShellRules { out_of_band, kid: dev.map(dev_key), ..ShellRules::default() };
        Step::Policy(Rules { shell, reuse, ..rules })
    });
    let step = prop_oneof![
        4 => request().prop_map(Step::Issue),
        2 => any::<Index>().prop_map(Step::Revoke),
        3 => (select(&Change::ALL[..]), any::<Index>()).prop_map(|(change, which)| Step::Change(change, which)),
        3 => (any::<Index>(), 0..60_u8).prop_map(|(which, overlap)| Step::Rotate(which, overlap)),
        2 => any::<Index>().prop_map(Step::Reuse),
        1 => any::<Index>().prop_map(Step::Shadow),
        2 => policy,
        1 => (0..2_u8).prop_map(Step::Key),
        2 => (1..60_i64).prop_map(Step::Wait),
    ];
    vec(step, 1..40)
}

fn dev_key(number: u8) -> Kid {
    format!("dev-{number}").parse().unwrap()
}

fn act(step: Step, state: &State, ids: &[Uuid], number: usize) -> Option<Act> {
    let chosen = |which: Index| (!ids.is_empty()).then(|| ids[which.index(ids.len())]);
    Some(match step {
        Step::Issue(command) => Act::Issue {
            command: Box::new(command),
            jti: Uuid::from_u128(u128::try_from(number).unwrap() + 1),
            signer: state.settings.signer(Path::CliDev)?.clone(),
            membership: None,
            draw: Box::default(),
        },
        Step::Revoke(which) => {
            Act::Revoke(RevokeToken { jti: chosen(which)?, reason: RevocationReason::Unspecified, note: None })
        }
        Step::Change(change, which) => {
            Act::ChangeSuspension(ChangeSuspension { change, which: Which::Token(chosen(which)?), note: None })
        }
        Step::Rotate(which, overlap) => Act::Rotate {
            command: RotateToken {
                jti: chosen(which)?,
                overlap: format!("{overlap}s").parse().unwrap(),
                ttl_seconds: None,
            },
            successor: Uuid::from_u128(u128::try_from(number).unwrap() + 1),
            signer: state.settings.signer(Path::CliDev)?.clone(),
            membership: None,
            draw: Box::default(),
        },
        Step::Reuse(which) => {
            let token = state.token(chosen(which)?)?;
            let successor = token.lineage.successor?;
            Act::SeeReuse(RotatedTokenReused { jti: token.jti, family: token.family(), successor })
        }
        Step::Shadow(which) => Act::SeeShadow(ShadowTokenSeen {
            jti: chosen(which),
            kid: "k1".parse().unwrap(),
            claims_digest: String::new(),
            what: Shadow::OtherClaims,
        }),
        Step::Policy(rules) => Act::ApplyPolicy(Box::new(ApplyPolicy { rules, text: String::new() })),
        Step::Key(number) => {
            Act::AddKey(Box::new(KeyAdded { kid: dev_key(number), alg: Algorithm::EdDsa, jwk: None, dev: true }))
        }
        Step::Wait(_) => return None,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn for_any_policy_and_request_the_api_and_the_shell_agree(rules in even_rules(), first in request(), second in request()) {
        let [mut of_api, mut of_shell] = [(); 2].map(|()| State::new(settings(rules.clone())));

        for request in [first, second] {
            let by_api = decide(&mut of_api, &request, &root(), Path::Api, None);
            let by_shell = decide(&mut of_shell, &request, &Authority::of_shell(), Path::CliDev, None);

            let by_api = by_api.map(|issued| comparable(&issued.claims().unwrap()));
            let by_shell = by_shell.map(|issued| comparable(&issued.claims().unwrap()));
            prop_assert_eq!(by_api, by_shell);
        }
    }

    #[test]
    fn nothing_that_is_over_comes_back_and_what_is_suspended_only_by_its_resumption(steps in steps()) {
        let mut state = State::new(settings(Rules::initial()));
        let (mut ids, mut over, mut held) = (Vec::new(), HashSet::new(), HashSet::new());
        let (mut position, mut now) = (10, noon());

        for (number, step) in steps.into_iter().enumerate() {
            if let Step::Wait(seconds) = step {
                now += TimeDelta::seconds(seconds);
            }
            let mut resumed = None;
            if let Some(act) = act(step, &state, &ids, number) {
                let origin = shell(Path::CliDev);
                let command = Command { act, authority: Authority::of_shell(), origin, now, idempotency: None };
                if let Ok(Decision::Events(events)) = command.decide(&state) {
                    for event in events {
                        if let Event::TokenResumed(resumption) = &event {
                            resumed = Some(resumption.jti);
                        }
                        position += 1;
                        let occurrence = Occurrence { event, occurred_at: now, origin: shell(Path::CliDev) };
                        state.apply(&Recorded { position: Position(position), recorded_at: now, occurrence });
                    }
                }
                ids.extend(command.jti().filter(|jti| state.token(*jti).is_some() && !ids.contains(jti)));
            }
            for jti in &ids {
                match state.token(*jti).unwrap().status(now) {
                    Status::Active => {
                        prop_assert!(!over.contains(jti), "{jti} came back");
                        prop_assert!(!held.remove(jti) || resumed == Some(*jti), "{jti} was let go by nobody");
                    }
                    Status::Suspended => {
                        prop_assert!(!over.contains(jti), "{jti} came back");
                        held.insert(*jti);
                    }
                    Status::Expired | Status::Revoked => {
                        over.insert(*jti);
                    }
                }
            }
        }
    }
}

#[test]
fn the_strategies_reach_grants_and_refusals_of_every_rule_of_the_policy() {
    use proptest::{strategy::ValueTree, test_runner::TestRunner};
    let mut runner = TestRunner::deterministic();
    let mut codes = HashSet::new();

    for _ in 0..2_000 {
        let rules = even_rules().new_tree(&mut runner).unwrap().current();
        let mut state = State::new(settings(rules));
        for _ in 0..2 {
            let request = request().new_tree(&mut runner).unwrap().current();
            let outcome = decide(&mut state, &request, &root(), Path::Api, None);
            codes.insert(outcome.map_or_else(|refusal| refusal.code(), |_| "granted"));
        }
    }

    let mut codes: Vec<&str> = codes.into_iter().collect();
    codes.sort_unstable();
    assert_eq!(
        codes,
        [
            "audiences_not_allowed",
            "catalog_not_grantable",
            "granted",
            "permissions_not_grantable",
            "reason_required",
            "too_many_active",
            "ttl_too_long"
        ]
    );
    assert!(matches!(root().permissions, Permissions::All) && root().teams == Teams::Every);
}
