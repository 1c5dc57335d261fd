//! `GET /`: where to go on from the address itself.

use axum::Json;
use serde::Serialize;
use utoipa::ToSchema;

use super::openapi::problems;

/// What is where.
#[derive(Serialize, ToSchema)]
pub(super) struct Entrance {
    /// The program.
    name: &'static str,
    /// Its version.
    version: &'static str,
    /// The API in a browser.
    docs: &'static str,
    /// The same for programs.
    openapi: &'static str,
    /// What every error means.
    problems: &'static str,
}

problems!(Problems = []);

/// Show where to go on
///
/// The paths of what explains this API.
#[utoipa::path(
    get,
    path = "/",
    tag = "server",
    operation_id = "entrance",
    responses((status = 200, description = "What is where.", body = Entrance), Problems),
)]
pub(super) async fn handle() -> Json<Entrance> {
    Json(Entrance {
        name: "catalog",
        version: env!("CARGO_PKG_VERSION"),
        docs: "/docs",
        openapi: "/openapi.json",
        problems: "/problems",
    })
}
