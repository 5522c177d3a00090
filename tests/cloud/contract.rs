//! Walks the API document: what it promises of every operation is so, and nothing is served that is not in it.

use crate::walk::{admin, assert_problem, beyond, bodies_beyond, document, operations, plain};
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use tests::api::Api;

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
        "GET /.well-known/jwks.json",
        "GET /api/v1/auth/apple",
        "POST /api/v1/auth/apple",
        "GET /api/v1/auth/apple/callback",
        "POST /api/v1/auth/apple/callback",
        "POST /api/v1/auth/exchange",
        "POST /api/v1/auth/forgot-password",
        "GET /api/v1/auth/google",
        "POST /api/v1/auth/google",
        "GET /api/v1/auth/google/callback",
        "POST /api/v1/auth/login",
        "POST /api/v1/auth/refresh",
        "POST /api/v1/auth/register",
        "POST /api/v1/auth/resend-verification",
        "POST /api/v1/auth/reset-password",
        "GET /api/v1/auth/verify-email",
        "GET /api/v1/events",
        "GET /api/v1/files/{id}/content",
        "GET /api/v1/ws",
        "GET /api/v1/ws/machines",
        "GET /api/v1/ws/workouts",
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
            let errors = answer.json()?["errors"].clone();
            let mut errors = errors.as_array().into_iter().flatten();
            assert!(
                // Edges are told whether they are who they say before anything else.
                operation.path.starts_with("/edge/")
                    || !operation.says["security"][0]["device"].is_null()
                    || answer.status == 429
                    || errors.any(|error| error["field"] == field.as_str()),
                "{about}: {:?}",
                answer.json()
            );
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
    found.sort();
    // The document and its page themselves; and the operators' page, whose own table `console/guarding.rs` walks.
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].ends_with("openapi/mod.rs"), "{found:?}");
    assert!(found[1].ends_with("pages/router.rs"), "{found:?}");
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

#[test]
fn the_committed_document_of_live_messages_is_current() -> Result<()> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../cloud-api/asyncapi.json");
    let committed: Value = serde_json::from_str(&std::fs::read_to_string(path)?)?;

    assert!(
        committed == cloud_api::domains::realtime::asyncapi(),
        "cloud-api asyncapi > cloud-api/asyncapi.json"
    );
    Ok(())
}

#[test]
fn the_committed_collection_is_current_and_has_every_operation() -> Result<()> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../cloud-api/postman.json");
    let committed: Value = serde_json::from_str(&std::fs::read_to_string(path)?)?;
    let document = document()?;

    let folders = committed["item"].as_array().into_iter().flatten();
    let requests = folders.flat_map(|folder| folder["item"].as_array().into_iter().flatten());

    assert_eq!(requests.count(), operations(&document).len());
    assert!(
        committed == cloud_api::openapi::collection(&document),
        "cloud-api postman > cloud-api/postman.json"
    );
    Ok(())
}

#[test]
fn every_body_of_json_has_an_example() -> Result<()> {
    for operation in operations(&document()?) {
        let bodies = operation.says["responses"].as_object().into_iter().flatten();
        let bodies = bodies.map(|(_, body)| body).chain([&operation.says["requestBody"]]);
        let contents = bodies.map(|body| &body["content"]["application/json"]);
        for content in contents.filter(|content| !content.is_null()) {
            assert!(!content["example"].is_null(), "{}", operation.name());
        }
    }
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
