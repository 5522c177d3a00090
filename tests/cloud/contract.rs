//! Walks the API document: what it promises of every operation is so, and nothing is served that is not in it.

use crate::gym::Gym;
use anyhow::{Context, Result};
use axum::body::Body;
use axum::http::Request;
use cloud_api::domains::accounts::Role;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use tests::api::{Answer, Api};

/// One operation of the document.
struct Operation {
    method: String,
    path: String,
    says: Value,
}

fn document() -> Result<Value> {
    Ok(serde_json::to_value(cloud_api::router::document())?)
}

fn operations(document: &Value) -> Vec<Operation> {
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
    fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// The path with ids that nothing has.
    fn uri(&self) -> String {
        let segments = self.path.split('/').map(|segment| {
            if segment.starts_with('{') { "01900000-0000-7000-8000-000000000000" } else { segment }
        });
        segments.collect::<Vec<_>>().join("/")
    }

    fn is_public(&self) -> bool {
        self.says["security"].as_array().is_some_and(|all| all.iter().any(|one| *one == json!({})))
    }

    fn takes_json(&self) -> bool {
        !self.says["requestBody"]["content"]["application/json"].is_null()
    }

    fn request(
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
    fn query(&self, changed: &str, value: &str) -> String {
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

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A value that a schema takes.
fn fitting(schema: &Value) -> Value {
    let kind = schema["type"].as_str().or_else(|| schema["type"][0].as_str()).unwrap_or("string");
    match (kind, schema["format"].as_str()) {
        _ if !schema["example"].is_null() => schema["example"].clone(),
        _ if schema["enum"].is_array() => schema["enum"][0].clone(),
        ("integer" | "number", _) => schema.get("minimum").cloned().unwrap_or(json!(1)),
        ("boolean", _) => json!(true),
        ("array", _) => json!([]),
        (_, Some("uuid")) => json!("01900000-0000-7000-8000-000000000000"),
        (_, Some("date-time")) => json!("2026-01-01T00:00:00Z"),
        _ => {
            let length = schema["minLength"].as_u64().unwrap_or(1).max(1);
            json!("x".repeat(usize::try_from(length).unwrap_or(1)))
        }
    }
}

/// Values one step beyond the bounds of a schema.
fn beyond(schema: &Value) -> Vec<Value> {
    let long = |n: u64| json!("x".repeat(usize::try_from(n).unwrap_or(0)));
    let mut values = Vec::new();
    values.extend(schema["minimum"].as_i64().map(|n| json!(n - 1)));
    values.extend(schema["maximum"].as_i64().map(|n| json!(n + 1)));
    values.extend(schema["minLength"].as_u64().filter(|n| *n > 0).map(|n| long(n - 1)));
    values.extend(schema["maxLength"].as_u64().map(|n| long(n + 1)));
    values
}

fn resolved<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    let name = schema["$ref"].as_str().and_then(|reference| reference.rsplit('/').next());
    name.map_or(schema, |name| &document["components"]["schemas"][name])
}

/// Bodies with one field one step beyond its bounds, and which field that is.
fn bodies_beyond(document: &Value, operation: &Operation) -> Vec<(String, Value)> {
    let schema = &operation.says["requestBody"]["content"]["application/json"]["schema"];
    let properties = resolved(document, schema)["properties"].as_object();
    let properties = || properties.into_iter().flatten();
    let whole: Map<String, Value> = properties()
        .map(|(name, schema)| (name.clone(), fitting(resolved(document, schema))))
        .collect();
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

fn assert_problem(answer: &Answer, about: &str) {
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

async fn admin(api: &Api) -> Result<String> {
    Gym::open(api, "Gym").await?.token(api, Role::Admin, &[]).await
}

#[test]
fn every_operation_has_a_name_of_its_own_a_summary_and_a_tag() -> Result<()> {
    let mut names = BTreeMap::new();
    for operation in operations(&document()?) {
        let name = operation.says["operationId"].as_str().context(operation.name())?.to_owned();
        assert!(operation.says["summary"].is_string(), "{name} has no summary");
        assert_eq!(operation.says["tags"].as_array().map(Vec::len), Some(1), "{name}");
        let responses = operation.says["responses"].as_object().context(operation.name())?;
        assert!(responses.contains_key("default"), "{name}");
        assert!(responses.values().all(|one| one["description"].is_string()), "{name}");
        assert_eq!(names.insert(name.clone(), operation.name()), None, "{name} is used twice");
    }
    assert!(names.contains_key("log_in"));
    Ok(())
}

#[tokio::test]
async fn without_a_token_every_other_operation_answers_401() -> Result<()> {
    let api = Api::new().await?;
    let mut public = Vec::new();
    for operation in operations(&document()?) {
        if operation.is_public() {
            public.push(operation.name());
            continue;
        }
        let body = operation.takes_json().then(|| json!({}));
        let answer = api.call(operation.request("", None, body.as_ref())?).await?;
        assert_eq!(answer.status, 401, "{}", operation.name());
        assert_problem(&answer, &operation.name());
    }
    let expected = [
        "POST /api/v1/auth/login",
        "POST /edge/v1/enroll",
        "POST /edge/v1/token",
        "GET /health",
        "GET /health/live",
        "GET /health/ready",
        "GET /metrics",
    ];
    assert_eq!(public, expected);
    Ok(())
}

#[tokio::test]
async fn a_list_where_an_object_is_due_is_refused() -> Result<()> {
    let api = Api::new().await?;
    let token = admin(&api).await?;
    for operation in operations(&document()?).iter().filter(|one| one.takes_json()) {
        let answer = api.call(operation.request("", Some(&token), Some(&json!([])))?).await?;
        assert!(answer.status.is_client_error(), "{}: {}", operation.name(), answer.status);
        assert_problem(&answer, &operation.name());
    }
    Ok(())
}

#[tokio::test]
async fn one_step_beyond_the_bounds_of_a_body_is_refused() -> Result<()> {
    let (api, document) = (Api::new().await?, document()?);
    let token = admin(&api).await?;
    let mut tried = 0;
    for operation in operations(&document).iter().filter(|one| one.takes_json()) {
        for (field, body) in bodies_beyond(&document, operation) {
            let about = format!("{} {field}", operation.name());
            let answer = api.call(operation.request("", Some(&token), Some(&body))?).await?;
            assert!(answer.status.is_client_error(), "{about}: {}", answer.status);
            assert_problem(&answer, &about);
            tried += 1;
        }
    }
    assert!(tried >= 4, "{tried} bounds were tried");
    Ok(())
}

#[tokio::test]
async fn one_step_beyond_the_bounds_of_a_query_is_refused() -> Result<()> {
    let api = Api::new().await?;
    let token = admin(&api).await?;
    let mut tried = 0;
    for operation in operations(&document()?).iter().filter(|one| one.path.starts_with("/api/")) {
        let parameters = operation.says["parameters"].as_array().into_iter().flatten();
        for parameter in parameters.filter(|one| one["in"] == "query") {
            let name = parameter["name"].as_str().context(operation.name())?;
            for value in beyond(&parameter["schema"]) {
                let about = format!("{} {name}={value}", operation.name());
                let query = operation.query(name, &plain(&value));
                let answer = api.call(operation.request(&query, Some(&token), None)?).await?;
                assert!(matches!(answer.status.as_u16(), 400 | 422), "{about}: {}", answer.status);
                assert_problem(&answer, &about);
                tried += 1;
            }
        }
    }
    assert!(tried >= 4, "{tried} bounds were tried");
    Ok(())
}

/// `routes!` documents what it serves. A route made without it would be missing from the document.
#[test]
fn nothing_is_served_that_is_not_documented() -> Result<()> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../cloud-api/src");
    let mut folders = vec![source];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path)?;
            let is_raw = [".route(", ".route_service(", ".nest_service("];
            found.extend(is_raw.iter().filter(|call| text.contains(**call)).map(|_| path.clone()));
        }
    }
    // The document and its page themselves.
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].ends_with("openapi.rs"), "{found:?}");
    Ok(())
}

#[test]
fn the_committed_document_is_current() -> Result<()> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../cloud-api/openapi.json");
    let committed: Value = serde_json::from_str(&std::fs::read_to_string(path)?)?;

    assert!(
        committed == document()?,
        "cloud-api openapi > cloud-api/openapi.json, and look at what changed"
    );
    Ok(())
}

#[tokio::test]
async fn the_document_and_its_page_are_served_without_the_internet() -> Result<()> {
    let api = Api::new().await?;

    let served = api.get("/api/v1/openapi.json", None).await?;
    let page = api.get("/docs/", None).await?;

    assert_eq!(served.json()?["info"]["title"], "Gymwire");
    let page = String::from_utf8(page.body.to_vec())?;
    assert!(page.contains("swagger-ui") && !page.contains("https://"), "{page}");
    Ok(())
}
