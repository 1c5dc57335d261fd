//! A hundred thousand live tokens revoked by one rule, while checks of them and of others arrive at a quarter of what the
//! server can do.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, SecondsFormat, Utc};
use sqlx::PgConnection;

use crate::support::{
    figures::{Figures, percentile_ms},
    load::{self, Ask, Caller},
    stand::{Error, Server, Stand},
};

use super::CONNECTIONS;

const COVERED: i64 = 100_000;
/// How many tokens are asked about in turn, half of which the rule covers.
const ASKED: i64 = 6_400;
const TIME: Duration = Duration::from_secs(5);

/// One rule a round, each over other tokens. An answer that is not what it has to be ends the run.
pub(super) async fn run(rounds: usize, stand: &Stand, server: &Server, token: &str) -> Result<(), Error> {
    let mut superuser = stand.superuser().await?;
    let tokens: i64 = sqlx::query_scalar("select count(*) from catalog.tokens").fetch_one(&mut superuser).await?;
    let get = |jti: &String| Ask::get(&server.address, token, &format!("/revocations/{jti}"));
    let mut shares = [(0.5, Figures::default(), Figures::default()), (0.99, Figures::default(), Figures::default())];
    let mut ratios = [Figures::default(), Figures::default()];
    let mut rate = 0;
    for round in 0..i64::try_from(rounds)? {
        let from = round * COVERED;
        if tokens < from + COVERED + ASKED {
            return Ok(());
        }
        let [after, before] = [issued(&mut superuser, from).await?, issued(&mut superuser, from + COVERED).await?];
        let always = Arc::new(AtomicBool::new(true));
        let revoked = Arc::new(AtomicBool::new(false));
        let covered = some(&mut superuser, after, before).await?;
        let spared = some(&mut superuser, before, DateTime::<Utc>::MAX_UTC).await?;
        let asks = covered.iter().map(|jti| get(jti).saying(revoked.clone(), r#""status":"revoked""#));
        let asks = asks.zip(spared.iter().map(|jti| get(jti).saying(always.clone(), r#""status":"active""#)));
        let asks: Vec<Ask> = asks.flat_map(|(covered, spared)| [covered, spared]).collect();
        if round == 0 {
            let capacity = load::run(&asks[1], CONNECTIONS, TIME).await?.per_second;
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate")]
            let quarter = (capacity / 4.0) as u32;
            rate = quarter;
        }
        let mut quiet = load::paced(&asks, CONNECTIONS, rate, TIME).await?;
        let [after, before] = [after, before].map(|time| time.to_rfc3339_opts(SecondsFormat::Micros, true));
        let body =
            format!(r#"{{"where":{{"issued_after":"{after}","issued_before":"{before}"}},"reason":"unspecified"}}"#);
        let mut rule =
            Caller::connect(Ask::post(&server.address, token, "/revocations", &body).answered("200")).await?;
        let acknowledged = async {
            rule.once().await?;
            revoked.store(true, Ordering::Release);
            Ok::<_, Error>(())
        };
        let (stormy, acknowledged) = tokio::join!(load::paced(&asks, CONNECTIONS, rate, TIME), acknowledged);
        acknowledged?;
        let mut stormy = stormy?;
        for ((share, before, during), ratio) in shares.iter_mut().zip(&mut ratios) {
            before.push(percentile_ms(&mut quiet.latencies, *share));
            during.push(percentile_ms(&mut stormy.latencies, *share));
            ratio.push(during.last() / before.last());
        }
        eprintln!("a rule over {COVERED} tokens: p99 {:.2} ×", ratios[1].last());
    }
    println!(
        "\n{rounds} rules over {COVERED} live tokens each, {rate} checks a second of {ASKED} tokens in turn; no wrong answer, no error"
    );
    for ((share, before, during), ratio) in shares.iter().zip(&ratios) {
        println!(
            "p{:.0}: {} ms before, {} ms during the rule and its filling, {} ×",
            share * 100.0,
            before.spread(2),
            during.spread(2),
            ratio.spread(2)
        );
    }
    Ok(())
}

/// When the token was issued that so many were issued before.
async fn issued(superuser: &mut PgConnection, number: i64) -> Result<DateTime<Utc>, Error> {
    let sql = "select iat from catalog.tokens order by issued_pos offset $1 limit 1";
    Ok(sqlx::query_scalar(sql).bind(number).fetch_one(superuser).await?)
}

/// Some active tokens that were issued between two instants, from all of them.
async fn some(superuser: &mut PgConnection, after: DateTime<Utc>, before: DateTime<Utc>) -> Result<Vec<String>, Error> {
    let sql = "select jti::text from catalog.tokens where iat >= $1 and iat < $2 and revoked_pos is null \
               and suspended_pos is null and exp > now() + interval '1 hour' order by md5(jti::text) limit $3";
    Ok(sqlx::query_scalar(sql).bind(after).bind(before).bind(ASKED / 2).fetch_all(superuser).await?)
}
