//! What the cloud says of machines, at a branch with an edge: out of use, back, retired while somebody has one.

use anyhow::{Context as _, Result, ensure};
use cloud_api::domains::sessions::Wanted;
use cloud_api::ids::DeviceId;
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;
use tests::metrics::{LINKS, SESSIONS};
use tests::scene::{self, Scene};
use tests::wait;

const LIMIT: Duration = Duration::from_secs(20);

/// Machines that are lent, at the branch and in the cloud.
async fn lent(scene: &Scene, what: &str, links: i64) -> Result<()> {
    wait::until_true(what, LIMIT, || async {
        let at_branch = scene.edge.metric(LINKS).await?;
        let open =
            sqlx::query_scalar::<_, i64>("SELECT count(*) FROM links WHERE ended_at IS NULL");
        let here = open.fetch_one(&scene.pool).await?;
        #[expect(clippy::cast_precision_loss, reason = "counts")]
        let wanted = links as f64;
        Ok(here == links && (at_branch - wanted).abs() < 0.1)
    })
    .await
}

/// Whether the cloud believes the machine to be out of use.
async fn is_out(scene: &Scene) -> Result<bool> {
    let out =
        sqlx::query_scalar("SELECT out_of_use_since IS NOT NULL FROM devices WHERE code = 'rower'");
    Ok(out.fetch_one(&scene.pool).await?)
}

#[tokio::test]
async fn a_machine_that_is_out_of_use_or_retired_is_given_back_at_the_branch_and_stays_known()
-> Result<()> {
    let mut scene = Scene::prepare().await?;
    scene.site.machines(&["rower".to_owned()]).await?;
    let ada = scene.site.member("Ada", &[]).await?;
    let door = scene.site.reader("door").await?;
    scene.edge.start().await?;
    scene::known(&scene.edge, &door).await?;
    let (staff, admin) = (scene.staff().await?, scene.admin().await?);
    let rower: uuid::Uuid = sqlx::query_scalar("SELECT id FROM devices WHERE code = 'rower'")
        .fetch_one(&scene.pool)
        .await?;
    let take =
        async || scene.site.ask(Wanted::Link { member: ada, machine: DeviceId(rower) }).await;
    let say = async |action: &str| {
        let body = json!({"machine_id": rower, "action": action, "message": "belt"});
        staff.send(Method::POST, "/api/v1/machines/maintenance", &body).await
    };

    take().await?;
    lent(&scene, "the machine is lent", 1).await?;
    say("set").await?;
    lent(&scene, "out of use, it is given back", 0).await?;
    ensure!(is_out(&scene).await?, "the cloud forgot that it is out of use");
    say("clear").await?;
    wait::until_true("the branch has journaled both", LIMIT, || async {
        let said = sqlx::query_scalar::<_, i64>(
            "SELECT count(*) FROM staff_acts WHERE act ? 'OutOfOrder' AND staff_id IS NOT NULL",
        );
        Ok(said.fetch_one(&scene.pool).await? == 2)
    })
    .await?;
    ensure!(!is_out(&scene).await?, "the cloud forgot that it is in use again");
    take().await?;
    lent(&scene, "the machine is lent again", 1).await?;
    admin.delete(&format!("/api/v1/admin/machines/{rower}")).await?;
    lent(&scene, "retired, it is given back", 0).await?;

    let sessions = scene.edge.metric(SESSIONS).await?;
    ensure!((sessions - 1.0).abs() < 0.1, "she is inside still, {sessions}");
    let links: Vec<Option<String>> =
        sqlx::query_scalar("SELECT end_reason FROM links ORDER BY started_at")
            .fetch_all(&scene.pool)
            .await?;
    let links: Vec<_> = links.iter().map(Option::as_deref).collect();
    ensure!(links == [Some("out_of_order"), Some("unlinked")], "{links:?}");
    let order = json!({"command": "diag"});
    let edges = admin.get("/api/v1/admin/edges").await?;
    let edge = edges["items"][0]["id"].as_str().context("no edge")?;
    let commands = format!("/api/v1/admin/edges/{edge}/commands");
    let given = admin.send(Method::POST, &commands, &order).await?;
    let one = format!("{commands}/{}", given["id"].as_str().context("no id")?);
    wait::until_true("the edge has told how it is", LIMIT, || async {
        let told: Value = admin.get(&one).await?;
        Ok(told["status"] == "done" && told["detail"].as_str().is_some_and(|it| it.len() > 20))
    })
    .await?;
    scene.edge.stop().await
}
