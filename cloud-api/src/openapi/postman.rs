//! The API document as a Postman collection (format 2.1): a folder per tag, a request per operation.

use super::example::example_of;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The collection of a document.
pub fn collection(document: &Value) -> Value {
    let mut folders: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for (path, operations) in document["paths"].as_object().into_iter().flatten() {
        for (method, operation) in operations.as_object().into_iter().flatten() {
            let tag = operation["tags"][0].as_str().unwrap_or_default();
            folders.entry(tag).or_default().push(request(document, path, method, operation));
        }
    }
    let folders = folders.into_iter().map(|(tag, items)| json!({"name": tag, "item": items}));
    json!({
        "info": {
            "name": document["info"]["title"],
            "description": document["info"]["description"],
            "schema": "https://schema.getpostman.com/json/collection/v2.1.0/collection.json",
        },
        "variable": [
            {"key": "base_url", "value": "http://127.0.0.1:8080"},
            {"key": "access_token", "value": ""},
        ],
        "auth": {
            "type": "bearer",
            "bearer": [{"key": "token", "value": "{{access_token}}", "type": "string"}],
        },
        "item": folders.collect::<Vec<_>>(),
    })
}

fn request(document: &Value, path: &str, method: &str, operation: &Value) -> Value {
    let schemas = &document["components"]["schemas"];
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    let (mut query, mut variables, mut headers) = (Vec::new(), Vec::new(), Vec::new());
    for parameter in parameters {
        let value = example_of(&parameter["schema"], schemas);
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let is_optional = parameter["required"] != true;
        let entry = json!({
            "key": parameter["name"], "value": value, "description": parameter["description"],
            "disabled": is_optional,
        });
        match parameter["in"].as_str() {
            Some("query") => query.push(entry),
            Some("header") => headers.push(entry),
            _ => variables.push(entry),
        }
    }
    let segments = path.split('/').skip(1).map(|segment| {
        let name = segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
        name.map_or_else(|| segment.to_owned(), |name| format!(":{name}"))
    });
    let segments: Vec<String> = segments.collect();
    let mut request = Map::new();
    request.insert("method".to_owned(), json!(method.to_uppercase()));
    request.insert("description".to_owned(), operation["description"].clone());
    request.insert(
        "url".to_owned(),
        json!({
            "raw": format!("{{{{base_url}}}}/{}", segments.join("/")),
            "host": ["{{base_url}}"], "path": segments, "query": query, "variable": variables,
        }),
    );
    let content = &operation["requestBody"]["content"]["application/json"];
    if !content.is_null() {
        let example = content.get("example").cloned();
        let example = example.unwrap_or_else(|| example_of(&content["schema"], schemas));
        let raw = serde_json::to_string_pretty(&example).unwrap_or_default();
        let options = json!({"raw": {"language": "json"}});
        request.insert("body".to_owned(), json!({"mode": "raw", "raw": raw, "options": options}));
        headers.push(json!({"key": "Content-Type", "value": "application/json"}));
    }
    request.insert("header".to_owned(), Value::Array(headers));
    if operation["security"][0] == json!({}) {
        request.insert("auth".to_owned(), json!({"type": "noauth"}));
    }
    json!({"name": operation["summary"], "request": request})
}
