//! A hundred thousand tokens revoked by one rule, while checks arrive at a quarter of what the server can do.

use std::time::Duration;

use crate::support::{
    figures::percentile_ms,
    load::{self, Ask, Caller},
    stand::{Error, Server, Stand},
};

use super::CONNECTIONS;

const COVERED: i64 = 100_000;
const TIME: Duration = Duration::from_secs(5);

pub(super) async fn run(stand: &Stand, server: &Server, token: &str) -> Result<(), Error> {
    let mut superuser = stand.superuser().await?;
    let before: Option<chrono::DateTime<chrono::Utc>> =
        sqlx::query_scalar("select iat from catalog.tokens order by issued_pos offset $1 limit 1")
            .bind(COVERED)
            .fetch_optional(&mut superuser)
            .await?;
    let Some(before) = before else { return Ok(()) };
    let spared = "select jti::text from catalog.tokens where iat > $1 and revoked_pos is null \
                  and exp > now() + interval '1 hour' order by issued_pos desc limit 1";
    let spared: String = sqlx::query_scalar(spared).bind(before).fetch_one(&mut superuser).await?;
    let check = Ask::get(&server.address, token, &format!("/revocations/{spared}"));
    let capacity = load::run(&check, CONNECTIONS, TIME).await?.per_second;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate")]
    let rate = (capacity / 4.0) as u32;
    let mut quiet = load::paced(&check, CONNECTIONS, rate, TIME).await?;
    let before = before.to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
    let body = format!(r#"{{"where":{{"issued_before":"{before}"}},"reason":"unspecified"}}"#);
    let mut rule = Caller::connect(Ask::post(&server.address, token, "/revocations", &body).answered("200")).await?;
    let (stormy, revoked) = tokio::join!(load::paced(&check, CONNECTIONS, rate, TIME), rule.once());
    let (mut stormy, _) = (stormy?, revoked?);
    let [quiet, stormy] = [&mut quiet, &mut stormy].map(|run| percentile_ms(&mut run.latencies, 0.99));
    println!(
        "\nA rule over {COVERED} tokens, {rate} checks a second: p99 {quiet:.2} ms before, {stormy:.2} ms during it and its filling ({:.2} ×); no error",
        stormy / quiet
    );
    Ok(())
}
