//! The streams of people: whom an identity provider vouched for is told for a while, and then has to log in again.

use chrono::TimeDelta;
use serde_json::json;

use super::{
    keep_house,
    stream::{next, unread},
};
use crate::support::{World, provider::Provider};
use catalog::domain::ambient::Clock;

#[tokio::test(flavor = "multi_thread")]
async fn a_persons_stream_ends_after_five_minutes_and_a_tokens_goes_on() {
    let (world, provider) = (World::new().await, Provider::new().await);
    provider.trusted_by(&world).await;
    keep_house(&world).await;
    let login = || {
        let mut claims = provider.claims(world.clock.now().timestamp());
        claims["roles"] = json!(["root"]);
        provider.token(&claims)
    };
    let (mut persons, mut tokens) = (unread(&world, &login()).await, unread(&world, &world.admin().await).await);
    next(&mut persons).await.unwrap();

    world.clock.advance(TimeDelta::minutes(5) - TimeDelta::microseconds(1));
    next(&mut persons).await.unwrap();
    world.clock.advance(TimeDelta::microseconds(1));
    let last = next(&mut persons).await;

    assert!(last.is_none(), "{last:?}");
    for _ in 0..3 {
        next(&mut tokens).await.unwrap();
    }
    let mut again = unread(&world, &login()).await;
    for _ in 0..2 {
        next(&mut again).await.unwrap();
    }
}
