//! Connections that are kept between reads.

use anyhow::Result;
use cloud_api::postgres::Reads;
use std::collections::HashSet;
use std::time::Duration;
use tests::api::Api;
use tokio::task::JoinSet;
use tokio::time::timeout;

const LIMIT: Duration = Duration::from_secs(20);
const WHO: &str = "SELECT pg_backend_pid()";

/// Reads with a connection that is given back, and says which one.
async fn read(api: &Api) -> Result<i32> {
    read_by(api.app.reads.clone()).await
}

async fn read_by(reads: Reads) -> Result<i32> {
    let mut db = reads.take().await?;
    let who = sqlx::query_scalar(WHO).fetch_one(&mut *db).await?;
    db.give_back();
    Ok(who)
}

#[tokio::test]
async fn the_connection_that_was_used_last_is_used_again() -> Result<()> {
    let api = Api::new().await?;

    let first = read(&api).await?;

    assert_eq!(read(&api).await?, first);
    Ok(())
}

#[tokio::test]
async fn a_connection_that_broke_is_not_used_again() -> Result<()> {
    let api = Api::new().await?;
    let first = read(&api).await?;
    let end = sqlx::query("SELECT pg_terminate_backend($1, 10000)").bind(first);
    end.execute(&api.app.db).await?;

    // Whether it is noticed before or by the read depends on how long it was kept.
    let next = match read(&api).await {
        Ok(next) => next,
        Err(_) => read(&api).await?,
    };

    assert_ne!(next, first);
    Ok(())
}

#[tokio::test]
async fn a_read_that_is_given_up_hands_nobody_its_answer() -> Result<()> {
    let api = Api::new().await?;
    let mut db = api.app.reads.take().await?;
    let slow = sqlx::query_scalar::<_, i32>("SELECT 7 FROM pg_sleep(0.2)").fetch_one(&mut *db);
    let given_up = timeout(Duration::from_millis(1), slow).await;
    drop(db);

    for _ in 0..30 {
        assert!(read(&api).await? > 7);
    }

    assert!(given_up.is_err());
    Ok(())
}

#[tokio::test]
async fn more_readers_than_connections_take_turns() -> Result<()> {
    let api = Api::new().await?;

    let reads: JoinSet<_> = (0..200).map(|_| read_by(api.app.reads.clone())).collect();
    let seen = timeout(LIMIT, reads.join_all()).await?;

    let used: HashSet<i32> = seen.into_iter().collect::<Result<_>>()?;
    assert!(used.len() <= 8, "{used:?}");
    Ok(())
}

#[tokio::test]
async fn the_pool_closes_though_connections_were_kept() -> Result<()> {
    let api = Api::new().await?;
    read(&api).await?;

    api.app.stop.cancel();
    timeout(LIMIT, api.app.reads.clone().run()).await??;
    read(&api).await?;

    timeout(LIMIT, api.app.db.close()).await?;
    Ok(())
}
