//! The stored form of events: what goes in comes out, nothing personal is kept for ever, and no byte changes unnoticed.

use catalog::{
    domain::{
        Actor, Event, Occurrence, Origin, Path, Position, Predicate, Recorded, TokenIssued, TokenRevoked,
        TokensRevokedByRule,
        audit::{AuditRead, Handed, seen::Seen},
        claims::Teams,
        client::{ClientAdded, ClientPermission, ClientRevoked, ClientRotated, SecretDigest},
        courier::CourierIssued,
        denial::{
            CourierRefused, IssuanceRefused, RevocationByRuleRefused, RevocationRefused, RotatedTokenReused,
            RotationRefused, Shadow, ShadowTokenSeen, SuspensionRefused,
        },
        event::{Configured, Elevation, First, KeyActivated, KeyAdded, KeyCompromised, KeyRetired, SuspensionChanged},
        key::{Algorithm, PublicJwk},
        origin::OsUser,
        person::{LoginRefused, PersonSeen},
        policy::{Audiences, Grantable, PathRules, Policy, Reuse, Rules},
        revoke::RevocationReason,
        status_list::{Entry, StatusListBegun, StatusListRules},
        suspend::Change,
        text::{Issuer, Name},
    },
    store::{
        codec::{self, CodecError},
        skim::{Stored, skim},
    },
};
use chrono::{DateTime, Utc};
use proptest::{
    collection::vec,
    option,
    prelude::{Just, Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest},
    sample::select,
};
use serde_json::Value;
use uuid::Uuid;

/// Stands in every personal text that is made here, and in nothing else.
const MARK: char = '§';

/// A word that every text type takes, from several alphabets.
fn word<T>() -> impl Strategy<Value = T>
where
    T: std::str::FromStr + std::fmt::Debug,
    T::Err: std::fmt::Debug,
{
    "[a-zA-Z0-9@._:/\"\\\\<é日𝄞-]{1,20}".prop_map(|text| text.parse().unwrap())
}

fn request_id() -> impl Strategy<Value = catalog::domain::text::RequestId> {
    "[a-zA-Z0-9._-]{1,20}".prop_map(|text| text.parse().unwrap())
}

/// A word that may have to be erased.
fn personal<T>() -> impl Strategy<Value = T>
where
    T: std::str::FromStr + std::fmt::Debug,
    T::Err: std::fmt::Debug,
{
    "[a-zA-Z0-9@._:/\"\\\\<é日𝄞-]{0,10}".prop_map(|text| format!("{text}{MARK}").parse().unwrap())
}

fn instant() -> impl Strategy<Value = DateTime<Utc>> {
    // Until the end of the year 9999, in whole microseconds.
    (0..253_402_300_800_000_000_i64).prop_map(|micros| DateTime::from_timestamp_micros(micros).unwrap())
}

fn id() -> impl Strategy<Value = Uuid> {
    any::<u128>().prop_map(Uuid::from_u128)
}

fn algorithm() -> impl Strategy<Value = Algorithm> {
    select(&Algorithm::ALL[..])
}

fn teams() -> impl Strategy<Value = Teams> {
    prop_oneof![Just(Teams::Every), vec(word(), 0..4).prop_map(Teams::These)]
}

fn elevations() -> impl Strategy<Value = Vec<Elevation>> {
    vec(select(&[Elevation::Admin, Elevation::Teams, Elevation::Permissions][..]), 0..4)
}

fn issued() -> impl Strategy<Value = Event> {
    let structure = (
        (id(), any::<i64>(), any::<i64>(), word(), algorithm(), vec(word(), 1..4)),
        (any::<bool>(), teams(), vec(select(&["*", "tools.*", "tools.read"][..]), 0..4)),
        (any::<bool>(), elevations(), any::<u32>()),
    );
    let erasable = (
        option::of(personal()),
        option::of(personal()),
        option::of(personal()),
        option::of("[A-Za-z0-9_-]{8,40}\\.[A-Za-z0-9_-]{20,80}"),
    );
    let entry = option::of((id(), any::<u32>()).prop_map(|(list, idx)| Entry { list, idx }));
    (structure, erasable, lineage(), entry).prop_map(|((first, second, third), erasable, lineage, status_list)| {
        let (name, description, reason, signing_input) = erasable;
        let (jti, iat, exp, kid, alg, aud) = first;
        let (is_admin, teams, permissions) = second;
        let (out_of_band, elevated, policy_version) = third;
        Event::TokenIssued(Box::new(TokenIssued {
            jti,
            iat,
            exp,
            kid,
            alg,
            aud,
            is_admin,
            teams,
            permissions: permissions.into_iter().map(|text| text.parse().unwrap()).collect(),
            out_of_band,
            elevated,
            policy_version,
            name,
            description,
            reason,
            family: lineage.as_ref().map(|(family, _, _)| *family),
            predecessor: lineage.as_ref().map(|(_, predecessor, _)| *predecessor),
            first: lineage.and_then(|(_, _, first)| first),
            status_list,
            signing_input,
        }))
    })
}

fn lineage() -> impl Strategy<Value = Option<(Uuid, Uuid, Option<First>)>> {
    let first = (select(&Path::ALL[..]), any::<i64>(), word()).prop_map(|(path, iat, kid)| First { path, iat, kid });
    option::of((id(), id(), option::of(first)))
}

fn revoked() -> impl Strategy<Value = Event> {
    let later = (option::of(instant()), option::of(id()));
    (id(), select(&RevocationReason::ALL[..]), later, option::of(personal())).prop_map(
        |(jti, reason, (effective_from, successor), note)| {
            Event::TokenRevoked(TokenRevoked { jti, reason, effective_from, successor, note })
        },
    )
}

fn rotated() -> impl Strategy<Value = Event> {
    let overlap = "[0-9]{1,7}[smhd]".prop_map(|text| text.parse().unwrap());
    prop_oneof![
        (any::<u32>(), instant(), id(), overlap, any::<Option<u32>>()).prop_map(
            |(count, since, jti, overlap, expires_in)| {
                let rule = "token_unknown".to_owned();
                Event::RotationRefused(RotationRefused { rule, count, since, jti, overlap, expires_in })
            }
        ),
        (id(), id(), id()).prop_map(|(jti, family, successor)| {
            Event::RotatedTokenReused(RotatedTokenReused { jti, family, successor })
        }),
    ]
}

fn couriers() -> impl Strategy<Value = Event> {
    let signed = (any::<(i64, i64)>(), word(), algorithm(), vec(word(), 1..3), option::of(personal::<String>()));
    prop_oneof![
        (id(), signed).prop_map(|(jti, ((iat, exp), kid, alg, aud, signing_input))| {
            let claims_digest = "ab".repeat(32);
            let issued = CourierIssued { jti, iat, exp, kid, alg, aud, claims_digest, signing_input };
            Event::CourierIssued(Box::new(issued))
        }),
        (any::<u32>(), instant(), id()).prop_map(|(count, since, jti)| {
            Event::CourierRefused(CourierRefused { rule: "token_unknown".to_owned(), count, since, jti })
        }),
    ]
}

fn changed() -> impl Strategy<Value = Event> {
    let refused = (any::<u32>(), instant(), select(&Change::ALL[..]), option::of(id()));
    prop_oneof![
        (id(), any::<bool>(), option::of(personal())).prop_map(|(jti, by_full_admin, note)| {
            Event::TokenSuspended(SuspensionChanged { jti, by_full_admin, note })
        }),
        (id(), any::<bool>(), option::of(personal())).prop_map(|(jti, by_full_admin, note)| {
            Event::TokenResumed(SuspensionChanged { jti, by_full_admin, note })
        }),
        (refused, option::of(personal()), option::of(personal())).prop_map(
            |((count, since, change, jti), sub, note)| {
                let rule = "token_unknown".to_owned();
                Event::SuspensionRefused(SuspensionRefused { rule, count, since, change, jti, sub, note })
            }
        ),
    ]
}

fn door() -> impl Strategy<Value = PathRules> {
    (any::<(u32, u32)>(), option::of(vec(word(), 1..3)), any::<(bool, bool)>(), any::<Option<u32>>()).prop_map(
        |((default, max), audiences, (reason_required, child_outlives_parent), active_max)| PathRules {
            audiences: audiences.map_or(Audiences::Any, Audiences::These),
            permissions: if reason_required { Grantable(Vec::new()) } else { Grantable::default() },
            reason_required,
            active_max,
            child_outlives_parent,
            ..PathRules::open(default, max)
        },
    )
}

fn evidence() -> impl Strategy<Value = Event> {
    let denied = (any::<u32>(), instant(), id(), select(&RevocationReason::ALL[..]), option::of(personal()));
    prop_oneof![
        denied.prop_map(|(count, since, jti, reason, note)| {
            let rule = "token_unknown".to_owned();
            Event::RevocationRefused(RevocationRefused { rule, count, since, jti, reason, note })
        }),
        (any::<u32>(), instant(), option::of(teams()), option::of(word()), option::of(personal())).prop_map(
            |(count, since, teams, sub, reason)| Event::IssuanceRefused(Box::new(IssuanceRefused {
                rule: "teams_not_yours".to_owned(),
                count,
                since,
                aud: Vec::new(),
                expires_in: Some(count),
                is_admin: false,
                teams,
                permissions: Vec::new(),
                elevated: Vec::new(),
                sub,
                name: None,
                reason,
            }))
        ),
        (any::<u32>(), instant()).prop_map(|(count, since)| {
            Event::LoginRefused(LoginRefused { rule: "other_domain".to_owned(), count, since })
        }),
        (word(), any::<i64>(), any::<bool>(), teams(), option::of(personal())).prop_map(
            |(issuer, logged_in, is_admin, teams, sub)| {
                let permissions = Vec::new();
                Event::PersonSeen(Box::new(PersonSeen { issuer, logged_in, is_admin, teams, permissions, sub }))
            }
        ),
        (option::of(id()), word(), select(&[Shadow::NeverIssued, Shadow::OtherClaims][..])).prop_map(
            |(jti, kid, what)| {
                Event::ShadowTokenSeen(ShadowTokenSeen { jti, kid, claims_digest: String::new(), what })
            }
        ),
    ]
}

fn reads() -> impl Strategy<Value = Event> {
    let word_of_format = word::<Name>().prop_map(|name| name.to_string());
    (word_of_format, 0_i64..9, option::of(personal()), option::of(word())).prop_map(|(format, first, sub, team)| {
        let (first, last, end) = (Position(first), Position(first + 1), Position(first + 2));
        Event::AuditRead(AuditRead { what: Handed::Report, format, first, last, end, sub, team })
    })
}

fn settings() -> impl Strategy<Value = Event> {
    let text = || "[A-Za-z0-9_-]{1,43}";
    let jwk = prop_oneof![
        (text(), text()).prop_map(|(crv, x)| PublicJwk::Okp { crv, x }),
        (text(), text(), text()).prop_map(|(crv, x, y)| PublicJwk::Ec { crv, x, y }),
        (text(), text()).prop_map(|(n, e)| PublicJwk::Rsa { n, e }),
    ];
    prop_oneof![
        (word(), word(), option::of(word())).prop_map(|(issuer, audience, env)| Event::Configured(Configured {
            issuer,
            audience,
            env
        })),
        (any::<u32>(), door(), door(), option::of("[a-z =#\n]*")).prop_map(|(version, api, cli_dev, text)| {
            let reuse = if version % 2 == 0 { Reuse::Record } else { Reuse::RevokeFamily };
            let url = format!("https://catalog.example.com/{version}");
            let status_lists = (version % 3 == 0).then_some(StatusListRules { url, ttl_seconds: version });
            let rules = Rules { api, cli_dev, reuse, status_lists, ..Rules::initial() };
            Event::PolicyApplied(Box::new(Policy { version, rules, text }))
        }),
        (word(), algorithm(), option::of(jwk), any::<bool>())
            .prop_map(|(kid, alg, jwk, dev)| Event::KeyAdded(KeyAdded { kid, alg, jwk, dev })),
        (word(), any::<bool>()).prop_map(|(kid, early)| Event::KeyActivated(KeyActivated { kid, early })),
        (word(), any::<i64>(), option::of(instant()), option::of(personal())).prop_map(|(kid, from, since, note)| {
            Event::KeyCompromised(KeyCompromised { kid, from: Position(from), since, note })
        }),
        (word(), any::<i64>())
            .prop_map(|(kid, counted)| Event::KeyRetired(KeyRetired { kid, counted: Position(counted) })),
        clients(),
        (id(), word::<Issuer>(), any::<u32>()).prop_map(|(id, uri, entries)| {
            Event::StatusListBegun(StatusListBegun { id, uri: uri.to_string(), entries })
        }),
    ]
}

fn clients() -> impl Strategy<Value = Event> {
    let name = || "[a-zA-Z0-9._-]{1,20}".prop_map(|text| text.parse().unwrap());
    let secret_sha256 = || any::<u64>().prop_map(|number| SecretDigest::of(&number.to_string()));
    let teams = prop_oneof![Just(Teams::Every), vec(word(), 0..3).prop_map(Teams::These)];
    prop_oneof![
        (name(), vec(select(&ClientPermission::ALL[..]), 1..3), teams, secret_sha256()).prop_map(
            |(name, permissions, teams, secret_sha256)| {
                Event::ClientAdded(ClientAdded { name, permissions, teams, secret_sha256 })
            }
        ),
        (name(), secret_sha256(), option::of(instant())).prop_map(|(name, secret_sha256, old_until)| {
            Event::ClientRotated(ClientRotated { name, secret_sha256, old_until })
        }),
        name().prop_map(|name| Event::ClientRevoked(ClientRevoked { name })),
    ]
}

fn actor() -> impl Strategy<Value = Actor> {
    prop_oneof![
        (id(), option::of(personal())).prop_map(|(jti, sub)| Actor::Token { jti, sub }),
        "[a-zA-Z0-9._-]{1,20}".prop_map(|name| Actor::Client { name: name.parse().unwrap() }),
        (word(), option::of(personal())).prop_map(|(issuer, sub)| Actor::Person { issuer, sub }),
        (
            option::of(personal()),
            any::<Option<u32>>(),
            option::of(personal()),
            option::of(personal()),
            option::of(personal())
        )
            .prop_map(|(name, uid, login, sudo_user, host)| {
                Actor::OsUser(OsUser { name, uid, login, sudo_user, host })
            }),
    ]
}

fn predicate() -> impl Strategy<Value = Predicate> {
    let words = (option::of(personal()), option::of(word()), option::of(word()), option::of(personal()));
    let closed = (option::of(select(&Path::ALL[..])), option::of(select(&["*", "tools.*", "tools.read"][..])));
    let times = (option::of(instant()), option::of(instant()));
    (words, closed, times, (option::of(id()), any::<bool>())).prop_map(
        |((sub, team, kid, name), (path, permission), (issued_after, issued_before), (family, successors))| {
            let permission = permission.map(|text| text.parse().unwrap());
            Predicate { sub, team, path, kid, permission, name, issued_after, issued_before, family, successors }
        },
    )
}

fn by_rule() -> impl Strategy<Value = Event> {
    let why = (select(&RevocationReason::ALL[..]), option::of(personal()));
    (predicate(), why, any::<u32>(), instant()).prop_flat_map(|(predicate, (reason, note), count, since)| {
        let fields = predicate.fields();
        let (rule, denied) = ("rule_too_wide".to_owned(), (fields.clone(), predicate.clone(), note.clone()));
        let (of_denied, predicate_denied, note_denied) = denied;
        prop_oneof![
            Just(Event::TokensRevokedByRule(Box::new(TokensRevokedByRule { fields, predicate, reason, note }))),
            Just(Event::RevocationByRuleRefused(Box::new(RevocationByRuleRefused {
                rule,
                count,
                since,
                fields: of_denied,
                predicate: predicate_denied,
                reason,
                note: note_denied,
            }))),
        ]
    })
}

fn occurrence() -> impl Strategy<Value = Occurrence> {
    let event = prop_oneof![
        issued().boxed(),
        revoked().boxed(),
        changed().boxed(),
        rotated().boxed(),
        couriers().boxed(),
        by_rule().boxed(),
        settings().boxed(),
        evidence().boxed(),
        reads().boxed(),
    ];
    let origin =
        (select(&Path::ALL[..]), actor(), request_id(), any::<Option<std::net::IpAddr>>(), option::of(personal()))
            .prop_map(|(path, actor, request_id, address, user_agent)| Origin {
                path,
                actor,
                request_id,
                address,
                user_agent,
            });
    (event, instant(), origin).prop_map(|(event, occurred_at, origin)| Occurrence { event, occurred_at, origin })
}

/// The same without anything personal.
fn erased(mut occurrence: Occurrence) -> Occurrence {
    let origin = &mut occurrence.origin;
    (origin.address, origin.user_agent) = (None, None);
    match &mut origin.actor {
        Actor::Token { sub, .. } | Actor::Person { sub, .. } => *sub = None,
        Actor::OsUser(user) => *user = OsUser::default(),
        Actor::Client { .. } | Actor::Anonymous => {}
    }
    match &mut occurrence.event {
        Event::TokenIssued(issued) => {
            (issued.name, issued.description, issued.reason, issued.signing_input) = (None, None, None, None);
        }
        Event::CourierIssued(issued) => issued.signing_input = None,
        Event::TokenRevoked(revoked) => revoked.note = None,
        Event::TokenSuspended(suspended) => suspended.note = None,
        Event::TokenResumed(resumed) => resumed.note = None,
        Event::SuspensionRefused(refused) => (refused.sub, refused.note) = (None, None),
        Event::IssuanceRefused(refused) => (refused.sub, refused.name, refused.reason) = (None, None, None),
        Event::RevocationRefused(refused) => refused.note = None,
        Event::KeyCompromised(compromised) => compromised.note = None,
        Event::PersonSeen(seen) => seen.sub = None,
        Event::AuditRead(read) => read.sub = None,
        Event::TokensRevokedByRule(added) => {
            (added.predicate.sub, added.predicate.name, added.note) = (None, None, None);
        }
        Event::RevocationByRuleRefused(refused) => {
            (refused.predicate.sub, refused.predicate.name, refused.note) = (None, None, None);
        }
        Event::Configured(_)
        | Event::PolicyApplied(_)
        | Event::StatusListBegun(_)
        | Event::KeyAdded(_)
        | Event::KeyActivated(_)
        | Event::ClientAdded(_)
        | Event::ClientRotated(_)
        | Event::ClientRevoked(_)
        | Event::KeyRetired(_)
        | Event::CourierRefused(_)
        | Event::RotationRefused(_)
        | Event::RotatedTokenReused(_)
        | Event::LoginRefused(_)
        | Event::ShadowTokenSeen(_) => {}
    }
    occurrence
}

/// JSON with its members sorted and no white space, made without the help of what is tested.
fn canonical(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let mut names: Vec<&String> = members.keys().collect();
            names.sort();
            let members: Vec<String> = names
                .into_iter()
                .map(|name| format!("{}:{}", Value::from(name.as_str()), canonical(&members[name])))
                .collect();
            format!("{{{}}}", members.join(","))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(canonical).collect::<Vec<_>>().join(",")),
        scalar => scalar.to_string(),
    }
}

proptest! {
    #[test]
    fn an_event_comes_back_as_it_was_stored(occurrence in occurrence()) {
        let stored = codec::encode(&occurrence).unwrap();

        let read = codec::decode(&stored.body, Some(&stored.personal)).unwrap();

        prop_assert_eq!(read, occurrence);
    }

    #[test]
    fn what_is_skimmed_of_an_event_is_what_is_decoded_of_it(occurrence in occurrence(), is_erased: bool) {
        let stored = codec::encode(&occurrence).unwrap();
        let occurrence = if is_erased { erased(occurrence) } else { occurrence };
        let (position, recorded_at, kind) = (Position(7), occurrence.occurred_at, codec::kind(&occurrence.event));
        let recorded = Recorded { position, recorded_at, occurrence };
        let personal = (!is_erased).then_some(&stored.personal[..]);
        let stored = Stored { position, recorded_at, kind, body: &stored.body, personal };

        let is_same = skim(stored).unwrap().seen(|seen| *seen == Seen::of(kind, &recorded, is_erased));

        prop_assert!(is_same, "{recorded:?} is {}", skim(stored).unwrap().seen(|seen| format!("{seen:?}")));
    }

    #[test]
    fn an_erased_event_is_the_same_without_what_is_personal(occurrence in occurrence()) {
        let stored = codec::encode(&occurrence).unwrap();

        let read = codec::decode(&stored.body, None).unwrap();

        prop_assert_eq!(&read, &erased(occurrence));
        prop_assert_eq!(codec::encode(&read).unwrap().body, stored.body);
    }

    #[test]
    fn nothing_personal_is_in_the_part_that_is_kept_for_ever(occurrence in occurrence()) {
        let stored = codec::encode(&occurrence).unwrap();

        let body = String::from_utf8(stored.body).unwrap();
        prop_assert!(!body.contains(MARK), "{body}");
        if let Event::TokenIssued(issued) = &occurrence.event {
            prop_assert!(issued.signing_input.as_ref().is_none_or(|input| !body.contains(input)), "{body}");
        }
        let body: Value = serde_json::from_str(&body).unwrap();
        for member in ["address", "user_agent"] {
            prop_assert!(body.get(member).is_none(), "{member}");
        }
        for member in ["sub", "name", "uid", "login", "sudo_user", "host"] {
            // A client is a service, and its name is what the log knows it by.
            let is_of_client = member == "name" && body["actor"]["kind"] == "client";
            prop_assert!(is_of_client || body["actor"].get(member).is_none(), "{member}");
        }
    }

    #[test]
    fn both_parts_are_canonical(occurrence in occurrence()) {
        let stored = codec::encode(&occurrence).unwrap();

        for part in [stored.body, stored.personal] {
            let value: Value = serde_json::from_slice(&part).unwrap();
            prop_assert_eq!(String::from_utf8(part).unwrap(), canonical(&value));
        }
    }

    #[test]
    fn every_kind_carries_its_version(occurrence in occurrence()) {
        let kind = codec::kind(&occurrence.event);

        let (name, version) = kind.rsplit_once('.').unwrap();
        prop_assert!(name.split('.').count() == 2 && version == "v1", "{kind}");
    }
}

#[test]
fn reading_stops_at_a_kind_that_this_program_does_not_know() {
    let body = |kind: &str| {
        format!(
            r#"{{"actor":{{"kind":"os-user"}},"data":{{}},"kind":"{kind}","occurred_at":"2026-03-01T12:00:00Z","path":"system","request_id":"r"}}"#
        )
    };

    for kind in ["token.issued.v2", "token.minted.v1", "", "TOKEN.ISSUED.V1"] {
        let read = codec::decode(body(kind).as_bytes(), None);
        assert!(matches!(&read, Err(CodecError::UnknownKind(unknown)) if unknown == kind), "{read:?}");
    }
    assert!(matches!(codec::decode(body("key.activated.v1").as_bytes(), None), Err(CodecError::Form(_))));
    assert!(matches!(codec::decode(b"{}", None), Err(CodecError::Form(_))));
    assert!(matches!(codec::decode(b"", None), Err(CodecError::Form(_))));
}
