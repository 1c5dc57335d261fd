//! Who may be granted what: one row a rule and boundary, the last thing granted beside the first that is refused.

use serde_json::{Value, json};

/// Who asks.
pub enum Caller {
    /// Somebody at a shell who can read the key.
    Shell,
    /// The bearer of a token that was asked for with this.
    Bearer(Value),
}

/// A caller, what it asks for, and what becomes of it.
pub struct Row {
    /// What the row is about.
    pub rule: &'static str,
    /// Who asks.
    pub caller: Caller,
    /// The policy in force, as a file.
    pub policy: &'static str,
    /// Who is in which team, as far as the membership source knows.
    pub members: Value,
    /// What is asked for.
    pub request: Value,
    /// Nothing, or the code and the words of the exact refusal.
    pub refused: Option<(&'static str, &'static str)>,
}

/// A policy that asks the membership source, with `{file}` for where it is.
const MEMBERS: &str = "[membership]\nfile = \"{file}\"\n";

fn row(rule: &'static str, caller: Caller, request: Value) -> Row {
    Row { rule, caller, policy: "", members: json!({}), request, refused: None }
}

impl Row {
    fn refused(self, code: &'static str, words: &'static str) -> Self {
        Self { refused: Some((code, words)), ..self }
    }

    fn under(self, policy: &'static str) -> Self {
        Self { policy, ..self }
    }

    fn with_members(self, members: Value) -> Self {
        Self { policy: if self.policy.is_empty() { MEMBERS } else { self.policy }, members, ..self }
    }
}

fn merged(mut base: Value, more: Value) -> Value {
    let (Value::Object(members), Value::Object(more)) = (&mut base, more) else { panic!("objects only") };
    members.extend(more);
    base
}

/// An administrator whose token names nothing.
fn root() -> Caller {
    narrowed(json!({}))
}

/// An administrator whose token names these things.
fn narrowed(more: Value) -> Caller {
    Caller::Bearer(merged(json!({"sub": "root@localhost", "is_admin": true, "aud": ["catalog"]}), more))
}

/// Alice, in team red, with a few permissions.
fn alice() -> Caller {
    alice_with(json!({}))
}

fn alice_with(more: Value) -> Caller {
    let alice = json!({"sub": "alice@example.com", "aud": ["catalog"], "teams": ["red"], "expires_in": 7200,
        "scopes": {"permissions": ["tokens.create", "tools.*"]}});
    Caller::Bearer(merged(alice, more))
}

/// What Alice may ask for, and no more.
fn own(more: Value) -> Value {
    let own = json!({"sub": "alice@example.com", "teams": ["red"], "scopes": {"permissions": ["tools.read"]}});
    merged(own, more)
}

/// What anybody may ask a shell for.
fn plain(more: Value) -> Value {
    merged(json!({"sub": "bob@example.com"}), more)
}

pub fn rows() -> Vec<Row> {
    [
        subjects(),
        teams(),
        permissions(),
        audiences(),
        lifetimes(),
        restrictions(),
        membership(),
        identities(),
        doors(),
        limits(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn subjects() -> Vec<Row> {
    vec![
        row("its own subject", alice(), own(json!({}))),
        row("another subject", alice(), own(json!({"sub": "bob@example.com"}))).refused(
            "subject_not_yours",
            "only an administrator may issue for another subject; this token speaks for alice@example.com",
        ),
        row("an administrator issues for anybody", root(), plain(json!({}))),
        row("a shell issues for anybody", Caller::Shell, plain(json!({}))),
        row("an administrator's token", alice(), own(json!({"is_admin": true, "teams": ["red"]})))
            .refused("admin_not_yours", "only an administrator may issue an administrator's token"),
        row("an administrator's token by one", root(), plain(json!({"is_admin": true}))),
        row("its own address", alice(), own(json!({"email": "alice@example.com"}))),
        row("a service under a person's address", service(), robot(json!({"email": "alice@example.com"}))).refused(
            "email_not_yours",
            "only an administrator may give a token another e-mail address than its subject's",
        ),
        row("without tokens.create", alice_with(json!({"scopes": {"permissions": ["tools.*"]}})), own(json!({})))
            .refused(
                "permission_missing",
                "this needs an administrator's token or one with the permission tokens.create",
            ),
        row(
            "tokens.create under a wildcard",
            alice_with(json!({"scopes": {"permissions": ["tokens.*", "tools.*"]}})),
            own(json!({})),
        ),
        row(
            "an administrator whose token does not name it",
            narrowed(json!({"scopes": {"permissions": ["tools.read"]}})),
            plain(json!({"scopes": {"permissions": ["tools.read"]}})),
        )
        .refused("permission_missing", "this needs an administrator's token or one with the permission tokens.create"),
    ]
}

fn service() -> Caller {
    Caller::Bearer(json!({"sub": "robot", "aud": ["catalog"], "scopes": {"permissions": ["tokens.create", "tools.*"]}}))
}

fn robot(more: Value) -> Value {
    merged(json!({"sub": "robot", "scopes": {"permissions": ["tools.read"]}}), more)
}

fn teams() -> Vec<Row> {
    let red_and_blue = || alice_with(json!({"teams": ["red", "blue"]}));
    vec![
        row("all of its teams", red_and_blue(), own(json!({"teams": ["blue", "red"]}))),
        row("one team more", red_and_blue(), own(json!({"teams": ["red", "green"]})))
            .refused("teams_not_yours", "not a member of green; its teams are red, blue"),
        row("public only", alice(), own(json!({"teams": []}))),
        row(
            "no word of teams",
            alice(),
            json!({"sub": "alice@example.com", "scopes": {"permissions": ["tools.read"]}}),
        )
        .refused("teams_required", "name the teams, [] for public things only; its teams are red"),
        row("no word of teams by who is in none", service(), robot(json!({}))),
        row("a team by who is in none", service(), robot(json!({"teams": ["red"]})))
            .refused("teams_not_yours", "not a member of red; its teams are none"),
        row("every team by an administrator of every team", root(), plain(json!({"is_admin": true, "teams": null}))),
        row("an administrator's own team", narrowed(json!({"teams": ["red"]})), plain(json!({"teams": ["red"]}))),
        row("past an administrator's own team", narrowed(json!({"teams": ["red"]})), plain(json!({"teams": ["blue"]})))
            .refused("teams_not_yours", "not a member of blue; its teams are red"),
        row(
            "every team by an administrator of one",
            narrowed(json!({"teams": ["red"]})),
            plain(json!({"is_admin": true, "teams": null})),
        )
        .refused("teams_not_yours", "not a member of every team; its teams are red"),
        row(
            "an administrator of one team says none",
            narrowed(json!({"teams": ["red"]})),
            plain(json!({"is_admin": true})),
        )
        .refused("teams_required", "name the teams, [] for public things only; its teams are red"),
    ]
}

fn permissions() -> Vec<Row> {
    let asked = |permissions: Value| own(json!({"scopes": {"permissions": permissions}}));
    let narrow = || narrowed(json!({"scopes": {"permissions": ["tokens.create", "tools.*"]}}));
    vec![
        row("its wildcard", alice(), asked(json!(["tools.*", "tokens.create"]))),
        row("under its wildcard", alice(), asked(json!(["tools.read.all"]))),
        row("beside its wildcard", alice(), asked(json!(["tools.read", "toolsets.read"]))).refused(
            "permissions_not_yours",
            "does not hold toolsets.read; its permissions are tokens.create, tools.*",
        ),
        row("a wider wildcard", alice(), asked(json!(["*"])))
            .refused("permissions_not_yours", "does not hold *; its permissions are tokens.create, tools.*"),
        row("a sibling's wildcard", alice(), asked(json!(["tokens.*"])))
            .refused("permissions_not_yours", "does not hold tokens.*; its permissions are tokens.create, tools.*"),
        row("everything, by saying nothing", alice(), asked(json!([]))).refused(
            "permissions_required",
            "name the permissions: an empty list means everything the subject may do; its permissions are tokens.create, tools.*",
        ),
        row("everything by who holds *", alice_with(json!({"scopes": {"permissions": ["*"]}})), asked(json!([]))),
        row("everything by an administrator", root(), plain(json!({}))),
        row("an administrator's own", narrow(), plain(json!({"scopes": {"permissions": ["tools.read"]}}))),
        row("past an administrator's own", narrow(), plain(json!({"scopes": {"permissions": ["servers.use"]}})))
            .refused("permissions_not_yours", "does not hold servers.use; its permissions are tokens.create, tools.*"),
        row("everything by an administrator whose token names some", narrow(), plain(json!({}))).refused(
            "permissions_required",
            "name the permissions: an empty list means everything the subject may do; its permissions are tokens.create, tools.*",
        ),
    ]
}

fn audiences() -> Vec<Row> {
    vec![
        row("the configured audience", alice(), own(json!({"aud": ["gateway"]}))),
        row("the catalog itself, by its name", alice(), own(json!({"aud": ["catalog", "gateway"]}))),
        row(
            "an audience of its own token",
            alice_with(json!({"aud": ["catalog", "billing"]})),
            own(json!({"aud": ["billing"]})),
        ),
        row("another audience", alice(), own(json!({"aud": ["gateway", "billing"]})))
            .refused("audiences_not_yours", "may not issue for the audience billing; it may for catalog, gateway"),
        row("any audience by an administrator", root(), plain(json!({"aud": ["billing"]}))),
        row("an audience that the policy allows", root(), plain(json!({"aud": ["billing"]})))
            .under("[api]\naudiences = [\"billing\", \"catalog\"]\n"),
        row("one that it does not", root(), plain(json!({"aud": ["billing", "shop"]})))
            .under("[api]\naudiences = [\"billing\"]\n")
            .refused("audiences_not_allowed", "the policy allows no tokens for the audience shop; it allows billing"),
        row("the configured one, unsaid and not allowed", root(), plain(json!({})))
            .under("[api]\naudiences = [\"billing\"]\n")
            .refused(
                "audiences_not_allowed",
                "the policy allows no tokens for the audience gateway; it allows billing",
            ),
        row(
            "the catalog where issuing may be granted",
            root(),
            plain(json!({"aud": ["catalog"], "scopes": {"permissions": ["tokens.read"]}})),
        )
        .under("[api]\npermissions = [\"tokens.*\"]\n"),
        row(
            "the catalog where it may not",
            root(),
            plain(json!({"aud": ["catalog"], "scopes": {"permissions": ["tokens.read"]}})),
        )
        .under("[api]\npermissions = [\"tokens.read\"]\n")
        .refused(
            "catalog_not_grantable",
            "the policy grants tokens.create to nobody, and so no tokens for the audience catalog",
        ),
    ]
}

fn lifetimes() -> Vec<Row> {
    let open = "[api]\nchild_outlives_parent = true\n";
    vec![
        row("as long as its own token", alice(), own(json!({"expires_in": 7200}))),
        row("a second longer", alice(), own(json!({"expires_in": 7201})))
            .refused("outlives_parent", "a ttl of 7201s exceeds the 7200s that the presented token has left"),
        row("longer, where children may outlive", alice(), own(json!({"expires_in": 7201}))).under(open),
        row("longer by an administrator", narrowed(json!({"expires_in": 60})), plain(json!({"expires_in": 61}))),
        row("the longest by the API", root(), plain(json!({"expires_in": 2_592_000}))),
        row("a second more by the API", root(), plain(json!({"expires_in": 2_592_001})))
            .refused("ttl_too_long", "a ttl of 2592001s exceeds the maximum of 2592000s"),
        row("the longest from a shell", Caller::Shell, plain(json!({"expires_in": 604_800}))),
        row("a second more from a shell", Caller::Shell, plain(json!({"expires_in": 604_801})))
            .refused("ttl_too_long", "a ttl of 604801s exceeds the maximum of 604800s"),
        row("the policy's longest", root(), plain(json!({"expires_in": 600}))).under("[api]\nttl_max = \"10m\"\n"),
        row("a second more", root(), plain(json!({"expires_in": 601})))
            .under("[api]\nttl_max = \"10m\"\n")
            .refused("ttl_too_long", "a ttl of 601s exceeds the maximum of 600s"),
        row("the longest of a team", root(), plain(json!({"teams": ["red", "blue"], "expires_in": 60})))
            .under("[teams.red.api]\nttl_max = \"1m\"\n"),
        row("a second more of a team", root(), plain(json!({"teams": ["red", "blue"], "expires_in": 61})))
            .under("[teams.red.api]\nttl_max = \"1m\"\n")
            .refused("ttl_too_long", "a ttl of 61s exceeds the maximum of 60s"),
        row("another team", root(), plain(json!({"teams": ["blue"], "expires_in": 61})))
            .under("[teams.red.api]\nttl_max = \"1m\"\n"),
        row("every team is each of them", root(), plain(json!({"is_admin": true, "expires_in": 61})))
            .under("[teams.red.api]\nttl_max = \"1m\"\n")
            .refused("ttl_too_long", "a ttl of 61s exceeds the maximum of 60s"),
    ]
}

fn restrictions() -> Vec<Row> {
    let words = "the presented token is restricted; ask for its server_id, ip_restrictions, time_restrictions and usage_limits, or \
                 narrower ones";
    let bound = || {
        alice_with(json!({"scopes": {"permissions": ["tokens.create", "tools.*"], "server_id": "s1",
            "ip_restrictions": ["10.0.0.0/8"], "time_restrictions": {"start_time": "09:00", "end_time": "17:00"},
            "usage_limits": {"requests_per_hour": 10}}}))
    };
    let asked = |server: &str, address: &str, end: &str, limit: u32| {
        own(json!({"scopes": {"permissions": ["tools.read"], "server_id": server, "ip_restrictions": [address],
            "time_restrictions": {"start_time": "09:00", "end_time": end}, "usage_limits": {"requests_per_hour": limit}}}))
    };
    vec![
        row("the same restrictions", bound(), asked("s1", "10.0.0.0/8", "17:00", 10)),
        row("narrower ones", bound(), asked("s1", "10.1.0.0/16", "12:00", 9)),
        row("another server", bound(), asked("s2", "10.0.0.0/8", "17:00", 10)).refused("restrictions_not_kept", words),
        row("a wider network", bound(), asked("s1", "10.0.0.0/7", "17:00", 10)).refused("restrictions_not_kept", words),
        row("a longer day", bound(), asked("s1", "10.0.0.0/8", "17:01", 10)).refused("restrictions_not_kept", words),
        row("one request more", bound(), asked("s1", "10.0.0.0/8", "17:00", 11))
            .refused("restrictions_not_kept", words),
        row("none", bound(), own(json!({}))).refused("restrictions_not_kept", words),
        row("an administrator is bound by its own", narrowed(json!({"scopes": {"server_id": "s1"}})), plain(json!({})))
            .refused("restrictions_not_kept", words),
    ]
}

fn membership() -> Vec<Row> {
    let members = || json!({"bob@example.com": ["red"]});
    let allowing = "[membership]\nfile = \"{file}\"\nunknown = \"allow\"\n";
    vec![
        row("a team of the subject", root(), plain(json!({"teams": ["red"]}))).with_members(members()),
        row("not a team of the subject", root(), plain(json!({"teams": ["red", "blue"]})))
            .with_members(members())
            .refused("subject_not_in_teams", "the subject is not a member of blue"),
        row("a subject that nobody knows", root(), json!({"sub": "carol@example.com", "teams": ["red"]}))
            .with_members(members())
            .refused(
                "membership_unknown",
                "nobody can say whether the subject is a member of red; it is unknown to the membership source",
            ),
        row(
            "one that nobody knows, where that is allowed",
            root(),
            json!({"sub": "carol@example.com", "teams": ["red"]}),
        )
        .under(allowing)
        .with_members(members()),
        row("one that is known to be in none, all the same", root(), plain(json!({"teams": ["blue"]})))
            .under(allowing)
            .with_members(members())
            .refused("subject_not_in_teams", "the subject is not a member of blue"),
        row("public only needs no membership", root(), json!({"sub": "carol@example.com", "teams": []}))
            .with_members(members()),
        row("oneself needs none either", alice(), own(json!({}))).with_members(members()),
        row("a shell is no exception", Caller::Shell, plain(json!({"teams": ["blue"]})))
            .with_members(members())
            .refused("subject_not_in_teams", "the subject is not a member of blue"),
        row("a shell for a member", Caller::Shell, plain(json!({"teams": ["red"]}))).with_members(members()),
    ]
}

/// What the review of the rules by their gaps added: addresses, names and namespaces.
fn identities() -> Vec<Row> {
    let members = || json!({"bob@example.com": ["blue"], "robot": ["red"]});
    let of_dev = || alice_with(json!({"namespaces": ["dev", "test"]}));
    let has_name = || alice_with(json!({"full_name": "Alice"}));
    vec![
        row(
            "a team of whom the address names",
            root(),
            json!({"sub": "robot", "email": "bob@example.com", "teams": ["blue"]}),
        )
        .with_members(members()),
        row(
            "a team of the subject, but not of whom the address names",
            root(),
            json!({"sub": "robot", "email": "bob@example.com", "teams": ["red"]}),
        )
        .with_members(members())
        .refused("subject_not_in_teams", "the subject is not a member of red"),
        row(
            "its own subject under another's address",
            narrowed(json!({"sub": "ops"})),
            json!({"sub": "ops", "email": "bob@example.com", "teams": ["red"]}),
        )
        .with_members(members())
        .refused("subject_not_in_teams", "the subject is not a member of red"),
        row("its own full name", has_name(), own(json!({"full_name": "Alice"}))),
        row("another full name", has_name(), own(json!({"full_name": "Root Admin"})))
            .refused("full_name_not_yours", "only an administrator may give a token another full name than its own"),
        row("some of its namespaces", of_dev(), own(json!({"namespaces": ["dev"]}))),
        row("another namespace", of_dev(), own(json!({"namespaces": ["dev", "prod"]})))
            .refused("namespaces_not_yours", "may not issue for these namespaces; its own are dev, test"),
        row("no namespace where it has some", of_dev(), own(json!({})))
            .refused("namespaces_not_yours", "may not issue for these namespaces; its own are dev, test"),
        row("a namespace where it has none", alice(), own(json!({"namespaces": ["dev"]})))
            .refused("namespaces_not_yours", "may not issue for these namespaces; its own are none"),
        row("any namespace by an administrator", root(), plain(json!({"namespaces": ["prod"]}))),
        row(
            "the whole log by an administrator of one team",
            narrowed(json!({"teams": ["red"]})),
            plain(json!({"teams": ["red"], "scopes": {"permissions": ["audit.read"]}})),
        )
        .refused("permissions_not_yours", "does not hold audit.read; its permissions are none"),
        row("the whole log by an administrator", root(), plain(json!({"scopes": {"permissions": ["audit.*"]}}))),
    ]
}

fn doors() -> Vec<Row> {
    let closed = "[cli-dev]\nout_of_band = \"deny\"\n";
    let plain_only = "[cli-dev]\nelevated = \"deny\"\n";
    vec![
        row("a closed shell", Caller::Shell, plain(json!({})))
            .under(closed)
            .refused("out_of_band_denied", "the policy allows no tokens from a shell; ask the API (POST /tokens)"),
        row("the API beside a closed shell", root(), plain(json!({}))).under(closed),
        row("nothing elevated from a shell", Caller::Shell, plain(json!({}))).under(plain_only),
        row("an administrator from a shell", Caller::Shell, plain(json!({"is_admin": true, "teams": ["red"]})))
            .under(plain_only)
            .refused("elevated_denied", "the policy allows no elevated claims from a shell: admin, teams"),
        row("permissions from a shell", Caller::Shell, plain(json!({"scopes": {"permissions": ["tools.read"]}})))
            .under(plain_only)
            .refused("elevated_denied", "the policy allows no elevated claims from a shell: permissions"),
        row("elevated by the API", root(), plain(json!({"is_admin": true}))).under(plain_only),
        row("a reason where one is required", root(), plain(json!({"reason": "on call"})))
            .under("[api]\nreason_required = true\n"),
        row("none where one is required", root(), plain(json!({})))
            .under("[api]\nreason_required = true\n")
            .refused("reason_required", "the policy requires a reason"),
        row("none for a team that requires one", root(), plain(json!({"teams": ["red"]})))
            .under("[teams.red.api]\nreason_required = true\n")
            .refused("reason_required", "the policy requires a reason"),
        row("each door has its own rules", Caller::Shell, plain(json!({}))).under("[api]\nreason_required = true\n"),
    ]
}

fn limits() -> Vec<Row> {
    let tools = "[api]\npermissions = [\"tools.*\", \"tokens.create\"]\n";
    vec![
        row("what may be granted", root(), plain(json!({"scopes": {"permissions": ["tools.read"]}}))).under(tools),
        row("what may not", root(), plain(json!({"scopes": {"permissions": ["tools.read", "servers.use"]}})))
            .under(tools)
            .refused(
                "permissions_not_grantable",
                "the policy grants servers.use to nobody; it may grant tools.*, tokens.create",
            ),
        row("everything where something may not", root(), plain(json!({})))
            .under(tools)
            .refused("permissions_not_grantable", "the policy grants * to nobody; it may grant tools.*, tokens.create"),
        row(
            "what a team may be granted",
            root(),
            plain(json!({"teams": ["red"], "scopes": {"permissions": ["tools.read"]}})),
        )
        .under("[teams.red.api]\npermissions = [\"tools.read\"]\n"),
        row(
            "what a team may not",
            root(),
            plain(json!({"teams": ["red"], "scopes": {"permissions": ["tools.write"]}})),
        )
        .under("[teams.red.api]\npermissions = [\"tools.read\"]\n")
        .refused("permissions_not_grantable", "the policy grants tools.write to nobody; it may grant tools.read"),
        // Her own token is one of hers.
        row("as many tokens as allowed", alice(), own(json!({}))).under("[api]\nactive_max = 2\n"),
        row("one more", alice(), own(json!({})))
            .under("[api]\nactive_max = 1\n")
            .refused("too_many_active", "the subject has 1 active tokens, the most that the policy allows; revoke one"),
        row("others do not count", root(), plain(json!({}))).under("[api]\nactive_max = 1\n"),
    ]
}
