//! Files in a folder and in S3, which is played by a small server here.

use anyhow::Result;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::any;
use cloud_api::config::{FileStore, Files as Config, Secret};
use cloud_api::outside::files::Files;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use tests::api::Api;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

async fn keeps_finds_and_removes(files: &Files) -> Result<()> {
    assert_eq!(files.get("avatars/a/small.webp").await?, None);
    files.put("avatars/a/small.webp", Bytes::from_static(b"one")).await?;
    files.put("avatars/a/small.webp", Bytes::from_static(b"two")).await?;
    assert_eq!(files.get("avatars/a/small.webp").await?.as_deref(), Some(&b"two"[..]));
    files.delete("avatars/a/small.webp").await?;
    files.delete("avatars/a/small.webp").await?;
    assert_eq!(files.get("avatars/a/small.webp").await?, None);
    Ok(())
}

#[tokio::test]
async fn a_folder_keeps_files_and_nothing_outside_of_it() -> Result<()> {
    let api = Api::new().await?;
    let files = &api.app.files;

    keeps_finds_and_removes(files).await?;

    files.put("exports/1/a.zip", Bytes::from_static(b"a")).await?;
    files.put("exports/1/b.zip", Bytes::from_static(b"b")).await?;
    files.put("exports/2/c.zip", Bytes::from_static(b"c")).await?;
    files.delete_below("exports/1").await?;
    assert_eq!(files.get("exports/1/a.zip").await?, None);
    assert_eq!(files.get("exports/2/c.zip").await?.as_deref(), Some(&b"c"[..]));
    for path in ["../secrets.key", "/etc/passwd/../x", "a//b"] {
        assert!(files.put(path, Bytes::new()).await.is_err(), "{path}");
    }
    Ok(())
}

#[derive(Clone, Default)]
struct Bucket(Arc<Mutex<Content>>);

#[derive(Default)]
struct Content {
    objects: BTreeMap<String, Bytes>,
    is_down: bool,
    unsigned: u32,
}

async fn serve(
    State(bucket): State<Bucket>,
    Path(path): Path<String>,
    method: axum::http::Method,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, Bytes) {
    let mut state = bucket.0.lock().unwrap_or_else(PoisonError::into_inner);
    let signature = headers.get("authorization").and_then(|value| value.to_str().ok());
    if !signature.is_some_and(|text| text.starts_with("AWS4-HMAC-SHA256 Credential=key/")) {
        state.unsigned += 1;
    }
    if state.is_down {
        return (StatusCode::FORBIDDEN, Bytes::new());
    }
    match method.as_str() {
        "PUT" => {
            state.objects.insert(path, body);
            (StatusCode::OK, Bytes::new())
        }
        "GET" => match state.objects.get(&path) {
            Some(found) => (StatusCode::OK, found.clone()),
            None => (StatusCode::NOT_FOUND, Bytes::new()),
        },
        "DELETE" => {
            state.objects.remove(&path);
            (StatusCode::NO_CONTENT, Bytes::new())
        }
        // Several at once.
        "POST" => {
            let text = String::from_utf8_lossy(&body).into_owned();
            state.objects.retain(|key, _| !text.contains(key.split_once('/').map_or("", |k| k.1)));
            let key = text.split("<Key>").nth(1).and_then(|rest| rest.split("</Key>").next());
            let key = key.unwrap_or_default();
            let answer =
                format!("<DeleteResult><Deleted><Key>{key}</Key></Deleted></DeleteResult>");
            (StatusCode::OK, Bytes::from(answer))
        }
        _ => (StatusCode::METHOD_NOT_ALLOWED, Bytes::new()),
    }
}

async fn s3(tasks: &mut JoinSet<()>) -> Result<(Bucket, Files)> {
    let bucket = Bucket::default();
    let tagged = axum::middleware::map_response(|mut answer: axum::response::Response| async {
        let headers = answer.headers_mut();
        headers.insert("etag", axum::http::HeaderValue::from_static("\"tag\""));
        let date = axum::http::HeaderValue::from_static("Sat, 21 Nov 2026 12:00:00 GMT");
        headers.insert("last-modified", date);
        answer
    });
    let routes = Router::new().route("/{*path}", any(serve)).layer(tagged);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let endpoint = Some(format!("http://{}", listener.local_addr()?));
    let routes = routes.with_state(bucket.clone());
    tasks.spawn(async move {
        let _ended = axum::serve(listener, routes).await;
    });
    let config = Config {
        store: FileStore::S3,
        bucket: Some("gym".to_owned()),
        endpoint,
        access_key: Some("key".to_owned()),
        secret_key: Some(Secret::from("secret".to_owned())),
        ..Config::default()
    };
    Ok((bucket, Files::open(&config, std::path::Path::new("."))?))
}

#[tokio::test]
async fn s3_keeps_files_by_signed_requests() -> Result<()> {
    let mut tasks = JoinSet::new();
    let (bucket, files) = s3(&mut tasks).await?;

    keeps_finds_and_removes(&files).await?;

    assert_eq!(bucket.0.lock().unwrap_or_else(PoisonError::into_inner).unsigned, 0);
    Ok(())
}

#[tokio::test]
async fn a_store_that_refuses_fails_clearly_and_without_the_key() -> Result<()> {
    let mut tasks = JoinSet::new();
    let (bucket, files) = s3(&mut tasks).await?;
    bucket.0.lock().unwrap_or_else(PoisonError::into_inner).is_down = true;

    let failed = files.put("a", Bytes::from_static(b"x")).await.unwrap_err();

    let text = format!("{failed:#}");
    assert!(text.starts_with("a file cannot be kept") && !text.contains("secret"), "{text}");
    bucket.0.lock().unwrap_or_else(PoisonError::into_inner).is_down = false;
    files.put("a", Bytes::from_static(b"x")).await
}
