//! The OpenAPI document against the routes, and against what they answer.

use std::collections::BTreeSet;

use serde_json::Value;

use super::*;
use crate::doors::http::openapi::DOCUMENT;

fn document() -> Value {
    serde_json::from_str(DOCUMENT).unwrap()
}

/// A route's address as the document has it.
fn documented(path: &str) -> String {
    path.replace("{*path}", "{app}/{name}")
}

#[test]
fn every_address_of_the_api_is_documented_and_no_other() {
    let document = document();
    let mut known = BTreeSet::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in
            operations.as_object().unwrap().iter().filter(|(key, _)| *key != "parameters")
        {
            let is_open = operation["security"].as_array().is_some_and(Vec::is_empty);
            let method =
                MethodFilter::try_from(Method::from_bytes(method.to_uppercase().as_bytes()).unwrap());
            known.insert(format!("{path} {:?} open: {is_open}", method.unwrap()));
        }
    }
    let there: BTreeSet<_> = routes()
        .iter()
        .filter(|route| route.path.starts_with("/api/v1/"))
        .map(|route| format!("{} {:?} open: {}", documented(route.path), route.method, route.who == Who::All))
        .collect();
    assert_eq!(known, there);
}

#[test]
fn the_document_is_this_programs_and_whole() {
    let document = document();
    assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(document["info"]["license"]["name"], env!("CARGO_PKG_LICENSE"));
    let mut references = Vec::new();
    collect(&document, "$ref", &mut references);
    assert!(references.len() > 50);
    for reference in references {
        assert!(resolve(&document, reference).is_some(), "{reference} leads nowhere");
    }
    let (mut names, mut all) = (BTreeSet::new(), Vec::new());
    collect(&document, "operationId", &mut all);
    assert!(all.iter().all(|name| names.insert(*name)), "an operationId is there twice: {all:?}");
}

#[tokio::test]
async fn answers_have_what_the_document_says_and_nothing_else() {
    let (house, document) = (House::new(true), document());
    let mut held = 0;
    for row in ROWS.iter().filter(|row| row.0 == "GET" && row.1.starts_with("/api/v1/") && row.3 == 200) {
        let (_, text) = house.ask(row, From::Here, Shown::Session).await;
        let answer = serde_json::from_str(&text).unwrap();
        let operation = &document["paths"][documented(row.1)]["get"];
        let schema = &operation["responses"]["200"]["content"]["application/json"]["schema"];
        assert!(schema.is_object(), "{} has no schema", row.1);
        conforms(&document, schema, &answer, row.2);
        held += 1;
    }
    assert!(held >= 8, "{held}");
}

#[tokio::test]
async fn every_status_that_is_answered_is_documented() {
    let (house, document) = (House::new(true), document());
    let refused = [
        Row("PATCH", "/api/v1/films/{*path}", "/api/v1/films/vod/.hidden.mp4", 400),
        Row("DELETE", "/api/v1/films/{*path}", "/api/v1/films/vod/.hidden.mp4", 403),
        Row("DELETE", "/api/v1/films/{*path}", "/api/v1/films/nowhere/film.mp4", 404),
        Row("GET", "/api/v1/films/{*path}", "/api/v1/films/vod/.hidden.mp4", 403),
        Row("GET", "/api/v1/streams/{*path}", "/api/v1/streams/live/cam?start=x", 400),
        Row("GET", "/api/v1/films", "/api/v1/films?limit=x", 400),
        Row("GET", "/api/v1/streams", "/api/v1/streams?limit=x", 400),
        Row("GET", "/api/v1/clips/{*path}", "/api/v1/clips/live/cam", 400),
        Row("GET", "/api/v1/clips/{*path}", "/api/v1/clips/vod/.hidden.mp4?from=0&until=1", 403),
    ];
    for row in ROWS.iter().chain(&refused).filter(|row| row.1.starts_with("/api/v1/")) {
        let operation = &document["paths"][documented(row.1)][row.0.to_lowercase()];
        for (from, shown) in [(From::Here, Shown::Session), (From::There, Shown::Nothing)] {
            let (status, text) = house.ask(row, from, shown).await;
            let said = &operation["responses"][status.to_string()];
            assert!(said.is_object(), "{} {} answers {status}: {text}", row.0, row.2);
        }
    }
}

/// All texts that stand under a key.
fn collect<'a>(value: &'a Value, key: &str, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get(key).and_then(Value::as_str));
            fields.values().for_each(|value| collect(value, key, found));
        }
        Value::Array(values) => values.iter().for_each(|value| collect(value, key, found)),
        _ => {}
    }
}

fn resolve<'a>(document: &'a Value, reference: &str) -> Option<&'a Value> {
    document.pointer(reference.strip_prefix('#')?)
}

/// Holds a value against as much of JSON Schema as the document uses for answers.
fn conforms(document: &Value, schema: &Value, value: &Value, place: &str) {
    if let Some(reference) = schema["$ref"].as_str() {
        return conforms(document, resolve(document, reference).unwrap(), value, place);
    }
    if let Some(choices) = schema["anyOf"].as_array() {
        let is_null = |choice: &&Value| choice["type"] == "null";
        let choice = choices.iter().find(|choice| is_null(choice) == value.is_null());
        return conforms(document, choice.unwrap(), value, place);
    }
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let is_kind = |wanted: &Value| *wanted == kind || (kind == "integer" && *wanted == "number");
    let wanted = &schema["type"];
    let is_right = is_kind(wanted) || wanted.as_array().is_some_and(|kinds| kinds.iter().any(is_kind));
    assert!(is_right, "{place} is {value}, and no {wanted}");
    if let Some(allowed) = schema["enum"].as_array() {
        assert!(allowed.contains(value), "{place} is {value}");
    }
    if let Some(values) = value.as_array() {
        values.iter().for_each(|value| conforms(document, &schema["items"], value, &format!("{place}[]")));
    }
    let Some(fields) = value.as_object().filter(|_| schema["properties"].is_object()) else { return };
    for required in schema["required"].as_array().into_iter().flatten() {
        assert!(fields.contains_key(required.as_str().unwrap()), "{place} has no {required}");
    }
    for (name, value) in fields {
        let place = format!("{place}.{name}");
        let property = schema["properties"].get(name).or_else(|| schema.get("additionalProperties"));
        conforms(document, property.unwrap_or_else(|| panic!("{place} is not documented")), value, &place);
    }
}
