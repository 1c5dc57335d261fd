//! Claims that lie under a good signature: each of another type, missing, added, twice, or in another form altogether.

use serde_json::{Value, json};

use super::{
    forger::{Forger, base64url},
    stage::Lie,
};

/// Claims of every kind. `good` gives claims with every member that there is, each time under another `jti`.
pub fn lies(forger: &Forger, good: impl Fn() -> Value) -> Vec<Lie> {
    let mut lies = Vec::new();
    lies.extend(other_types(forger, &good));
    lies.extend(missing_and_more(forger, &good));
    lies.extend(twice(forger, &good));
    lies.extend(other_forms(forger, &good));
    lies
}

/// The claims' objects, as pointers.
fn objects(claims: &Value, at: &str) -> Vec<String> {
    let members = claims.pointer(at).and_then(Value::as_object).unwrap();
    let below = members.iter().filter(|(_, value)| value.is_object());
    let below = below.flat_map(|(name, _)| objects(claims, &format!("{at}/{name}")));
    std::iter::once(at.to_owned()).chain(below.collect::<Vec<_>>()).collect()
}

/// Where each member is: the pointer to its object, and its name.
fn members(claims: &Value) -> Vec<(String, String)> {
    let of = |object: String| {
        let names: Vec<String> = claims.pointer(&object).unwrap().as_object().unwrap().keys().cloned().collect();
        names.into_iter().map(move |name| (object.clone(), name))
    };
    objects(claims, "").into_iter().flat_map(of).collect()
}

fn other_types(forger: &Forger, good: &impl Fn() -> Value) -> Vec<Lie> {
    let values = [
        json!(null),
        json!(true),
        json!(7),
        json!(-1),
        json!(7.5),
        json!(1e300),
        json!(u64::MAX),
        json!(""),
        json!("x"),
        json!("\u{0}"),
        json!([]),
        json!([null]),
        json!({}),
        json!({"api": null}),
    ];
    let mut lies = Vec::new();
    for (object, name) in members(&good()) {
        for value in &values {
            let mut claims = good();
            claims.pointer_mut(&object).unwrap()[&name] = value.clone();
            let token = forger.token(&forger.header(), &claims.to_string());
            let what = format!("{object}/{name} = {value}");
            // What is over does no harm any more, and is no evidence either.
            lies.push(if name == "exp" && value.is_i64() {
                Lie::noise(what, token)
            } else {
                Lie::evidence(what, token)
            });
        }
    }
    lies
}

fn missing_and_more(forger: &Forger, good: &impl Fn() -> Value) -> Vec<Lie> {
    let sign = |what: String, claims: Value| Lie::evidence(what, forger.token(&forger.header(), &claims.to_string()));
    let mut lies = Vec::new();
    for (object, name) in members(&good()) {
        let mut claims = good();
        claims.pointer_mut(&object).and_then(Value::as_object_mut).unwrap().remove(&name);
        lies.push(sign(format!("no {object}/{name}"), claims));
    }
    for object in objects(&good(), "") {
        for (name, value) in [("nbf", json!(0)), ("", json!(null)), ("is_admin ", json!(true)), ("ISS", json!("x"))] {
            let mut claims = good();
            claims.pointer_mut(&object).unwrap()[name] = value;
            lies.push(sign(format!("more: {object}/{name:?}"), claims));
        }
    }
    lies
}

/// Each member a second time, in its own letters and with the first one escaped.
fn twice(forger: &Forger, good: &impl Fn() -> Value) -> Vec<Lie> {
    let mut lies = Vec::new();
    for (object, name) in members(&good()) {
        let escaped = format!("\\u{:04x}{}", name.as_bytes()[0], &name[1..]);
        for spelling in [name.clone(), escaped] {
            let claims = good();
            let inner = claims.pointer(&object).unwrap();
            let value = &inner[&name];
            let longer = inner.to_string().replacen('{', &format!("{{\"{spelling}\":{value},"), 1);
            let payload = claims.to_string().replace(&inner.to_string(), &longer);
            let token = forger.token(&forger.header(), &payload);
            lies.push(Lie::evidence(format!("twice: {object}/{spelling}"), token));
        }
    }
    lies
}

/// Payloads that are no claims, or say the same in another way.
fn other_forms(forger: &Forger, good: &impl Fn() -> Value) -> Vec<Lie> {
    let text = || good().to_string();
    let nested = forger.token(&forger.header(), &text());
    let deflated = |json: String| {
        // One stored block, RFC 1951 section 3.2.4.
        let length = u16::try_from(json.len()).unwrap();
        [&[1], length.to_le_bytes().as_slice(), &(!length).to_le_bytes(), json.as_bytes()].concat()
    };
    let with = |from: &str, to: &str| {
        let text = text();
        assert!(text.contains(from), "there is no {from} to be replaced");
        text.replace(from, to).into_bytes()
    };
    let payloads: Vec<(&str, Vec<u8>)> = vec![
        ("no object: null", b"null".to_vec()),
        ("no object: an array", format!("[{}]", text()).into_bytes()),
        ("no object: a string", json!(text()).to_string().into_bytes()),
        ("no object: a number", b"7".to_vec()),
        ("empty", b"{}".to_vec()),
        ("a token inside", nested.clone().into_bytes()),
        ("a token inside, as a string", format!("\"{nested}\"").into_bytes()),
        ("compressed", deflated(text())),
        ("two objects", format!("{}{}", text(), text()).into_bytes()),
        ("something behind", format!("{}x", text()).into_bytes()),
        ("a comment", format!("{}// x", text()).into_bytes()),
        ("a byte order mark", format!("\u{feff}{}", text()).into_bytes()),
        ("a NUL", format!("{}\0", text()).into_bytes()),
        ("deep", "[".repeat(5_000).into_bytes()),
        ("deeper objects", "{\"a\":".repeat(900).into_bytes()),
        ("no UTF-8", [text().as_bytes(), &[0xff]].concat()),
        ("UTF-16", text().encode_utf16().flat_map(u16::to_le_bytes).collect()),
        ("half a surrogate pair", with("Mallory", "\\ud800")),
        ("a name that deceives", with("Mallory", "M\\u202eallory")),
        ("single quotes", text().replace('"', "'").into_bytes()),
        ("a trailing comma", format!("{},}}", text().strip_suffix('}').unwrap()).into_bytes()),
        ("NaN", with("true", "NaN")),
        ("other white space", format!("\n\t{} ", text().replace(':', " : ")).into_bytes()),
        ("another order", {
            let claims = good();
            let members: Vec<String> =
                claims.as_object().unwrap().iter().rev().map(|(name, value)| format!("\"{name}\":{value}")).collect();
            format!("{{{}}}", members.join(",")).into_bytes()
        }),
        ("escaped letters", with("\"sub\"", "\"\\u0073ub\"")),
    ];
    payloads
        .into_iter()
        .map(|(what, payload)| {
            let input = format!("{}.{}", base64url(forger.header()), base64url(payload));
            Lie::evidence(format!("claims: {what}"), forger.seal(&input))
        })
        .collect()
}
