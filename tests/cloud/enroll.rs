//! `/edge/v1/enroll`.

use crate::edge::{Edge, Scene, code, enrolment, key};
use crate::gym::Gym;
use anyhow::Result;
use tests::api::{Answer, Api};
use time::Duration;

fn told(answer: &Answer) -> Result<(u16, String)> {
    let code = answer.json()?["code"].as_str().unwrap_or_default().to_owned();
    Ok((answer.status.as_u16(), code))
}

#[tokio::test]
async fn an_edge_is_told_where_it_stands_and_whom_to_believe() -> Result<()> {
    let scene = Scene::open().await?;

    let told = &scene.edge.enrolment;

    assert_eq!(told.branch_id, scene.gym.branch.id.into());
    assert_eq!(told.branch_name, "Centre");
    assert_eq!(told.organization_id, scene.gym.organization.into());
    assert_eq!(told.cloud_keys.len(), 1);
    assert_eq!(told.credential_key.len(), 64);
    Ok(())
}

#[tokio::test]
async fn a_code_enrols_once() -> Result<()> {
    let api = Api::new().await?;
    let gym = Gym::open(&api, "Once").await?;
    let code = code(&api, gym.branch.id).await?;
    api.post("/edge/v1/enroll", None, &enrolment(&code, &key(1))).await?;

    let second = api.post("/edge/v1/enroll", None, &enrolment(&code, &key(2))).await?;

    assert_eq!(told(&second)?, (401, "code_used".to_owned()));
    Ok(())
}

#[tokio::test]
async fn an_agent_whose_answer_was_lost_asks_again_and_is_the_same_edge() -> Result<()> {
    let api = Api::new().await?;
    let gym = Gym::open(&api, "Lost").await?;
    let request = enrolment(&code(&api, gym.branch.id).await?, &key(1));
    let lost = api.post("/edge/v1/enroll", None, &request).await?;

    let again = api.post("/edge/v1/enroll", None, &request).await?;

    assert_eq!(again.status, 200);
    assert_eq!(again.json()?["edge_id"], lost.json()?["edge_id"]);
    Ok(())
}

#[tokio::test]
async fn a_code_is_good_for_an_hour() -> Result<()> {
    let api = Api::new().await?;
    let gym = Gym::open(&api, "Hour").await?;
    let code = code(&api, gym.branch.id).await?;
    api.app.clock.advance(Duration::HOUR);

    let late = api.post("/edge/v1/enroll", None, &enrolment(&code, &key(1))).await?;

    assert_eq!(told(&late)?, (401, "code_expired".to_owned()));
    Ok(())
}

#[tokio::test]
async fn a_code_without_the_proof_of_the_key_is_worth_nothing() -> Result<()> {
    let api = Api::new().await?;
    let gym = Gym::open(&api, "Proof").await?;
    let mut request = enrolment(&code(&api, gym.branch.id).await?, &key(1));
    request["public_key"] = hex::encode(key(2).verifying_key().as_bytes()).into();

    let stolen = api.post("/edge/v1/enroll", None, &request).await?;

    assert_eq!(told(&stolen)?, (401, "invalid_proof".to_owned()));
    Ok(())
}

#[tokio::test]
async fn guessing_is_slowed_down() -> Result<()> {
    let api = Api::new().await?;
    for _ in 0..10 {
        let guess = api.post("/edge/v1/enroll", None, &enrolment("0000-0000-000", &key(1))).await?;
        assert_eq!(told(&guess)?, (401, "invalid_code".to_owned()));
    }

    let guess = api.post("/edge/v1/enroll", None, &enrolment("0000-0000-001", &key(1))).await?;

    assert_eq!(told(&guess)?, (429, "too_many_attempts".to_owned()));
    assert!(guess.headers.contains_key("retry-after"));
    Ok(())
}

#[tokio::test]
async fn a_new_edge_replaces_the_former_one_and_its_key() -> Result<()> {
    let scene = Scene::open().await?;

    Edge::enrol(&scene.api, scene.gym.branch.id).await?;

    let call = scene.api.get("/edge/v1/commands", Some(&scene.edge.token)).await?;
    assert_eq!(told(&call)?, (401, "invalid_client".to_owned()));
    let claims = scene.edge.claims(&scene.api, "first");
    let token = scene.edge.ask(&scene.api, &claims).await?;
    assert_eq!(told(&token)?, (401, "invalid_client".to_owned()));
    Ok(())
}
