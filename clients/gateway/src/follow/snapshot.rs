//! A snapshot as JSON: read as it comes, item by item, and written the same way.

use std::{
    fmt,
    io::{self, Read, Write},
};

use chrono::{DateTime, Utc};
use serde::{
    Deserializer, Serialize,
    de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use crate::wire::{Item, Mark, Page};

/// The version of what is written. A reader takes no other; an answer of the catalog has none.
const VERSION: u32 = 1;

/// Reads a snapshot of so many bytes at most, hands over its items, and returns the page without them.
pub(super) fn read(from: impl Read, bytes_max: u64, push: &mut dyn FnMut(&Item)) -> Result<Page, serde_json::Error> {
    let from = io::BufReader::with_capacity(64 * 1024, Bounded { from, left: bytes_max });
    let mut json = serde_json::Deserializer::from_reader(from);
    let head = Snapshot(push).deserialize(&mut json)?;
    json.end()?;
    Ok(head)
}

/// Writes a snapshot that says what is known up to a mark.
pub(super) fn write(
    mut to: impl Write,
    mark: Mark,
    time: DateTime<Utc>,
    items: &mut dyn Iterator<Item = Item>,
) -> io::Result<()> {
    #[derive(Serialize)]
    struct Head {
        version: u32,
        #[serde(flatten)]
        mark: Mark,
        after: Option<i64>,
        time: DateTime<Utc>,
        staleness_ms: u64,
    }
    let head = serde_json::to_string(&Head { version: VERSION, mark, after: None, time, staleness_ms: 0 })?;
    write!(to, "{},\"items\":[", head.trim_end_matches('}'))?;
    for (index, item) in items.enumerate() {
        to.write_all(if index == 0 { b"\n" } else { b",\n" })?;
        serde_json::to_writer(&mut to, &item)?;
    }
    to.write_all(b"\n]}\n")?;
    to.flush()
}

/// Ends with an error where more would come than may.
struct Bounded<R> {
    from: R,
    left: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(buffer)?;
        self.left = self.left.checked_sub(read as u64).ok_or_else(|| io::Error::other("the snapshot is too long"))?;
        Ok(read)
    }
}

struct Snapshot<'a>(&'a mut dyn FnMut(&Item));

impl<'de> DeserializeSeed<'de> for Snapshot<'_> {
    type Value = Page;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Page, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Snapshot<'_> {
    type Value = Page;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a snapshot")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Page, A::Error> {
        let (mut head, mut has_items) = (serde_json::Map::new(), false);
        while let Some(name) = members.next_key::<String>()? {
            match name.as_str() {
                "items" if has_items => return Err(A::Error::duplicate_field("items")),
                "items" => {
                    has_items = true;
                    members.next_value_seed(Items(self.0))?;
                }
                "version" => {
                    if members.next_value::<u32>()? != VERSION {
                        return Err(A::Error::custom("the snapshot is of another version"));
                    }
                }
                "log_id" | "position" | "digest" | "after" | "piece" | "is_partial" | "time" | "staleness_ms"
                | "next" | "has_more" => {
                    let value = members.next_value::<serde_json::Value>()?;
                    if head.insert(name, value).is_some() {
                        return Err(A::Error::custom("a member stands twice"));
                    }
                }
                _ => {
                    members.next_value::<IgnoredAny>()?;
                }
            }
        }
        if !has_items {
            return Err(A::Error::missing_field("items"));
        }
        serde_json::from_value(head.into()).map_err(A::Error::custom)
    }
}

struct Items<'a>(&'a mut dyn FnMut(&Item));

impl<'de> DeserializeSeed<'de> for Items<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Items<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of items")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while let Some(item) = items.next_element::<Item>()? {
            (self.0)(&item);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use uuid::Uuid;

    use super::*;
    use crate::{Now, RevocationSet, loader::Loader, wire::Digest};

    fn written() -> Vec<u8> {
        let mark = Mark { log_id: Uuid::from_u128(7), position: 41, digest: Digest([0xab; 32]) };
        let (exp, from) = (4_000_000_000, DateTime::from_timestamp(5, 0));
        let mut items = [
            Item::KeyCompromised { kid: "k".to_owned() },
            Item::Revoked { jti: Uuid::from_u128(1), exp, effective_from: None },
            Item::Revoked { jti: Uuid::from_u128(2), exp, effective_from: from },
        ]
        .into_iter();
        let mut bytes = Vec::new();
        write(&mut bytes, mark, DateTime::UNIX_EPOCH, &mut items).unwrap();
        bytes
    }

    fn loader() -> Loader {
        Loader::new(Now::new(DateTime::UNIX_EPOCH, Duration::ZERO))
    }

    #[test]
    fn what_is_written_is_read_and_is_a_page_besides() {
        let bytes = written();
        let mut loader = loader();

        let head = read(&*bytes, bytes.len() as u64, &mut |item| loader.push(item)).unwrap();

        let page: Page = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(head, Page { items: Vec::new(), ..page.clone() });
        let set = RevocationSet::new(Duration::from_secs(5));
        set.restore(loader, &head).unwrap();
        assert_eq!(set.with_items(|mark, items| (mark, items.count())), Some((page.mark, 3)));
    }

    #[test]
    fn what_is_cut_off_or_too_long_or_of_another_version_is_refused() {
        let bytes = written();
        for end in 0..bytes.len() - 1 {
            assert!(read(&bytes[..end], u64::MAX, &mut |_| ()).is_err(), "{end}");
        }
        assert!(read(&*bytes, bytes.len() as u64 - 1, &mut |_| ()).is_err());
        let text = String::from_utf8(bytes).unwrap();
        for (from, to) in [
            ("\"version\":1", "\"version\":2"),
            ("\"items\"", "\"item\""),
            ("\"version\":1", "\"position\":3"),
            ("]}\n", "]}}"),
            ("\"revoked\"", "\"forgiven\""),
        ] {
            assert!(read(text.replacen(from, to, 1).as_bytes(), u64::MAX, &mut |_| ()).is_err(), "{from}");
        }
    }
}
