//! A report that goes on from a saved state is the report that reads everything.

use std::fs;

use catalog::{
    app::report::{Saved, StateError},
    domain::AsOf,
};

use super::{Asked, Format, Position, Scope, history, history::Chance, now, reading, recorded, report, site, written};

async fn scope_to(database: &catalog::store::Database, asked: &Asked, end: i64) -> Scope {
    let asked = Asked { to: Some(AsOf::Position(Position(end))), ..asked.clone() };
    report::scope(database, &asked, now()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn going_on_from_any_position_gives_the_same_bytes_as_reading_everything() {
    const COUNT: i64 = 700;
    let database = recorded(&history(11, 700)).await.open();
    let mut chance = Chance(5);
    let narrowed = Asked { sub: Some("alice@example.com".parse().unwrap()), ..Asked::default() };
    let begins_later = Asked { from: Some(AsOf::Position(Position(100))), ..Asked::default() };

    for asked in [Asked::default(), narrowed, begins_later] {
        let whole = report::report(reading(&database, &asked).await);
        for _ in 0..5 {
            let mut kept = Vec::new();
            let mut place = 100 + i64::try_from(chance.below(200)).unwrap();
            let first = scope_to(&database, &asked, place).await;
            let mut reading = report::read(&database, &first, None, &mut |_| ()).await.unwrap();
            while place < COUNT {
                kept.clear();
                Saved::write(&reading, &mut kept).unwrap();
                let saved = Saved::read(&kept).unwrap().at(Position(place)).unwrap();
                place = COUNT.min(place + 1 + i64::try_from(chance.below(400)).unwrap());
                let next = scope_to(&database, &asked, place).await;
                reading = saved.going_on(&database, &next).await.unwrap();
                reading = report::read(&database, &next, Some(reading), &mut |_| ()).await.unwrap();
            }
            let gone_on = report::report(reading);

            for format in Format::ALL {
                assert_eq!(written(&gone_on, format), written(&whole, format), "{format} of {asked:?}");
            }
        }
    }
    database.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_is_not_of_this_report_is_refused() {
    let database = recorded(&history(3, 300)).await;
    let (other, open) = (recorded(&history(4, 300)).await.open(), database.open());
    let from = |first: i64| Asked { from: Some(AsOf::Position(Position(first))), ..Asked::default() };
    let mut kept = Vec::new();
    Saved::write(&reading(&open, &Asked::default()).await, &mut kept).unwrap();
    let saved = || Saved::read(&kept).unwrap();
    let scope = scope_to(&open, &Asked::default(), 300).await;

    assert!(matches!(saved().at(Position(299)), Err(StateError::OtherPosition { .. })));
    let elsewhere = scope_to(&other, &Asked::default(), 300).await;
    assert!(matches!(saved().going_on(&other, &elsewhere).await, Err(StateError::Elsewhere(_))), "another digest");
    let later = scope_to(&open, &from(5), 300).await;
    assert!(matches!(saved().going_on(&open, &later).await, Err(StateError::OtherScope { .. })));
    let ends_earlier = scope_to(&open, &Asked::default(), 200).await;
    assert!(matches!(saved().going_on(&open, &ends_earlier).await, Err(StateError::OtherScope { .. })));
    let narrowed = Asked { team: Some("red".parse().unwrap()), ..Asked::default() };
    let narrowed = scope_to(&open, &narrowed, 300).await;
    assert!(matches!(saved().going_on(&open, &narrowed).await, Err(StateError::OtherScope { .. })));
    assert!(saved().going_on(&open, &scope).await.is_ok());

    let text = String::from_utf8(kept.clone()).unwrap();
    let read = |text: &str| Saved::read(text.as_bytes()).err().unwrap();
    assert!(matches!(read("{}"), StateError::NoState));
    assert!(matches!(read(&text.replacen("alice", "malice", 1)), StateError::Damaged));
    assert!(matches!(read(&text[..text.len() - 40]), StateError::Damaged));
    let version = text.replacen("\"catalog_report_state\":1", "\"catalog_report_state\":2", 1);
    assert!(matches!(read(&version), StateError::OtherVersion { .. }));
    let moved = text.replacen("\"position\":300", "\"position\":299", 1);
    assert!(matches!(read(&moved), StateError::Damaged));
    open.close().await;
    other.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_goes_from_one_command_to_the_next() {
    let (_database, site) = site(9, 300).await;
    let directory = site.data().join("kept");
    fs::create_dir(&directory).unwrap();
    let path = |name: &str| directory.join(name).to_str().unwrap().to_owned();
    let (state, later) = (path("state"), path("later"));
    let report = |more: &[&str]| site.cli(&[&["audit", "report", "--format", "json"], more].concat());

    report(&["--to", "@200", "--save-state", &state]);
    let gone_on = report(&["--since", "@200", "--state", &state, "--to", "@300", "--save-state", &later]).stdout;

    assert_eq!(gone_on, report(&["--to", "@300"]).stdout);
    assert!(gone_on.len() > 1_000);
    let refused = report(&["--since", "@250", "--state", &state]).bad(2);
    assert!(refused.contains("it is a state at @200, not at @250"), "{refused}");
    assert!(refused.contains("hint: a report without --since reads the log from its beginning"), "{refused}");
    let refused = report(&["--since", "7d", "--state", &state]).bad(2);
    assert!(refused.contains("a position, such as @812"), "{refused}");
    assert!(report(&["--since", "@200"]).bad(2).contains("--state"));
}
