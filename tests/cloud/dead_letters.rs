//! Jobs that fail again and again are given up, kept, and may be tried once more.

use crate::gym::Gym;
use anyhow::Result;
use cloud_api::jobs::{self, run_due_jobs};
use serde_json::json;
use tests::api::Api;
use time::Duration;

#[tokio::test]
async fn a_job_is_retried_ever_later_then_given_up_and_may_be_tried_again() -> Result<()> {
    let api = Api::new().await?;
    Gym::open(&api, "Gym").await?;
    api.inbox.fail(20);
    let new =
        json!({"email": "ada@example.com", "password": "marble otter sings 7 tangos", "name": "A"});
    api.post("/api/v1/auth/register", None, &new).await?;
    let failed =
        || async { Ok::<_, anyhow::Error>(jobs::failed(&mut *api.app.db.acquire().await?).await?) };

    for _ in 0..19 {
        run_due_jobs(&api.app).await?;
        api.app.clock.advance(Duration::hours(2));
    }
    assert_eq!(failed().await?.len(), 0);
    run_due_jobs(&api.app).await?;

    let given_up = failed().await?;
    assert_eq!((given_up.len(), given_up[0].attempts), (1, 20));
    assert_eq!(given_up[0].kind, "mail.send_letter");
    assert!(given_up[0].last_error.as_deref().is_some_and(|error| error.contains("told to fail")));
    let now = api.app.clock.now();
    assert!(jobs::retry(&mut *api.app.db.acquire().await?, given_up[0].id, now).await?);
    run_due_jobs(&api.app).await?;
    assert_eq!((failed().await?.len(), api.inbox.take().len()), (0, 1));
    Ok(())
}
