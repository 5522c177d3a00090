//! Profiles are remembered, and what changes them counts at once here, within a second on other instances, and also while
//! the bus is not heard.

use super::{STRONG, change_profile};
use super::{cloud, instance, letters, log_in, not_heard, profile, registered, token_of, verify};
use anyhow::Result;
use cloud_api::domains::accounts::Role;
use serde_json::{Value, json};
use std::time::Duration;
use tests::api::Api;
use tests::wait;
use tokio::task::JoinSet;
use tokio::time::timeout;

const LIMIT: Duration = Duration::from_secs(20);

/// Somebody whose profile two instances remember, both of which hear the bus.
struct Two {
    one: Api,
    other: Api,
    token: String,
    tasks: JoinSet<Result<()>>,
    /// Has the database.
    api: Api,
}

impl Two {
    async fn start() -> Result<Self> {
        let (api, _) = cloud().await?;
        let mut tasks = JoinSet::new();
        let one = instance(&api, &mut tasks).await?;
        let other = instance(&api, &mut tasks).await?;
        let (token, _) = registered(&one, "ada@example.com").await?;
        let two = Self { one, other, token, tasks, api };
        two.is_told(|profile| profile["first_name"].is_null()).await?;
        Ok(two)
    }

    async fn of(&self, instance: &Api) -> Result<Value> {
        profile(instance, &self.token).await?.json()
    }

    /// At once where it was changed, soon on the other instance.
    async fn is_told(&self, is_new: impl Fn(&Value) -> bool) -> Result<()> {
        let here = self.of(&self.one).await?;
        assert!(is_new(&here), "{here}");
        wait::until_true("the other instance tells it", LIMIT, || async {
            Ok(is_new(&self.of(&self.other).await?))
        })
        .await
    }
}

#[tokio::test]
async fn a_profile_is_read_once_and_a_change_counts_on_all_instances() -> Result<()> {
    let two = Two::start().await?;
    let mut locked = two.api.app.db.begin().await?;
    sqlx::query("LOCK TABLE user_profiles IN ACCESS EXCLUSIVE MODE").execute(&mut *locked).await?;
    // Whoever looked into the table now would wait in vain.
    let first = timeout(LIMIT, two.of(&two.other)).await??;
    locked.rollback().await?;

    for name in ["Ada", "Grace"] {
        let changed = change_profile(&two.one, &two.token, &json!({"first_name": name})).await?;
        assert_eq!(changed.status, 200);
        two.is_told(|profile| profile["first_name"] == name).await?;
    }

    assert_eq!(first["first_name"], Value::Null);
    Ok(())
}

#[tokio::test]
async fn what_shows_in_a_profile_is_told_whoever_changes_it() -> Result<()> {
    let two = Two::start().await?;
    let before = two.of(&two.one).await?;

    two.one.app.clock.advance(time::Duration::minutes(1));
    log_in(&two.one, "ada@example.com", STRONG).await?;
    two.is_told(|profile| profile["last_login_at"] != before["last_login_at"]).await?;
    let letter = letters(&two.api).await?.remove(0);
    verify(&two.one, &token_of(&letter)?).await?;

    two.is_told(|profile| profile["is_email_verified"] == true).await?;
    let picture = crate::users::avatars::picture()?;
    let (path, token) = ("/users/upload-avatar", &two.token);
    let made = crate::users::upload(&two.one, token, path, "file", &picture).await?;
    assert_eq!(made.status, 201);
    two.is_told(|profile| profile["avatar_id"].is_string()).await?;
    assert_eq!(two.one.delete("/api/v1/users/avatar", Some(token)).await?.status, 204);
    two.is_told(|profile| profile["avatar_id"].is_null()).await?;
    let rename = "UPDATE users SET name = 'Lovelace', plan = 'premium', plan_ends_at = NULL";
    sqlx::query(rename).execute(&two.api.app.db).await?;
    wait::until_true("both tell what was changed by hand", LIMIT, || async {
        let told = [two.of(&two.one).await?, two.of(&two.other).await?];
        Ok(told.iter().all(|told| told["name"] == "Lovelace" && told["plan"] == "premium"))
    })
    .await
}

#[tokio::test]
async fn a_remembered_profile_is_told_to_nobody_who_is_logged_out_or_suspended() -> Result<()> {
    let (api, gym) = cloud().await?;
    let mut tasks = JoinSet::new();
    let one = instance(&api, &mut tasks).await?;
    let other = instance(&api, &mut tasks).await?;
    let refused = async |token: &str, status: u16| {
        wait::until_true("the other instance refuses", LIMIT, || async {
            Ok(profile(&other, token).await?.status == status)
        })
        .await
    };
    let leaving = gym.token(&one, Role::Member, &[]).await?;
    let suspended = gym.token(&one, Role::Member, &[]).await?;
    for token in [&leaving, &suspended] {
        assert_eq!(profile(&one, token).await?.status, 200);
        assert_eq!(profile(&other, token).await?.status, 200);
    }

    one.post("/api/v1/auth/logout", Some(&leaving), &json!({})).await?;
    assert_eq!(profile(&one, &leaving).await?.status, 401);
    refused(&leaving, 401).await?;

    sqlx::query("UPDATE users SET status = 'suspended'").execute(&api.app.db).await?;
    refused(&suspended, 403).await
}

#[tokio::test]
async fn a_plan_whose_time_is_over_shows_at_once() -> Result<()> {
    let two = Two::start().await?;
    let ends = "UPDATE users SET plan = 'premium', plan_ends_at = $1";
    let ends_at = two.api.app.clock.now() + time::Duration::minutes(5);
    sqlx::query(ends).bind(ends_at).execute(&two.api.app.db).await?;
    wait::until_true("it is premium", LIMIT, || async {
        Ok(two.of(&two.other).await?["plan"] == "premium")
    })
    .await?;

    two.other.app.clock.advance(time::Duration::minutes(6));

    assert_eq!(two.of(&two.other).await?["plan"], "free");
    Ok(())
}

#[tokio::test]
async fn while_the_bus_is_not_heard_profiles_are_read_each_time() -> Result<()> {
    let mut two = Two::start().await?;
    not_heard(&two.other, &mut two.tasks).await?;

    change_profile(&two.one, &two.token, &json!({"first_name": "Ada"})).await?;

    assert_eq!(two.of(&two.other).await?["first_name"], "Ada");
    assert_eq!(two.of(&two.one).await?["first_name"], "Ada");
    Ok(())
}
