//! Whole numbers from 1 on, with an error that says so.

use std::{fmt, num::NonZeroU32};

use serde::{
    Deserialize, Deserializer,
    de::{Error, Unexpected, Visitor},
};

/// For `deserialize_with` of a member that may be left out.
///
/// # Errors
/// The deserializer's, for anything but a whole number from 1 to 4294967295.
pub fn positive<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<NonZeroU32>, D::Error> {
    let number = Option::<Positive>::deserialize(deserializer)?;
    Ok(number.map(|Positive(number)| number))
}

struct Positive(NonZeroU32);

impl<'de> Deserialize<'de> for Positive {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_u32(PositiveVisitor)
    }
}

struct PositiveVisitor;

impl Visitor<'_> for PositiveVisitor {
    type Value = Positive;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a whole number from 1 to {}", u32::MAX)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Positive, E> {
        let positive = u32::try_from(number).ok().and_then(NonZeroU32::new);
        positive.map(Positive).ok_or_else(|| E::invalid_value(Unexpected::Unsigned(number), &self))
    }
}
