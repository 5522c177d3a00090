//! Requests with an `Idempotency-Key`, and the audit log that tells what was done.

use super::{STRONG, cloud, count, registered, told};
use anyhow::Result;
use axum::body::Body;
use axum::http::Request;
use cloud_api::jobs::run_due_jobs;
use serde_json::{Value, json};
use sqlx::PgPool;
use std::time::Duration as StdDuration;
use tests::api::{Answer, Api};
use tests::wait;
use time::Duration;

const LIMIT: StdDuration = StdDuration::from_secs(20);

async fn register(api: &Api, key: &str, email: &str) -> Result<Answer> {
    let new = json!({"email": email, "password": STRONG, "name": "Ada"});
    let request = Request::post("/api/v1/auth/register")
        .header("content-type", "application/json")
        .header("idempotency-key", key);
    api.call(request.body(Body::from(new.to_string()))?).await
}

#[tokio::test]
async fn the_same_request_with_the_same_key_is_carried_out_once() -> Result<()> {
    let (api, _) = cloud().await?;

    let first = register(&api, "key-1", "ada@example.com").await?;
    let second = register(&api, "key-1", "ada@example.com").await?;

    assert_eq!((first.status.as_u16(), second.status.as_u16()), (201, 201));
    assert_eq!(first.body, second.body);
    assert_eq!(second.headers["idempotency-replayed"], "true");
    assert_eq!(second.headers["content-type"], first.headers["content-type"]);
    assert_eq!(count(&api, "SELECT count(*) FROM users").await?, 1);
    let other = register(&api, "key-2", "ada@example.com").await?;
    assert_eq!(told(&other)?, (409, json!("email_taken")));
    Ok(())
}

#[tokio::test]
async fn the_same_request_at_the_same_time_waits_for_the_first() -> Result<()> {
    let (api, _) = cloud().await?;
    let send = || register(&api, "key-1", "ada@example.com");

    let (one, two, three) = tokio::join!(send(), send(), send());

    let answers = [one?, two?, three?];
    assert!(answers.iter().all(|answer| answer.status == 201));
    assert!(answers.iter().all(|answer| answer.body == answers[0].body));
    assert_eq!(count(&api, "SELECT count(*) FROM users").await?, 1);
    Ok(())
}

#[tokio::test]
async fn what_failed_may_be_tried_again_with_its_key() -> Result<()> {
    let (api, _) = cloud().await?;
    registered(&api, "ada@example.com").await?;
    let taken = register(&api, "key-1", "ada@example.com").await?;
    assert_eq!(taken.status, 409);

    sqlx::query("DELETE FROM users").execute(&api.app.db).await?;

    assert_eq!(register(&api, "key-1", "ada@example.com").await?.status, 201);
    Ok(())
}

/// As it is when a service dies after its commit and before the answer was kept.
async fn lose_the_answer(api: &Api) -> Result<()> {
    let lose = "UPDATE idempotency_keys SET status = NULL, headers = NULL, body = NULL";
    sqlx::query(lose).execute(&api.app.db).await?;
    Ok(())
}

async fn praise(api: &Api, token: &str) -> Result<Answer> {
    let request = Request::post("/api/v1/users/feedback")
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", "application/json")
        .header("idempotency-key", "key-1");
    let body = json!({"kind": "praise", "message": "Good."});
    api.call(request.body(Body::from(body.to_string()))?).await
}

#[tokio::test]
async fn what_was_carried_out_is_not_carried_out_again_though_its_answer_was_lost() -> Result<()> {
    let (api, _) = cloud().await?;
    let (token, _) = registered(&api, "ada@example.com").await?;
    assert_eq!(praise(&api, &token).await?.status, 201);
    lose_the_answer(&api).await?;

    api.app.clock.advance(Duration::seconds(61));
    let again = praise(&api, &token).await?;

    assert_eq!(told(&again)?, (409, json!("already_carried_out")));
    assert_eq!(count(&api, "SELECT count(*) FROM feedback").await?, 1);
    Ok(())
}

#[tokio::test]
async fn a_request_whose_service_died_before_its_commit_is_carried_out_after_a_minute() -> Result<()>
{
    let (api, _) = cloud().await?;
    let (token, _) = registered(&api, "ada@example.com").await?;
    assert_eq!(praise(&api, &token).await?.status, 201);
    lose_the_answer(&api).await?;
    for undo in ["UPDATE idempotency_keys SET is_carried_out = false", "DELETE FROM feedback"] {
        sqlx::query(undo).execute(&api.app.db).await?;
    }

    api.app.clock.advance(Duration::seconds(61));
    let again = praise(&api, &token).await?;

    assert_eq!(again.status, 201);
    assert_eq!(count(&api, "SELECT count(*) FROM feedback").await?, 1);
    Ok(())
}

/// Until so many wait for the table that the test has locked.
async fn blocked(watching: &PgPool, number: i64) -> Result<()> {
    let waiting = "SELECT count(*) FROM pg_locks JOIN pg_database ON oid = database
         WHERE NOT granted AND relation = 'feedback'::regclass AND datname = current_database()";
    wait::until_true("requests wait", LIMIT, || async {
        let found: i64 = sqlx::query_scalar(waiting).fetch_one(watching).await?;
        Ok(found == number)
    })
    .await
}

#[tokio::test]
async fn a_request_that_was_taken_for_dead_and_who_took_over_do_it_once_between_them() -> Result<()>
{
    let (api, _) = cloud().await?;
    let (token, _) = registered(&api, "ada@example.com").await?;
    // The requests need all connections of their own pool.
    let other = api.db().pool().await?;
    let mut locked = other.begin().await?;
    sqlx::query("LOCK TABLE feedback IN ACCESS EXCLUSIVE MODE").execute(&mut *locked).await?;
    let take_over = async {
        blocked(&other, 1).await?;
        api.app.clock.advance(Duration::seconds(61));
        let release = async {
            blocked(&other, 2).await?;
            Ok(locked.rollback().await?)
        };
        Ok(tokio::try_join!(praise(&api, &token), release)?.0)
    };

    let (slow, quick) = tokio::try_join!(praise(&api, &token), take_over)?;

    let mut statuses = [slow.status.as_u16(), quick.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409]);
    assert_eq!(count(&api, "SELECT count(*) FROM feedback").await?, 1);
    Ok(())
}

#[tokio::test]
async fn an_answer_is_kept_for_a_day_and_sealed() -> Result<()> {
    let (api, _) = cloud().await?;
    register(&api, "key-1", "ada@example.com").await?;
    let body: Vec<u8> =
        sqlx::query_scalar("SELECT body FROM idempotency_keys").fetch_one(&api.app.db).await?;
    assert!(!String::from_utf8_lossy(&body).contains("access_token"));
    let kept = "SELECT count(*) FROM idempotency_keys";

    api.app.clock.advance(Duration::hours(23));
    run_due_jobs(&api.app).await?;
    assert_eq!(count(&api, kept).await?, 1);
    api.app.clock.advance(Duration::hours(2));
    run_due_jobs(&api.app).await?;
    assert_eq!(count(&api, kept).await?, 0);
    Ok(())
}

#[tokio::test]
async fn a_key_that_cannot_be_is_refused() -> Result<()> {
    let (api, _) = cloud().await?;

    let answer = register(&api, &"x".repeat(256), "ada@example.com").await?;

    assert_eq!(super::field(&answer)?, (422, json!("Idempotency-Key"), json!("invalid")));
    Ok(())
}

#[tokio::test]
async fn the_audit_log_tells_what_was_done_and_cannot_be_changed() -> Result<()> {
    let (api, _) = cloud().await?;
    let (access, _) = registered(&api, "ada@example.com").await?;
    super::log_in(&api, "ada@example.com", "wrong").await?;
    api.post("/api/v1/auth/logout", Some(&access), &json!({})).await?;

    let actions: Vec<String> = sqlx::query_scalar("SELECT action FROM audit_log ORDER BY id")
        .fetch_all(&api.app.db)
        .await?;
    let rows: Vec<Value> = sqlx::query_scalar("SELECT to_jsonb(audit_log) FROM audit_log")
        .fetch_all(&api.app.db)
        .await?;

    assert_eq!(actions, ["account.registered", "login.opened", "login.failed", "login.ended"]);
    assert!(!json!(rows).to_string().contains("ada@example.com"));
    for sql in
        ["UPDATE audit_log SET actor_id = NULL", "DELETE FROM audit_log", "TRUNCATE audit_log"]
    {
        let refused = sqlx::query(sql).execute(&api.app.db).await;
        assert!(refused.is_err_and(|error| error.to_string().contains("append-only")), "{sql}");
    }
    Ok(())
}
