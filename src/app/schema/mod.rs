//! What the JSON of the floors below looks like, for the OpenAPI document. The domain knows nothing of schemas; its
//! types are described here, and tests hold every real answer against the descriptions.

mod claims;
mod events;
mod feed;
mod keys;
mod providers;
mod report;
mod request;
mod status_lists;
mod words;

use serde_json::Value;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr,
        extensions::Extensions,
        schema::{AdditionalProperties, ArrayBuilder, ObjectBuilder, OneOfBuilder, Ref, Schema, Type},
    },
};

pub(crate) use events::kind as event_kind;
pub use feed::{RevocationItem, RevocationPage};

/// Every schema that is described here, by name.
#[must_use]
pub fn components() -> Vec<(String, RefOr<Schema>)> {
    [
        words::components(),
        claims::components(),
        request::components(),
        keys::components(),
        providers::components(),
        events::components(),
        feed::components(),
        report::components(),
        status_lists::components(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Gives types of the floors below their names and schemas.
macro_rules! described {
    ($($type:ty, $name:literal => $schema:expr;)+) => {
        $(
            impl utoipa::PartialSchema for $type {
                fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                    $schema.into()
                }
            }

            impl utoipa::ToSchema for $type {
                fn name() -> std::borrow::Cow<'static, str> {
                    std::borrow::Cow::Borrowed($name)
                }
            }
        )+

        pub(super) fn components() -> Vec<(String, utoipa::openapi::RefOr<utoipa::openapi::schema::Schema>)> {
            vec![$(($name.to_owned(), <$type as utoipa::PartialSchema>::schema())),+]
        }
    };
}
use described;

/// A reference to the schema of a type.
#[must_use]
pub fn of<T: ToSchema>() -> RefOr<Schema> {
    Ref::from_schema_name(T::name()).into()
}

/// The schema of a type that is no component, such as a number.
fn plain<T: PartialSchema>() -> RefOr<Schema> {
    T::schema()
}

/// That, or `null`.
fn nullable(schema: RefOr<Schema>) -> RefOr<Schema> {
    OneOfBuilder::new().item(ObjectBuilder::new().schema_type(Type::Null)).item(schema).into()
}

/// A list.
fn list(items: RefOr<Schema>) -> RefOr<Schema> {
    ArrayBuilder::new().items(items).into()
}

/// A list of at most `max` members.
fn short_list(items: RefOr<Schema>, max: usize) -> RefOr<Schema> {
    ArrayBuilder::new().items(items).max_items(Some(max)).into()
}

/// One of these words.
fn one_of<'a>(words: impl IntoIterator<Item = &'a str>) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words))
}

/// Seconds since 1970 (`NumericDate`, RFC 7519 section 2).
fn seconds() -> RefOr<Schema> {
    plain::<i64>()
}

/// A number that fits in 32 bits.
fn unsigned() -> RefOr<Schema> {
    number(0).into()
}

/// The same, but not zero.
fn count() -> RefOr<Schema> {
    number(1).into()
}

fn number(min: u32) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(min)).maximum(Some(u32::MAX))
}

/// An object without other members than these.
struct Form(ObjectBuilder);

fn object(description: &'static str) -> Form {
    let closed = AdditionalProperties::FreeForm(false);
    Form(ObjectBuilder::new().description(Some(description)).additional_properties(Some(closed)))
}

impl Form {
    /// A member that is always there.
    fn member(self, name: &'static str, schema: RefOr<Schema>, description: &'static str) -> Self {
        let Self(object) = self.optional(name, schema, description);
        Self(object.required(name))
    }

    /// A member that may be left out.
    fn optional(self, name: &'static str, schema: RefOr<Schema>, description: &'static str) -> Self {
        Self(self.0.property(name, explained(schema, description)))
    }

    /// A member with one value, by which the object is told from others.
    fn fixed(self, name: &'static str, value: &'static str) -> Self {
        Self(self.0.property(name, one_of([value])).required(name))
    }

    /// That it is not empty.
    fn at_least_one(self) -> Self {
        Self(self.0.min_properties(Some(1)))
    }

    /// Whether members go together: schemas of which one must hold besides.
    fn any_of(self, alternatives: Value) -> Self {
        Self(self.0.extensions(Some(Extensions::from_iter([("anyOf", alternatives)]))))
    }
}

impl From<Form> for RefOr<Schema> {
    fn from(Form(object): Form) -> Self {
        object.into()
    }
}

fn explained(mut schema: RefOr<Schema>, description: &'static str) -> RefOr<Schema> {
    match &mut schema {
        RefOr::Ref(reference) => description.clone_into(&mut reference.description),
        RefOr::T(Schema::Array(array)) => array.description = Some(description.to_owned()),
        RefOr::T(Schema::Object(object)) => object.description = Some(description.to_owned()),
        RefOr::T(Schema::OneOf(one_of)) => one_of.description = Some(description.to_owned()),
        RefOr::T(_) => {}
    }
    schema
}
