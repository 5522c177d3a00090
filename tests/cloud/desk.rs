//! Members as the desk of a branch sees and changes them.

use crate::changes::ask;
use crate::edge::Scene;
use crate::gym::Gym;
use anyhow::{Context, Result};
use axum::body::Body;
use axum::http::{Method, Request};
use cloud_api::domains::accounts::Role;
use cloud_api::ids::BranchId;
use protocol::sync::changes::Change;
use protocol::sync::roster::{Member, RosterItem};
use serde_json::{Value, json};
use tests::api::{Answer, Api};

/// Somebody at the desk.
struct Desk<'a> {
    api: &'a Api,
    token: String,
}

impl<'a> Desk<'a> {
    async fn open(api: &'a Api, gym: &Gym, role: Role, at: &[BranchId]) -> Result<Self> {
        Ok(Self { api, token: gym.token(api, role, at).await? })
    }

    async fn send(&self, method: Method, path: &str, body: Value) -> Result<Answer> {
        self.api.send(method, &format!("/api/v1{path}"), Some(&self.token), &body).await
    }

    async fn get(&self, path: &str) -> Result<Answer> {
        self.api.get(&format!("/api/v1{path}"), Some(&self.token)).await
    }

    async fn delete(&self, path: &str) -> Result<Answer> {
        self.api.delete(&format!("/api/v1{path}"), Some(&self.token)).await
    }

    /// Makes something; its id.
    async fn make(&self, path: &str, body: Value) -> Result<String> {
        let answer = self.send(Method::POST, path, body).await?;
        anyhow::ensure!(answer.status == 201, "{path}: {:?}", answer.json());
        Ok(answer.json()?["id"].as_str().context("no id")?.to_owned())
    }

    /// Names on the list.
    async fn names(&self, query: &str) -> Result<Vec<String>> {
        let answer = self.get(&format!("/members{query}")).await?;
        anyhow::ensure!(answer.status == 200, "{query}: {:?}", answer.json());
        let items = answer.json()?["items"].as_array().cloned().unwrap_or_default();
        Ok(items.iter().filter_map(|one| Some(one["display_name"].as_str()?.to_owned())).collect())
    }
}

fn code(answer: &Answer) -> Result<(u16, Value)> {
    Ok((answer.status.as_u16(), answer.json()?["code"].clone()))
}

fn at(branch: BranchId) -> Value {
    json!({"branch_ids": [branch], "valid_from": "2026-01-01"})
}

#[tokio::test]
async fn a_member_without_mail_and_app_is_made_changed_and_removed() -> Result<()> {
    let api = Api::new().await?;
    let gym = Gym::open(&api, "Gym").await?;
    let desk = Desk::open(&api, &gym, Role::Staff, &[gym.branch.id]).await?;

    let id = desk.make("/members", json!({"display_name": "Ada L.", "reference": "K-1"})).await?;
    let path = format!("/members/{id}");
    let named = json!({"display_name": "Ada Lovelace", "reference": null});
    let changed = desk.send(Method::PATCH, &path, named).await?.json()?;
    let removed = desk.delete(&path).await?;

    assert_eq!(changed["display_name"], "Ada Lovelace");
    assert_eq!((&changed["reference"], &changed["source"]), (&Value::Null, &json!("desk")));
    assert_eq!(removed.status, 204);
    assert_eq!(desk.get(&path).await?.status, 404);
    let actions: Vec<String> =
        sqlx::query_scalar("SELECT action FROM audit_log WHERE target_id = $1 ORDER BY id")
            .bind(id.parse::<uuid::Uuid>()?)
            .fetch_all(&api.app.db)
            .await?;
    assert_eq!(actions, ["member.created", "member.changed", "member.removed"]);
    Ok(())
}

#[tokio::test]
async fn a_reference_is_one_members() -> Result<()> {
    let api = Api::new().await?;
    let gym = Gym::open(&api, "Gym").await?;
    let desk = Desk::open(&api, &gym, Role::Admin, &[]).await?;
    desk.make("/members", json!({"display_name": "Ada", "reference": "K-1"})).await?;
    let ben = desk.make("/members", json!({"display_name": "Ben"})).await?;
    let named = json!({"reference": "K-1"});

    let made = json!({"display_name": "Eve", "reference": "K-1"});
    let made = desk.send(Method::POST, "/members", made).await?;
    let changed = desk.send(Method::PATCH, &format!("/members/{ben}"), named).await?;

    assert_eq!(code(&made)?, (409, json!("reference_taken")));
    assert_eq!(code(&changed)?, (409, json!("reference_taken")));
    Ok(())
}

#[tokio::test]
async fn the_same_request_with_the_same_key_makes_one_member() -> Result<()> {
    let api = Api::new().await?;
    let gym = Gym::open(&api, "Gym").await?;
    let desk = Desk::open(&api, &gym, Role::Staff, &[gym.branch.id]).await?;
    let send = async || {
        let request = Request::post("/api/v1/members")
            .header("authorization", format!("Bearer {}", desk.token))
            .header("content-type", "application/json")
            .header("idempotency-key", "a tablet's number 7");
        api.call(request.body(Body::from(r#"{"display_name":"Ada"}"#))?).await
    };

    let (first, second) = (send().await?, send().await?);

    assert_eq!(first.json()?, second.json()?);
    assert_eq!(desk.names("").await?, ["Ada"]);
    Ok(())
}

#[tokio::test]
async fn staff_see_members_of_their_branches_and_new_ones() -> Result<()> {
    let api = Api::new().await?;
    let gym = Gym::open(&api, "Gym").await?;
    gym.member(&api, "Here", Some(gym.branch.id)).await?;
    gym.member(&api, "There", Some(gym.other.id)).await?;
    gym.member(&api, "Everywhere", None).await?;
    let admin = Desk::open(&api, &gym, Role::Admin, &[]).await?;
    admin.make("/members", json!({"display_name": "New"})).await?;
    let elsewhere = Gym::open(&api, "Elsewhere").await?;
    elsewhere.member(&api, "Foreign", None).await?;

    let staff = Desk::open(&api, &gym, Role::Staff, &[gym.branch.id]).await?;

    assert_eq!(staff.names("").await?, ["Everywhere", "Here", "New"]);
    assert_eq!(admin.names("").await?, ["Everywhere", "Here", "New", "There"]);
    let here = format!("?branch_id={}", gym.branch.id);
    assert_eq!(staff.names(&here).await?, ["Everywhere", "Here"]);
    let there = staff.get(&format!("/members?branch_id={}", gym.other.id)).await?;
    assert_eq!(there.status, 404);
    Ok(())
}

#[tokio::test]
async fn the_list_is_searched_sorted_and_cut_into_pages() -> Result<()> {
    let api = Api::new().await?;
    let gym = Gym::open(&api, "Gym").await?;
    let desk = Desk::open(&api, &gym, Role::Admin, &[]).await?;
    for (name, reference) in [("Ben", "K-2"), ("ada", "K-1"), ("Zoë", "X-3")] {
        desk.make("/members", json!({"display_name": name, "reference": reference})).await?;
    }

    assert_eq!(desk.names("").await?, ["ada", "Ben", "Zoë"]);
    assert_eq!(desk.names("?sort=-number").await?, ["Zoë", "ada", "Ben"]);
    assert_eq!(desk.names("?q=k-").await?, ["ada", "Ben"]);
    assert_eq!(desk.names("?q=ZO%C3%8B").await?, ["Zoë"]);
    assert_eq!(desk.names("?q=%25").await?, Vec::<String>::new());
    let first = desk.get("/members?limit=2&sort=-name").await?;
    let cursor = first.json()?["next_cursor"].as_str().context("no cursor")?.to_owned();
    let rest = desk.names(&format!("?limit=2&sort=-name&cursor={cursor}")).await?;
    assert_eq!(rest, ["ada"]);
    Ok(())
}

#[tokio::test]
async fn what_has_not_changed_is_not_sent_again() -> Result<()> {
    let api = Api::new().await?;
    let gym = Gym::open(&api, "Gym").await?;
    let desk = Desk::open(&api, &gym, Role::Admin, &[]).await?;
    let member = gym.member(&api, "Ada", None).await?;
    let path = format!("/api/v1/members/{}", member.id);
    let etag = api.get(&path, Some(&desk.token)).await?.headers["etag"].clone();
    let again = async || {
        let request = Request::get(&path)
            .header("authorization", format!("Bearer {}", desk.token))
            .header("if-none-match", etag.clone());
        anyhow::Ok(api.call(request.body(Body::empty())?).await?.status)
    };

    let same = again().await?;
    desk.send(Method::PUT, &format!("/members/{}/block", member.id), json!({"reason": "x"}))
        .await?;

    assert_eq!((same.as_u16(), again().await?.as_u16()), (304, 200));
    Ok(())
}

#[tokio::test]
async fn staff_give_rights_at_their_own_branches_only() -> Result<()> {
    let api = Api::new().await?;
    let gym = Gym::open(&api, "Gym").await?;
    let staff = Desk::open(&api, &gym, Role::Staff, &[gym.branch.id]).await?;
    let id = staff.make("/members", json!({"display_name": "Ada"})).await?;
    let path = format!("/members/{id}/memberships");
    let everywhere = json!({"valid_from": "2026-01-01"});

    let there = staff.send(Method::POST, &path, at(gym.other.id)).await?;
    let all = staff.send(Method::POST, &path, everywhere.clone()).await?;
    let here = staff.make(&path, at(gym.branch.id)).await?;
    let wider = staff.send(Method::PUT, &format!("/memberships/{here}"), everywhere).await?;

    assert_eq!([there.status, all.status, wider.status].map(|status| status.as_u16()), [403; 3]);
    let elsewhere = gym.member(&api, "Ben", None).await?;
    let removed = staff.delete(&format!("/members/{}", elsewhere.id)).await?;
    assert_eq!(removed.status, 403);
    assert_eq!(staff.delete(&format!("/memberships/{here}")).await?.status, 204);
    Ok(())
}

#[tokio::test]
async fn days_branches_and_hours_that_cannot_be_meant_are_refused() -> Result<()> {
    let api = Api::new().await?;
    let gym = Gym::open(&api, "Gym").await?;
    let foreign = Gym::open(&api, "Elsewhere").await?.branch.id;
    let desk = Desk::open(&api, &gym, Role::Admin, &[]).await?;
    let path = format!("/members/{}/memberships", gym.member(&api, "Ada", None).await?.id);
    let refused = async |field: &str, value: Value| {
        let mut body = json!({"valid_from": "2026-01-01"});
        body[field] = value;
        let answer = desk.send(Method::POST, &path, body).await?;
        anyhow::Ok(answer.status.as_u16())
    };

    assert_eq!(refused("valid_until", json!("2025-12-31")).await?, 422);
    assert_eq!(refused("valid_from", json!("2026-02-30")).await?, 422);
    assert_eq!(refused("branch_ids", json!([foreign])).await?, 422);
    assert_eq!(refused("branch_ids", json!([])).await?, 422);
    let window = json!([{"days": ["mon"], "from": "25:00", "until": "06:00"}]);
    assert_eq!(refused("windows", window).await?, 422);
    Ok(())
}

#[tokio::test]
async fn a_card_is_given_switched_off_and_revoked_and_its_number_is_never_shown() -> Result<()> {
    let api = Api::new().await?;
    let gym = Gym::open(&api, "Gym").await?;
    let desk = Desk::open(&api, &gym, Role::Admin, &[]).await?;
    let ada = format!("/members/{}/credentials", gym.member(&api, "Ada", None).await?.id);
    let ben = format!("/members/{}/credentials", gym.member(&api, "Ben", None).await?.id);
    let card = json!({"kind": "nfc_uid", "uid": "04:de:5f:1e:ac:c0:40", "label": "blue"});

    let made = desk.send(Method::POST, &ada, card.clone()).await?;
    let taken = desk.send(Method::POST, &ben, card.clone()).await?;
    let phone = json!({"kind": "phone", "uid": "04de5f1eacc040"});
    let phone = desk.send(Method::POST, &ben, phone).await?;
    let id = made.json()?["id"].as_str().context("no id")?.to_owned();
    let path = format!("/credentials/{id}");
    let off = desk.send(Method::PATCH, &path, json!({"enabled": false})).await?.json()?;
    let listed = desk.get(&ada).await?.json()?;

    assert_eq!(code(&taken)?, (409, json!("credential_taken")));
    assert_eq!(phone.json()?["errors"][0]["field"], "uid");
    assert_eq!((&off["enabled"], &off["label"]), (&json!(false), &json!("blue")));
    assert!(!listed.to_string().to_lowercase().contains("04de"), "{listed}");
    assert_eq!(desk.delete(&path).await?.status, 204);
    assert_eq!(desk.send(Method::POST, &ben, card).await?.status, 201);
    Ok(())
}

/// The member as the door was told last.
fn told(changes: &[Change]) -> Result<Member> {
    let mut members = changes.iter().rev().filter_map(|change| match change {
        Change::Roster { kind, item, .. } => match RosterItem::decode(*kind, item).ok()? {
            RosterItem::Member(member) => Some(member),
            _ => None,
        },
        _ => None,
    });
    members.next().context("no member was told")
}

#[tokio::test]
async fn what_the_desk_does_is_told_to_the_door() -> Result<()> {
    let scene = Scene::open().await?;
    let (api, gym) = (&scene.api, &scene.gym);
    let desk = Desk::open(api, gym, Role::Staff, &[gym.branch.id]).await?;
    let id = desk.make("/members", json!({"display_name": "Ada"})).await?;
    let mut terms = at(gym.branch.id);
    terms["windows"] = json!([{"days": ["mon"], "from": "06:00", "until": "12:00"}]);
    let membership = desk.make(&format!("/members/{id}/memberships"), terms).await?;
    let mut heard = ask(&scene, 0, 0).await?;
    let first = told(&heard.changes)?;

    let because = json!({"reason": "payment"});
    desk.send(Method::PUT, &format!("/members/{id}/block"), because.clone()).await?;
    heard = ask(&scene, heard.to, 0).await?;
    let blocked = told(&heard.changes)?;
    desk.delete(&format!("/members/{id}/block")).await?;
    desk.send(Method::PUT, &format!("/memberships/{membership}/freeze"), because).await?;
    heard = ask(&scene, heard.to, 0).await?;
    let frozen = told(&heard.changes)?;
    desk.delete(&format!("/memberships/{membership}/freeze")).await?;
    let until = json!({"branch_ids": [gym.branch.id], "valid_from": "2026-01-01",
                       "valid_until": "2026-01-31"});
    desk.send(Method::PUT, &format!("/memberships/{membership}"), until).await?;
    let short = told(&ask(&scene, heard.to, 0).await?.changes)?;

    assert_eq!(first.memberships[0].windows[0].from_min, 360);
    assert_eq!(blocked.blocked.as_deref(), Some("payment"));
    assert!(frozen.blocked.is_none() && frozen.memberships[0].frozen);
    assert!(!short.memberships[0].frozen && short.memberships[0].windows.is_empty());
    assert_eq!(short.memberships[0].valid_until_ms, Some(1_769_904_000_000));
    Ok(())
}
