//! A made-up history in which most that can happen does, the same in each run, recorded row by row as an appender would.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use catalog::{
    domain::{
        Actor, Event, Occurrence, Origin, Path, Position, Predicate, TokenIssued, TokenRevoked, TokensRevokedByRule,
        audit::{AuditRead, Handed},
        claims::Teams,
        client::{ClientAdded, ClientPermission, ClientRevoked, ClientRotated, SecretDigest},
        courier::CourierIssued,
        denial::{
            CourierRefused, IssuanceRefused, RevocationByRuleRefused, RevocationRefused, RotatedTokenReused,
            RotationRefused, Shadow, ShadowTokenSeen, SuspensionRefused,
        },
        event::{Configured, Elevation, KeyActivated, KeyAdded, KeyCompromised, KeyRetired, SuspensionChanged},
        key::{Algorithm, PublicJwk},
        origin::OsUser,
        person::{LoginRefused, PersonSeen},
        policy::{PathRules, Policy, Rules, ShellRules, Switch},
        revoke::RevocationReason,
        status_list::{ENTRIES, StatusListBegun},
        suspend::Change,
        text::{Kid, Name, Note, RequestId},
    },
    store::{chain, codec},
};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use sqlx::{ConnectOptions, Connection};
use uuid::Uuid;

use crate::support::TestDatabase;

/// The log that every history is recorded in.
pub const LOG_ID: Uuid = Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001);
/// A name that a spreadsheet would calculate, and words that a page or a terminal would obey.
pub const FORMULA: &str = "=cmd()";
pub const MARKUP: &str = "<script>alert(1)</script>";
pub const ESCAPE: &str = "box\u{1b}[31m\u{202e}";

/// That of RFC 8037, appendix A.2.
const PUBLIC_HALF: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
const SUBJECTS: [&str; 6] =
    ["alice@example.com", "bob@example.com", "carol@example.com", "ci-runner", "=SUM(A1)", "<b>dave</b>@example.com"];
const TEAMS: [&str; 4] = ["red", "blue", "green", "=team"];
const PERMISSIONS: [&str; 5] = ["tools.read", "tools.execute", "servers.*", "servers.use", "tokens.read"];
const RULES: [&str; 4] = ["ttl_too_long", "teams_not_yours", "permission_missing", "token_unknown"];

/// Numbers that look like chance, the same in each run.
pub struct Chance(pub u64);

impl Chance {
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }

    fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    fn some(&mut self, choices: &[&'static str]) -> Vec<&'static str> {
        choices.iter().copied().filter(|_| self.below(3) == 0).collect()
    }
}

struct Issued {
    jti: Uuid,
    sub: &'static str,
    is_over: bool,
    is_held: bool,
}

/// The history so far.
struct Story {
    chance: Chance,
    now: DateTime<Utc>,
    tokens: Vec<Issued>,
    keys: usize,
    policies: u32,
    clients: usize,
    told: Vec<Occurrence>,
}

/// A history of so many events.
pub fn history(seed: u64, count: usize) -> Vec<Occurrence> {
    let mut story = Story {
        chance: Chance(seed),
        now: "2026-01-05T08:00:00Z".parse().unwrap(),
        tokens: Vec::new(),
        keys: 0,
        policies: 0,
        clients: 0,
        told: Vec::new(),
    };
    story.begin();
    while story.told.len() < count {
        let passed = story.chance.below(5_400);
        story.now += TimeDelta::seconds(i64::try_from(passed).unwrap());
        story.go_on();
    }
    story.told.truncate(count);
    story.told
}

impl Story {
    fn begin(&mut self) {
        let configured = Configured {
            issuer: "https://catalog.example.com".parse().unwrap(),
            audience: "gateway".parse().unwrap(),
            env: None,
        };
        self.tell(Path::System, Event::Configured(configured));
        self.apply_policy();
        self.add_key();
        self.activate_key();
    }

    fn go_on(&mut self) {
        match self.chance.below(100) {
            0..40 => self.issue(Path::Api, None),
            40..53 => self.issue(Path::CliDev, None),
            53..63 => self.revoke(),
            63..69 => self.rotate(),
            69..74 => self.hold(),
            74..86 => self.refuse(),
            86 => self.refuse_again_and_again(),
            87 => self.rule(),
            88 | 89 => self.shadow(),
            90 => self.reuse(),
            91 => self.keys(),
            92 => self.apply_policy(),
            93 => self.client(),
            94 => self.courier(),
            95 => self.person(),
            96 | 97 => self.read(),
            _ => self.begin_list(),
        }
    }

    fn tell(&mut self, path: Path, event: Event) {
        let actor = self.actor(path);
        self.tell_of(path, actor, event);
    }

    fn tell_of(&mut self, path: Path, actor: Actor, event: Event) {
        let request_id = RequestId::parse(format!("r-{}", self.told.len() + 1)).unwrap();
        let origin = Origin { path, actor, request_id, address: None, user_agent: None };
        self.told.push(Occurrence { event, occurred_at: self.now, origin });
    }

    fn actor(&mut self, path: Path) -> Actor {
        if path != Path::Api {
            let (name, host) = self.chance.of(&[("root", "build-1"), ("alice", "laptop"), ("=cmd()", ESCAPE)]);
            return Actor::OsUser(OsUser {
                name: Some(name.to_owned()),
                uid: Some(0),
                login: Some("alice".to_owned()),
                sudo_user: None,
                host: Some(host.to_owned()),
            });
        }
        let sub = Some(self.chance.of(&SUBJECTS).to_owned());
        match self.chance.below(6) {
            0 => Actor::Client { name: "bridge".parse().unwrap() },
            1 => Actor::Person { issuer: "https://login.example.com".parse().unwrap(), sub },
            _ => Actor::Token { jti: Uuid::from_u128(7), sub },
        }
    }

    fn id(&mut self) -> Uuid {
        let high = u128::from(self.now.timestamp_millis().unsigned_abs()) << 80;
        Uuid::from_u128(high | 0x7000_8000_0000_0000_0000 | u128::try_from(self.told.len() + 1).unwrap())
    }

    fn kid(&self) -> Kid {
        format!("key-{}", self.keys).parse().unwrap()
    }

    fn issue(&mut self, path: Path, place: Option<(Uuid, &'static str)>) {
        let jti = self.id();
        let sub = place.map_or_else(|| self.chance.of(&SUBJECTS), |(_, sub)| sub);
        let lifetime = self.chance.of(&[600, 3_600, 86_400, 7 * 86_400, 30 * 86_400, 45 * 86_400]);
        let (iat, is_admin) = (self.now.timestamp(), self.chance.below(12) == 0);
        let teams = (!is_admin).then(|| self.chance.some(&TEAMS));
        let permissions = self.chance.some(&PERMISSIONS);
        let mut elevated = Vec::new();
        elevated.extend(is_admin.then_some(Elevation::Admin));
        elevated.extend(teams.as_ref().is_none_or(|teams| !teams.is_empty()).then_some(Elevation::Teams));
        elevated.extend((!permissions.is_empty()).then_some(Elevation::Permissions));
        let name = self.chance.of(&[None, Some("ci"), Some(FORMULA), Some(MARKUP)]);
        let reason = self.chance.of(&[None, Some("on call, until Friday"), Some("=HYPERLINK(\"http://x\")")]);
        let claims = json!({
            "iss": "https://catalog.example.com", "aud": ["gateway"], "sub": sub, "client_id": "catalog",
            "jti": jti, "iat": iat, "exp": iat + lifetime, "token_use": "api",
            "user": { "email": "someone@example.com", "full_name": "Some One", "is_admin": is_admin, "auth_provider": "api_token" },
            "teams": teams, "namespaces": [],
            "scopes": { "server_id": null, "permissions": permissions, "ip_restrictions": [], "time_restrictions": {}, "usage_limits": {} },
        });
        let issued = TokenIssued {
            jti,
            iat,
            exp: iat + lifetime,
            kid: self.kid(),
            alg: Algorithm::EdDsa,
            aud: vec!["gateway".parse().unwrap()],
            is_admin,
            teams: teams.map_or(Teams::Every, |teams| Teams::These(teams.iter().map(|t| t.parse().unwrap()).collect())),
            permissions: permissions.iter().map(|text| text.parse().unwrap()).collect(),
            out_of_band: path.is_out_of_band(),
            elevated,
            policy_version: self.policies,
            name: name.map(|name| Name::parse(name).unwrap()),
            description: None,
            reason: reason.map(|reason| Note::parse(reason).unwrap()),
            family: place.map(|(family, _)| family),
            predecessor: place.map(|(predecessor, _)| predecessor),
            first: None,
            status_list: None,
            signing_input: Some(format!("e30.{}", URL_SAFE_NO_PAD.encode(claims.to_string()))),
        };
        self.tell(path, Event::TokenIssued(Box::new(issued)));
        self.tokens.push(Issued { jti, sub, is_over: false, is_held: false });
    }

    /// One that no event ended yet.
    fn any(&mut self) -> Option<usize> {
        let open: Vec<usize> = (0..self.tokens.len()).filter(|index| !self.tokens[*index].is_over).collect();
        (!open.is_empty()).then(|| open[self.chance.below(open.len())])
    }

    fn revoke(&mut self) {
        let Some(index) = self.any() else { return };
        self.tokens[index].is_over = true;
        let note = self.chance.of(&[None, Some("left the company"), Some("@SUM(1)")]);
        let revoked = TokenRevoked {
            jti: self.tokens[index].jti,
            reason: self.chance.of(&RevocationReason::ALL),
            effective_from: None,
            successor: None,
            note: note.map(|note| Note::parse(note).unwrap()),
        };
        let path = self.chance.of(&[Path::Api, Path::CliAdmin]);
        self.tell(path, Event::TokenRevoked(revoked));
    }

    fn rotate(&mut self) {
        let Some(index) = self.any() else { return };
        let Issued { jti, sub, .. } = self.tokens[index];
        self.tokens[index].is_over = true;
        self.issue(Path::Api, Some((jti, sub)));
        let overlap = self.chance.of(&[None, Some(TimeDelta::hours(1)), Some(TimeDelta::days(2))]);
        let revoked = TokenRevoked {
            jti,
            reason: RevocationReason::Superseded,
            effective_from: overlap.map(|overlap| self.now + overlap),
            successor: self.tokens.last().map(|token| token.jti),
            note: None,
        };
        self.tell(Path::Api, Event::TokenRevoked(revoked));
    }

    fn hold(&mut self) {
        let Some(index) = self.any() else { return };
        let token = &mut self.tokens[index];
        token.is_held = !token.is_held;
        let changed = SuspensionChanged { jti: token.jti, by_full_admin: true, note: None };
        let event = if token.is_held { Event::TokenSuspended(changed) } else { Event::TokenResumed(changed) };
        self.tell(Path::Api, event);
    }

    fn refuse(&mut self) {
        let count = u32::try_from(1 + self.chance.below(4)).unwrap();
        let event = self.refusal(count);
        self.tell(Path::Api, event);
    }

    fn refuse_again_and_again(&mut self) {
        let actor = self.actor(Path::Api);
        for _ in 0..4 {
            let event = self.refusal(7);
            self.tell_of(Path::Api, actor.clone(), event);
            self.now += TimeDelta::seconds(70);
        }
    }

    fn refusal(&mut self, count: u32) -> Event {
        let (rule, since) = (self.chance.of(&RULES).to_owned(), self.now - TimeDelta::seconds(59));
        let jti = self.any().map_or(Uuid::from_u128(404), |index| self.tokens[index].jti);
        let sub = Some(self.chance.of(&SUBJECTS).parse().unwrap());
        match self.chance.below(7) {
            0 => Event::RevocationRefused(RevocationRefused {
                rule,
                count,
                since,
                jti,
                reason: RevocationReason::Unspecified,
                note: None,
            }),
            1 => {
                let (jti, change) = (Some(jti), Change::Suspend);
                Event::SuspensionRefused(SuspensionRefused { rule, count, since, change, jti, sub: None, note: None })
            }
            2 => {
                let overlap = "1h".parse().unwrap();
                Event::RotationRefused(RotationRefused { rule, count, since, jti, overlap, expires_in: None })
            }
            3 => Event::CourierRefused(CourierRefused { rule, count, since, jti }),
            4 => Event::LoginRefused(LoginRefused { rule: "other_domain".to_owned(), count, since }),
            5 => {
                let predicate = Predicate { sub, ..Predicate::default() };
                Event::RevocationByRuleRefused(Box::new(RevocationByRuleRefused {
                    rule,
                    count,
                    since,
                    fields: predicate.fields(),
                    predicate,
                    reason: RevocationReason::Unspecified,
                    note: None,
                }))
            }
            _ => Event::IssuanceRefused(Box::new(IssuanceRefused {
                rule,
                count,
                since,
                aud: Vec::new(),
                expires_in: None,
                is_admin: false,
                teams: Some(Teams::These(vec![self.chance.of(&TEAMS).parse().unwrap()])),
                permissions: Vec::new(),
                elevated: Vec::new(),
                sub,
                name: None,
                reason: None,
            })),
        }
    }

    fn rule(&mut self) {
        let sub = Some(self.chance.of(&SUBJECTS).parse().unwrap());
        let predicate = match self.chance.below(4) {
            0 => Predicate { sub, ..Predicate::default() },
            1 => Predicate { sub, team: Some("red".parse().unwrap()), ..Predicate::default() },
            2 => Predicate {
                path: Some(Path::CliDev),
                issued_before: Some(self.now - TimeDelta::days(2)),
                ..Predicate::default()
            },
            _ => Predicate { permission: Some("servers.use".parse().unwrap()), sub, ..Predicate::default() },
        };
        let added = TokensRevokedByRule {
            fields: predicate.fields(),
            predicate,
            reason: RevocationReason::PrivilegeWithdrawn,
            note: Some(Note::parse("an incident").unwrap()),
        };
        self.tell(Path::CliAdmin, Event::TokensRevokedByRule(Box::new(added)));
    }

    fn shadow(&mut self) {
        let jti = self.chance.of(&[None, Some(Uuid::from_u128(666))]);
        let kid = self.kid();
        let shadow = ShadowTokenSeen { jti, kid, claims_digest: "ab".repeat(32), what: Shadow::NeverIssued };
        self.tell_of(Path::Api, Actor::Anonymous, Event::ShadowTokenSeen(shadow));
    }

    fn reuse(&mut self) {
        let Some(old) = self.tokens.iter().find(|token| token.is_over) else { return };
        let reused = RotatedTokenReused { jti: old.jti, family: old.jti, successor: Uuid::from_u128(8) };
        self.tell(Path::Api, Event::RotatedTokenReused(reused));
    }

    fn keys(&mut self) {
        let before = self.kid();
        self.add_key();
        self.activate_key();
        let (from, counted) = (Position(1), Position(i64::try_from(self.told.len()).unwrap()));
        let from = Position(counted.0 - 20).max(from);
        let event = if self.chance.below(4) == 0 {
            Event::KeyCompromised(KeyCompromised { kid: before, from, since: None, note: None })
        } else {
            Event::KeyRetired(KeyRetired { kid: before, counted })
        };
        self.tell(Path::CliAdmin, event);
    }

    fn add_key(&mut self) {
        self.keys += 1;
        let jwk = Some(PublicJwk::Okp { crv: "Ed25519".to_owned(), x: PUBLIC_HALF.to_owned() });
        let added = KeyAdded { kid: self.kid(), alg: Algorithm::EdDsa, jwk, dev: false };
        self.tell(Path::CliAdmin, Event::KeyAdded(added));
    }

    fn activate_key(&mut self) {
        let activated = KeyActivated { kid: self.kid(), early: self.keys > 2 };
        self.tell(Path::CliAdmin, Event::KeyActivated(activated));
    }

    fn apply_policy(&mut self) {
        self.policies += 1;
        let door = PathRules::open(600, self.chance.of(&[3_600, 86_400, 45 * 86_400]));
        let out_of_band = if self.chance.below(9) == 0 { Switch::Deny } else { Switch::Allow };
        let shell = ShellRules { out_of_band, ..ShellRules::default() };
        let rules = Rules { cli_dev: door, shell, ..Rules::initial() };
        let policy = Policy { version: self.policies, rules, text: None };
        self.tell(Path::CliAdmin, Event::PolicyApplied(Box::new(policy)));
    }

    fn client(&mut self) {
        let name = format!("client-{}", self.clients).parse().unwrap();
        let secret_sha256 = SecretDigest::of("catsec_for-the-record");
        let event = match self.chance.below(3) {
            0 if self.clients > 0 => Event::ClientRevoked(ClientRevoked { name }),
            1 if self.clients > 0 => Event::ClientRotated(ClientRotated { name, secret_sha256, old_until: None }),
            _ => {
                self.clients += 1;
                let name = format!("client-{}", self.clients).parse().unwrap();
                let permissions = vec![ClientPermission::Courier];
                Event::ClientAdded(ClientAdded { name, permissions, teams: Teams::Every, secret_sha256 })
            }
        };
        self.tell(Path::CliAdmin, event);
    }

    fn courier(&mut self) {
        let Some(old) = self.tokens.iter().find(|token| token.is_over) else { return };
        let issued = CourierIssued {
            jti: old.jti,
            iat: self.now.timestamp(),
            exp: self.now.timestamp() + 60,
            kid: self.kid(),
            alg: Algorithm::EdDsa,
            aud: vec!["gateway".parse().unwrap()],
            claims_digest: "cd".repeat(32),
            signing_input: None,
        };
        self.tell(Path::Api, Event::CourierIssued(Box::new(issued)));
    }

    fn person(&mut self) {
        let seen = PersonSeen {
            issuer: "https://login.example.com".parse().unwrap(),
            logged_in: self.now.timestamp(),
            is_admin: false,
            teams: Teams::These(vec!["red".parse().unwrap()]),
            permissions: Vec::new(),
            sub: Some(self.chance.of(&SUBJECTS).parse().unwrap()),
        };
        self.tell(Path::Api, Event::PersonSeen(Box::new(seen)));
    }

    fn read(&mut self) {
        let end = Position(i64::try_from(self.told.len()).unwrap());
        let format = self.chance.of(&["json", "html"]).to_owned();
        let sub = self.chance.of(&[None, Some("=SUM(A1)")]).map(|sub| sub.parse().unwrap());
        let read = AuditRead { what: Handed::Report, format, first: Position(1), last: end, end, sub, team: None };
        self.tell(Path::CliAdmin, Event::AuditRead(read));
    }

    fn begin_list(&mut self) {
        let id = self.id();
        let uri = format!("https://catalog.example.com/status-lists/{id}");
        self.tell(Path::System, Event::StatusListBegun(StatusListBegun { id, uri, entries: ENTRIES }));
    }
}

/// A database in whose log the history is, as an appender with this salt and this clock would have recorded it.
pub async fn recorded(history: &[Occurrence]) -> TestDatabase {
    let database = TestDatabase::migrated().await;
    let mut connection = database.superuser().connect().await.unwrap();
    let mut transaction = connection.begin().await.unwrap();
    let (mut digest, mut recorded_at) = (chain::GENESIS, DateTime::UNIX_EPOCH);
    for (position, occurrence) in (1..).zip(history) {
        let stored = codec::encode(occurrence).unwrap();
        let salt = [7; 16];
        let commitment = chain::commitment(&salt, &stored.personal);
        recorded_at = recorded_at.max(occurrence.occurred_at + TimeDelta::milliseconds(20));
        digest = chain::link(&digest, Position(position), recorded_at, &stored.body, &commitment);
        sqlx::query("insert into events values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)")
            .bind(position)
            .bind(codec::kind(&occurrence.event))
            .bind(occurrence.event.jti())
            .bind(recorded_at)
            .bind(occurrence.origin.path.as_str())
            .bind(occurrence.origin.request_id.as_str())
            .bind(stored.body)
            .bind(stored.personal)
            .bind(&salt[..])
            .bind(&commitment[..])
            .bind(&digest[..])
            .execute(&mut *transaction)
            .await
            .unwrap();
    }
    sqlx::query("update log_head set position = $1, digest = $2, recorded_at = $3, log_id = $4")
        .bind(i64::try_from(history.len()).unwrap())
        .bind(&digest[..])
        .bind(recorded_at)
        .bind(LOG_ID)
        .execute(&mut *transaction)
        .await
        .unwrap();
    transaction.commit().await.unwrap();
    connection.close().await.unwrap();
    database
}
