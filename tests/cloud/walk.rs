//! Walking the API document: its operations, and bodies made from their schemas.

use crate::gym::Gym;
use anyhow::Result;
use axum::body::Body;
use axum::http::Request;
use cloud_api::domains::accounts::Role;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use tests::api::{Answer, Api};

/// One operation of the document.
pub struct Operation {
    pub method: String,
    pub path: String,
    pub says: Value,
}

pub fn document() -> Result<Value> {
    Ok(serde_json::to_value(cloud_api::router::document())?)
}

pub fn operations(document: &Value) -> Vec<Operation> {
    let paths = document["paths"].as_object().into_iter().flatten();
    paths
        .flat_map(|(path, methods)| {
            methods.as_object().into_iter().flatten().map(|(method, says)| Operation {
                method: method.to_uppercase(),
                path: path.clone(),
                says: says.clone(),
            })
        })
        .collect()
}

impl Operation {
    pub fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// The path with ids that nothing has.
    pub fn uri(&self) -> String {
        let segments = self.path.split('/').map(|segment| {
            if segment.starts_with('{') { "01900000-0000-7000-8000-000000000000" } else { segment }
        });
        segments.collect::<Vec<_>>().join("/")
    }

    pub fn is_public(&self) -> bool {
        self.says["security"].as_array().is_some_and(|all| all.iter().any(|one| *one == json!({})))
    }

    pub fn is_of_devices(&self) -> bool {
        self.says["security"][0]["device"].is_array()
    }

    pub fn takes_json(&self) -> bool {
        !self.says["requestBody"]["content"]["application/json"].is_null()
    }

    pub fn request(
        &self,
        query: &str,
        token: Option<&str>,
        body: Option<&Value>,
    ) -> Result<Request<Body>> {
        let uri = format!("{}{query}", self.uri());
        let mut request = Request::builder().method(self.method.as_str()).uri(uri);
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let body = body.map(Value::to_string);
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        Ok(request.body(body.map_or_else(Body::empty, Body::from))?)
    }

    /// Required query parameters with fitting values, and one changed.
    pub fn query(&self, changed: &str, value: &str) -> String {
        let parameters = self.says["parameters"].as_array().into_iter().flatten();
        let required = parameters.filter(|one| one["in"] == "query" && one["required"] == true);
        let mut pairs: BTreeMap<&str, String> = required
            .filter_map(|one| Some((one["name"].as_str()?, plain(&fitting(&one["schema"])))))
            .collect();
        pairs.insert(changed, value.to_owned());
        let pairs: Vec<_> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
        format!("?{}", pairs.join("&"))
    }
}

pub fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A value that a schema takes.
pub fn fitting(schema: &Value) -> Value {
    let kind = schema["type"].as_str().or_else(|| schema["type"][0].as_str()).unwrap_or("string");
    match (kind, schema["format"].as_str()) {
        _ if !schema["example"].is_null() => schema["example"].clone(),
        _ if schema["enum"].is_array() => schema["enum"][0].clone(),
        ("integer" | "number", _) => schema.get("minimum").cloned().unwrap_or(json!(1)),
        ("boolean", _) => json!(true),
        ("array", _) => json!([]),
        // Whatever is in it.
        ("object", _) if schema["properties"].is_null() => json!({}),
        (_, Some("uuid")) => json!("01900000-0000-7000-8000-000000000000"),
        (_, Some("date-time")) => json!("2026-01-01T00:00:00Z"),
        _ => {
            let length = schema["minLength"].as_u64().unwrap_or(1).max(1);
            json!("x".repeat(usize::try_from(length).unwrap_or(1)))
        }
    }
}

/// Values one step beyond the bounds of a schema.
pub fn beyond(schema: &Value) -> Vec<Value> {
    let long = |n: u64| json!("x".repeat(usize::try_from(n).unwrap_or(0)));
    let mut values = Vec::new();
    values.extend(schema["minimum"].as_i64().map(|n| json!(n - 1)));
    values.extend(schema["maximum"].as_i64().map(|n| json!(n + 1)));
    values.extend(schema["minLength"].as_u64().filter(|n| *n > 0).map(|n| long(n - 1)));
    values.extend(schema["maxLength"].as_u64().map(|n| long(n + 1)));
    values
}

pub fn resolved<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    let name = schema["$ref"].as_str().and_then(|reference| reference.rsplit('/').next());
    name.map_or(schema, |name| &document["components"]["schemas"][name])
}

/// A body with everything that is required, each of a kind that fits.
pub fn whole_body(document: &Value, operation: &Operation) -> Map<String, Value> {
    let schema = &operation.says["requestBody"]["content"]["application/json"]["schema"];
    let schema = resolved(document, schema);
    let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    required
        .map(|name| (name.to_owned(), fitting(resolved(document, &schema["properties"][name]))))
        .collect()
}

/// Bodies with one field one step beyond its bounds, and which field that is.
pub fn bodies_beyond(document: &Value, operation: &Operation) -> Vec<(String, Value)> {
    let schema = &operation.says["requestBody"]["content"]["application/json"]["schema"];
    let properties = resolved(document, schema)["properties"].as_object();
    let properties = || properties.into_iter().flatten();
    let whole = whole_body(document, operation);
    let mut bodies = Vec::new();
    for (name, schema) in properties() {
        for value in beyond(resolved(document, schema)) {
            let mut body = whole.clone();
            body.insert(name.clone(), value);
            bodies.push((name.clone(), Value::Object(body)));
        }
    }
    bodies
}

pub fn assert_problem(answer: &Answer, about: &str) {
    let kind = answer.headers.get("content-type").map(axum::http::HeaderValue::as_bytes);
    assert_eq!(kind, Some(b"application/problem+json".as_slice()), "{about}");
    let problem = answer.json().unwrap_or_else(|error| panic!("{about}: {error}"));
    for member in ["type", "title", "status", "instance", "code", "request_id", "timestamp"] {
        assert!(!problem[member].is_null(), "{about}: no {member} in {problem}");
    }
    assert_eq!(problem["status"], answer.status.as_u16(), "{about}");
    let text = problem.to_string().to_lowercase();
    for internal in ["struct", "serde", "sqlx", "select ", "panicked", ".rs:", "cloud_api"] {
        assert!(!text.contains(internal), "{about}: {problem}");
    }
}

pub async fn admin(api: &Api) -> Result<String> {
    Gym::open(api, "Gym").await?.token(api, Role::Admin, &[]).await
}
