//! Every single filter, each with values that are frequent, rare, in the middle and absent, as the catalog at hand has them.

use catalog::{
    domain::{
        Path, Status,
        text::{Name, Permission, Subject, TeamId},
    },
    store::tokens::Filter,
};
use chrono::{DateTime, SecondsFormat, Utc};
use sqlx::{AssertSqlSafe, PgConnection};

use crate::support::stand::Error;

/// A listing with at most one filter.
pub struct Shape {
    /// For the table.
    pub label: String,
    /// As the API is asked, `&` first.
    pub query: String,
    /// As the store is asked.
    pub filter: Filter,
}

impl Shape {
    fn new(name: &str, value: &str, filter: Filter) -> Self {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        let encoded: String = value
            .bytes()
            .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
            .collect();
        Self { label: format!("`{name}={value}`"), query: format!("&{name}={encoded}"), filter }
    }
}

/// The listings that are measured.
pub async fn all(connection: &mut PgConnection) -> Result<Vec<Shape>, Error> {
    let none = Filter::default;
    let mut shapes = vec![Shape { label: "none".to_owned(), query: String::new(), filter: none() }];
    for value in extremes(connection, "select sub from catalog.tokens").await? {
        shapes.push(Shape::new("sub", &value, Filter { sub: Some(Subject::parse(&value)?), ..none() }));
    }
    for value in extremes(connection, "select name from catalog.tokens where name is not null").await? {
        shapes.push(Shape::new("name", &value, Filter { name: Some(Name::parse(&value)?), ..none() }));
    }
    for value in extremes(connection, "select unnest(teams) from catalog.tokens").await? {
        shapes.push(Shape::new("team", &value, Filter { team: Some(TeamId::parse(&value)?), ..none() }));
    }
    for value in extremes(connection, "select unnest(permissions) from catalog.tokens").await? {
        let filter = Filter { permission: Some(Permission::parse(&value)?), ..none() };
        shapes.push(Shape::new("permission", &value, filter));
    }
    for status in Status::ALL {
        shapes.push(Shape::new("status", status.as_str(), Filter { status: Some(status), ..none() }));
    }
    for path in Path::ALL {
        shapes.push(Shape::new("path", path.as_str(), Filter { path: Some(path), ..none() }));
    }
    for bound in times(connection, "iat").await? {
        shapes.push(Shape::new("issued_after", &text(bound), Filter { issued_after: Some(bound), ..none() }));
        shapes.push(Shape::new("issued_before", &text(bound), Filter { issued_before: Some(bound), ..none() }));
    }
    for bound in times(connection, "exp").await? {
        shapes.push(Shape::new("expires_before", &text(bound), Filter { expires_before: Some(bound), ..none() }));
    }
    Ok(shapes)
}

/// The most frequent value, the rarest, and one that no token has.
async fn extremes(connection: &mut PgConnection, values: &'static str) -> Result<Vec<String>, Error> {
    let mut found = Vec::new();
    for order in ["desc", "asc"] {
        let sql = format!(
            "select value from ({values}) as every (value) group by value order by count(*) {order}, value limit 1"
        );
        found.push(sqlx::query_scalar::<_, String>(AssertSqlSafe(sql)).fetch_one(&mut *connection).await?);
    }
    found.push("nothing.of.this".to_owned());
    Ok(found)
}

/// Instants at a hundredth, half and ninety-nine hundredths of what there is.
async fn times(connection: &mut PgConnection, column: &'static str) -> Result<Vec<DateTime<Utc>>, Error> {
    let sql = format!(
        "select date_trunc('second', unnest(percentile_disc(array[0.01, 0.5, 0.99]) within group (order by {column}))) \
         from catalog.tokens"
    );
    Ok(sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(connection).await?)
}

fn text(instant: DateTime<Utc>) -> String {
    instant.to_rfc3339_opts(SecondsFormat::Secs, true)
}
