//! What hostile clients send to every operation of the document: nothing of it is a fault of ours, and nothing tells
//! how we are made.

use crate::walk::{
    Operation, admin, assert_problem, document, fitting, operations, resolved, whole_body,
};
use anyhow::Result;
use axum::body::Body;
use axum::http::Request;
use serde_json::{Map, Value, json};
use tests::api::{Answer, Api};

/// A cloud, an admin's token, and the operations that take JSON.
struct Scene {
    api: Api,
    token: String,
    document: Value,
}

async fn scene() -> Result<Scene> {
    let api = Api::new().await?;
    let token = admin(&api).await?;
    Ok(Scene { api, token, document: document()? })
}

impl Scene {
    fn operations(&self) -> Vec<Operation> {
        let mut operations = operations(&self.document);
        // Edges send packed batches under tokens of their own, devices have secrets.
        operations.retain(|one| {
            one.takes_json() && one.path.starts_with("/api/") && !one.is_of_devices()
        });
        assert!(operations.len() >= 8, "{}", operations.len());
        operations
    }

    async fn send(&self, operation: &Operation, body: impl Into<Body>) -> Result<Answer> {
        let request = Request::builder()
            .method(operation.method.as_str())
            .uri(operation.uri())
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-type", "application/json");
        self.api.call(request.body(body.into())?).await
    }

    /// Names and schemas of the fields of a body.
    fn fields(&self, operation: &Operation) -> Vec<(String, Value)> {
        let schema = &operation.says["requestBody"]["content"]["application/json"]["schema"];
        let properties = resolved(&self.document, schema)["properties"].as_object();
        let properties = properties.into_iter().flatten();
        properties.map(|(name, schema)| (name.clone(), schema.clone())).collect()
    }

    fn body_with(&self, operation: &Operation, name: &str, value: Value) -> String {
        let mut body: Map<String, Value> = whole_body(&self.document, operation);
        body.insert(name.to_owned(), value);
        Value::Object(body).to_string()
    }
}

fn refused(answer: &Answer, statuses: &[u16], about: &str) {
    assert!(statuses.contains(&answer.status.as_u16()), "{about}: {}", answer.status);
    assert_problem(answer, about);
}

#[tokio::test]
async fn a_body_that_is_no_json_is_refused_everywhere() -> Result<()> {
    let scene = scene().await?;

    for operation in scene.operations() {
        for body in ["{", "{\"a\":", "\u{0}", "{\"a\":1}}", "nul", "{'a':1}"] {
            let answer = scene.send(&operation, body).await?;
            refused(&answer, &[400, 422], &format!("{} {body:?}", operation.name()));
        }
        let latin = scene.send(&operation, vec![b'{', b'"', 0xff, b'"', b':', b'1', b'}']).await?;
        refused(&latin, &[400, 422], &operation.name());
        let deep = "[".repeat(100_000);
        let answer = scene.send(&operation, format!("{{\"a\":{deep}")).await?;
        refused(&answer, &[400, 422], &operation.name());
    }
    Ok(())
}

#[tokio::test]
async fn a_body_one_byte_too_long_is_refused_everywhere() -> Result<()> {
    let scene = scene().await?;

    for operation in scene.operations() {
        let long = format!("{{\"a\":\"{}\"}}", "x".repeat(1024 * 1024 + 1 - 8));
        assert_eq!(long.len(), 1024 * 1024 + 1);
        refused(&scene.send(&operation, long).await?, &[413], &operation.name());
    }
    Ok(())
}

#[tokio::test]
async fn a_field_that_there_is_not_is_refused_everywhere() -> Result<()> {
    let scene = scene().await?;

    for operation in scene.operations() {
        let body = scene.body_with(&operation, "is_admin", json!(true));
        let answer = scene.send(&operation, body).await?;
        refused(&answer, &[422], &operation.name());
        let detail = answer.json()?["detail"].to_string();
        assert!(detail.contains("is_admin"), "{}: {detail}", operation.name());
    }
    Ok(())
}

#[tokio::test]
async fn a_value_of_another_type_is_refused_everywhere() -> Result<()> {
    let scene = scene().await?;

    for operation in scene.operations() {
        for (name, schema) in scene.fields(&operation) {
            let fits = fitting(resolved(&scene.document, &schema));
            let others = [json!({"x": {}}), json!([1]), json!(-1.5), json!("\u{1}"), json!(true)];
            for other in others.into_iter().filter(|other| !same_kind(other, &fits)) {
                let about = format!("{} {name}={other}", operation.name());
                let body = scene.body_with(&operation, &name, other);
                refused(&scene.send(&operation, body).await?, &[400, 422, 429], &about);
            }
        }
    }
    Ok(())
}

fn same_kind(one: &Value, other: &Value) -> bool {
    std::mem::discriminant(one) == std::mem::discriminant(other)
}

const FRAGMENTS: [&str; 10] = [
    "'; DROP TABLE users; --",
    "\" OR 1=1 --",
    "${jndi:ldap://x}",
    "<script>alert(1)</script>",
    "{{7*7}}",
    "../../../etc/passwd",
    "a\u{0}b",
    "\u{202e}\u{200b}\u{feff}",
    "👩‍👩‍👧‍👦 ﷽ Z͑ͫ̓ͪ̂ͫ̽͏̴",
    "%00%0d%0aSet-Cookie: a=b",
];

#[tokio::test]
async fn fragments_of_sql_and_scripts_and_odd_text_are_only_text() -> Result<()> {
    let scene = scene().await?;

    for operation in scene.operations() {
        for (name, _) in scene.fields(&operation) {
            for text in FRAGMENTS {
                let about = format!("{} {name}={text:?}", operation.name());
                let body = scene.body_with(&operation, &name, json!(text));
                let answer = scene.send(&operation, body).await?;
                assert!(!answer.status.is_server_error(), "{about}: {}", answer.status);
                if !answer.status.is_success() {
                    assert_problem(&answer, &about);
                }
            }
        }
    }
    let users: i64 = sqlx::query_scalar("SELECT count(*) FROM users WHERE role = 'admin'")
        .fetch_one(&scene.api.app.db)
        .await?;
    assert_eq!(users, 1);
    Ok(())
}

#[tokio::test]
async fn odd_text_in_queries_and_paths_is_only_text() -> Result<()> {
    let scene = scene().await?;

    for operation in operations(&scene.document) {
        let parameters = operation.says["parameters"].as_array().into_iter().flatten();
        let names =
            parameters.filter(|one| one["in"] == "query").filter_map(|one| one["name"].as_str());
        // A stream of events does not end.
        let is_answered = operation.path.starts_with("/api/") && operation.path != "/api/v1/events";
        for name in names.filter(|_| is_answered) {
            for text in ["%27%3B--", "%00", "%ff", "%F0%9F%92%AA", "-1", "1e400", ""] {
                let uri = format!("{}?{name}={text}", operation.uri());
                let answer = scene.api.get(&uri, Some(&scene.token)).await?;
                assert!(!answer.status.is_server_error(), "{uri}: {}", answer.status);
            }
        }
    }
    for path in ["/api/v1/machines/%00", "/api/v1/machines/%ff", "/api/v1/auth/sessions/..%2f"] {
        let answer = scene.api.get(path, Some(&scene.token)).await?;
        assert!(answer.status.is_client_error(), "{path}: {}", answer.status);
    }
    Ok(())
}

#[tokio::test]
async fn the_same_request_at_the_same_time_is_nowhere_a_fault() -> Result<()> {
    let scene = scene().await?;

    for operation in scene.operations() {
        let body = Value::Object(whole_body(&scene.document, &operation)).to_string();
        let send = || scene.send(&operation, body.clone());
        let (one, two, three) = tokio::join!(send(), send(), send());
        for answer in [one?, two?, three?] {
            assert!(!answer.status.is_server_error(), "{}: {}", operation.name(), answer.status);
        }
    }
    Ok(())
}
