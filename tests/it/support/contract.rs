//! Holds requests and answers against the OpenAPI document: whatever a test asks for, the document said so before.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use axum::http::Method;
use catalog::domain::restrictions::{IpRestriction, Zone};
use jsonschema::Validator;
use serde_json::{Value, json};

use super::world::Reply;

/// The document, with everything that answers may contain closed: a member that it does not name is a fault.
pub struct Contract {
    document: Value,
    closed: Value,
    validators: Mutex<HashMap<String, Arc<Validator>>>,
}

impl Contract {
    pub fn new(document: Value) -> Self {
        let mut closed = document["components"].clone();
        for schema in closed["schemas"].as_object_mut().unwrap().values_mut() {
            if schema["type"] == "object" && schema.get("additionalProperties").is_none() {
                schema["additionalProperties"] = json!(false);
            }
        }
        Self { document, closed, validators: Mutex::default() }
    }

    /// The document.
    pub fn document(&self) -> &Value {
        &self.document
    }

    /// Every operation, with its method and its path as the document has it.
    pub fn operations(&self) -> impl Iterator<Item = (&str, &str, &Value)> {
        let paths = self.document["paths"].as_object().unwrap().iter();
        paths.flat_map(|(path, item)| {
            item.as_object().unwrap().iter().map(move |(method, operation)| (method.as_str(), path.as_str(), operation))
        })
    }

    /// The operation that a request asks for, and its path as the document has it.
    pub fn operation(&self, method: &Method, path: &str) -> Option<(&str, &Value)> {
        // Proxies ask by the method of the request that they hold, and add its path.
        let is_forward_auth = path == "/authorize" || path.starts_with("/authorize/");
        let (method, path) = if is_forward_auth { (&Method::GET, "/authorize") } else { (method, path) };
        let matching =
            self.document["paths"].as_object().unwrap().iter().filter(|(template, _)| matches(template, path));
        // What is written out goes before what is in braces.
        let (template, item) = matching.min_by_key(|(template, _)| template.matches('{').count())?;
        Some((template, item.get(method.as_str().to_lowercase())?))
    }

    /// Asserts that the document names the answer, and all that is in it.
    pub fn check_answer(&self, method: &Method, path: &str, reply: &Reply) {
        let method = if *method == Method::HEAD { &Method::GET } else { method };
        let Some((template, operation)) = self.operation(method, path) else {
            let is_undocumented = matches!(reply.status.as_u16(), 404 | 405)
                || path.starts_with("/docs")
                || path.starts_with("/.well-known/oauth-authorization-server/");
            assert!(is_undocumented, "{method} {path} is no operation of the document, but answers {reply:?}");
            return;
        };
        let place = format!("{method} {template} {}", reply.status.as_u16());
        let response = &operation["responses"][reply.status.as_str()];
        assert!(response.is_object(), "{place} is not in the document: {reply:?}");
        for (name, _) in response["headers"].as_object().unwrap() {
            // Only one of the codes of 403 has the challenge.
            let may_be_absent = name == "www-authenticate" && reply.status == 403;
            assert!(may_be_absent || reply.headers.contains_key(name), "{place} has no header {name}: {reply:?}");
        }
        self.check_body(&place, response, reply);
    }

    fn check_body(&self, place: &str, response: &Value, reply: &Reply) {
        let Some(content) = response.get("content") else {
            assert_eq!(reply.text, "", "{place} has a body");
            return;
        };
        let essence = reply.header("content-type").split(';').next().unwrap();
        let schema = &content[essence]["schema"];
        assert!(schema.is_object(), "{place} is not answered as {essence}: {reply:?}");
        if essence.ends_with("json") && essence != "application/x-ndjson" {
            let errors = self.errors(&format!("{place} {essence}"), schema, &self.closed, &reply.json());
            assert!(errors.is_empty(), "{place} does not keep its schema: {errors:#?}\n{}", reply.text);
        }
    }

    /// Asserts that the schema of a JSON body and the parser agree on it.
    pub fn check_request(&self, method: &Method, path: &str, body: &Value, reply: &Reply) {
        let Some((template, operation)) = self.operation(method, path) else { return };
        let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
        if !schema.is_object() {
            return;
        }
        let place = format!("{method} {template}");
        let errors = self.errors(&format!("{place} request"), schema, &self.document["components"], body);
        if reply.status.is_success() {
            assert!(errors.is_empty(), "{place} took what its schema does not: {body} {errors:#?}");
        }
        // What no schema can say: that two members name the same person.
        let is_beyond = reply.text.contains("sub is an e-mail address");
        if reply.status == 400 && reply.text.contains("\"pointer\"") && !is_beyond {
            assert!(!errors.is_empty(), "{place} did not take what its schema does: {body} {}", reply.text);
        }
    }

    /// What an example breaks of the schema beside it.
    pub fn faults(&self, name: &str, schema: &Value, example: &Value) -> Vec<String> {
        self.errors(name, schema, &self.document["components"], example)
    }

    fn errors(&self, name: &str, schema: &Value, components: &Value, instance: &Value) -> Vec<String> {
        let known = self.validators.lock().unwrap().get(name).cloned();
        let validator = known.unwrap_or_else(|| {
            let made = Arc::new(validator(schema, components));
            self.validators.lock().unwrap().insert(name.to_owned(), made.clone());
            made
        });
        validator.iter_errors(instance).map(|error| format!("{}: {error}", error.instance_path())).collect()
    }
}

/// A validator for a schema of the document, with the formats that are the catalog's own.
fn validator(schema: &Value, components: &Value) -> Validator {
    let mut root = schema.clone();
    root["components"] = components.clone();
    jsonschema::draft202012::options()
        .should_validate_formats(true)
        .with_format("ip-network", |text: &str| text.parse::<IpRestriction>().is_ok())
        .with_format("iana-time-zone", |text: &str| Zone::try_from(text.to_owned()).is_ok())
        .build(&root)
        .unwrap()
}

fn matches(template: &str, path: &str) -> bool {
    let (mut template, mut path) = (template.split('/'), path.split('/'));
    let mut agreements = std::iter::from_fn(|| match (template.next(), path.next()) {
        (None, None) => None,
        (Some(expected), Some(found)) => Some(expected.starts_with('{') && !found.is_empty() || expected == found),
        _ => Some(false),
    });
    agreements.all(|agrees| agrees)
}
