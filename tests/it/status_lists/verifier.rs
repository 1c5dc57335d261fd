//! Somebody who relies on tokens and knows nothing of the catalog but its JWK Set and the specification (sections 8.3, 8.4).

use std::io::Read;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use catalog::{
    app::IssuedToken,
    domain::{ambient::Clock, status_list::StatusReference},
};
use flate2::read::ZlibDecoder;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header, jwk::JwkSet};
use serde_json::Value;

use super::reference;
use crate::support::{World, world::Reply};

pub const ACCEPT: &str = "application/statuslist+jwt";

/// What a token is by its list, or why nothing can be said of it.
pub async fn status(world: &World, token: &str) -> Result<u8, String> {
    let now = world.clock.now().timestamp();
    let jwks: JwkSet = serde_json::from_str(&world.get("/.well-known/jwks.json", "").await.text).unwrap();
    let claims = verified(token, &jwks, "at+jwt")?;
    if claims["exp"].as_i64().ok_or("no exp")? <= now {
        return Err("expired".to_owned());
    }
    let reference = &claims["status"]["status_list"];
    let uri = reference["uri"].as_str().ok_or("no reference")?;
    let reply = fetch(world, uri).await;
    if reply.status != 200 || reply.header("content-type") != ACCEPT {
        return Err(format!("{} {}", reply.status, reply.header("content-type")));
    }
    let list = verified(&reply.text, &jwks, "statuslist+jwt")?;
    read(&list, uri, now, reference["idx"].as_u64().ok_or("no idx")?)
}

/// What a verified list says of an entry.
pub fn read(list: &Value, uri: &str, now: i64, idx: u64) -> Result<u8, String> {
    if list["sub"] != uri {
        return Err(format!("the list is {}", list["sub"]));
    }
    if list["iat"].as_i64().ok_or("no iat")? > now || list["exp"].as_i64().ok_or("no exp")? <= now {
        return Err("the list is not of this time".to_owned());
    }
    if list["ttl"].as_u64().is_none_or(|ttl| ttl == 0) || list["status_list"]["bits"] != 2 {
        return Err("the list has no ttl, or other bits".to_owned());
    }
    let mut bytes = Vec::new();
    let compressed = URL_SAFE_NO_PAD.decode(list["status_list"]["lst"].as_str().ok_or("no lst")?);
    ZlibDecoder::new(&*compressed.map_err(|_| "not base64url")?).read_to_end(&mut bytes).map_err(|_| "not zlib")?;
    let byte = bytes.get(usize::try_from(idx / 4).unwrap()).ok_or("beyond the list")?;
    Ok(byte >> (idx % 4 * 2) & 0b11)
}

/// What is said of a token's entry, be the token good or not.
pub async fn entry(world: &World, token: &IssuedToken) -> u8 {
    let StatusReference { idx, uri } = reference(token).unwrap();
    let jwks: JwkSet = serde_json::from_str(&world.get("/.well-known/jwks.json", "").await.text).unwrap();
    let list = verified(&fetch(world, &uri).await.text, &jwks, "statuslist+jwt").unwrap();
    read(&list, &uri, world.clock.now().timestamp(), idx.into()).unwrap()
}

pub async fn fetch(world: &World, uri: &str) -> Reply {
    let path = uri.strip_prefix("https://catalog.example.com").unwrap();
    let request = axum::http::Request::get(path).header("accept", ACCEPT);
    world.raw(request.body(axum::body::Body::empty()).unwrap()).await
}

/// The claims of a JWT of this type that a key of the set signed.
pub fn verified(token: &str, jwks: &JwkSet, typ: &str) -> Result<Value, String> {
    let header = decode_header(token).map_err(|error| error.to_string())?;
    if header.typ.as_deref() != Some(typ) {
        return Err(format!("the type is {:?}", header.typ));
    }
    let jwk = jwks.find(&header.kid.ok_or("no kid")?).ok_or("a key that nobody knows")?;
    let alg: Algorithm = jwk.common.key_algorithm.ok_or("no alg")?.to_string().parse().map_err(|_| "no such alg")?;
    let mut validation = Validation::new(alg);
    // Both clocks stand still here; times are looked at by the caller.
    (validation.validate_exp, validation.validate_aud) = (false, false);
    validation.required_spec_claims.clear();
    let key = DecodingKey::from_jwk(jwk).map_err(|error| error.to_string())?;
    decode::<Value>(token, &key, &validation).map(|data| data.claims).map_err(|error| error.to_string())
}
