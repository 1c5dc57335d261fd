//! The standards clause by clause, where no other test is about one: each test is named after the section that it holds
//! us to.

mod access_tokens;
mod introspection;
mod problems;
mod revocation;

use axum::{
    body::Body,
    http::{Request, header},
};

use crate::support::{World, world::Reply};

/// Sends this form, under this `Authorization` unless it is empty.
async fn form(world: &World, path: &str, authorization: &str, body: &str) -> Reply {
    let mut request = Request::post(path).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    if !authorization.is_empty() {
        request = request.header(header::AUTHORIZATION, authorization);
    }
    world.raw(request.body(Body::from(body.to_owned())).unwrap()).await
}

/// The status and the error of an answer in the form of RFC 6749 section 5.2.
fn oauth_error(reply: &Reply) -> (u16, String) {
    assert_eq!(reply.header("content-type"), "application/json", "{reply:?}");
    let body = reply.json();
    let members: Vec<&String> = body.as_object().unwrap().keys().collect();
    assert_eq!(members, ["error", "error_description"], "{reply:?}");
    (reply.status.as_u16(), body["error"].as_str().unwrap().to_owned())
}
