//! Walks the routes: each declares what it needs, and refuses everybody else.

use crate::gym::{Gym, PASSWORD};
use crate::walk::{document, operations, whole_body};
use anyhow::{Context, Result};
use axum::body::Body;
use axum::http::Request;
use cloud_api::domains::accounts::Role;
use cloud_api::domains::devices::MachineType;
use cloud_api::domains::members::{self, Proof};
use cloud_api::http::Permission;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use tests::api::{Answer, Api};

/// A route that asks for a user.
struct Route {
    method: String,
    path: String,
    permissions: Vec<Permission>,
    /// With all that is required.
    body: String,
}

fn routes() -> Result<Vec<Route>> {
    let document = document()?;
    let mut routes = Vec::new();
    for operation in operations(&document) {
        let Some(scopes) = operation.says["security"][0]["bearer"].as_array() else { continue };
        let named = |scope: &Value| Permission::named(scope.as_str()?);
        let permissions = scopes.iter().filter_map(named).collect();
        let body = Value::Object(whole_body(&document, &operation)).to_string();
        let (method, path) = (operation.method, operation.path);
        routes.push(Route { method, path, permissions, body });
    }
    Ok(routes)
}

impl Route {
    fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    async fn call(&self, api: &Api, path: &str, token: Option<&str>) -> Result<Answer> {
        let mut request = Request::builder()
            .method(self.method.as_str())
            .uri(path)
            .header("content-type", "application/json");
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        api.call(request.body(Body::from(self.body.clone()))?).await
    }
}

fn told(answer: &Answer) -> Result<(u16, Value)> {
    Ok((answer.status.as_u16(), answer.json()?["code"].clone()))
}

#[tokio::test]
async fn every_protected_route_refuses_who_has_no_token() -> Result<()> {
    let api = Api::new().await?;
    let routes = routes()?;
    assert!(!routes.is_empty());

    for route in routes {
        let answer = route.call(&api, &route.path, None).await?;

        assert_eq!(told(&answer)?, (401, json!("unauthorized")), "{}", route.name());
        assert_eq!(answer.json()?["detail"], "No token provided", "{}", route.name());
        let wrong = route.call(&api, &route.path, Some("a.b.c")).await?;
        assert_eq!(wrong.json()?["detail"], "Invalid token", "{}", route.name());
    }
    Ok(())
}

#[tokio::test]
async fn every_protected_route_refuses_the_wrong_role() -> Result<()> {
    let api = Api::new().await?;
    let gym = Gym::open(&api, "Gym").await?;
    let roles = [Role::Member, Role::Moderator, Role::Staff];
    let mut refused = BTreeSet::new();

    for route in routes()? {
        for role in roles {
            let token = gym.token(&api, role, &[]).await?;
            let free = cloud_api::domains::accounts::Plan::Free;
            let may = route.permissions.iter().all(|one| one.is_given_to(role, free));
            let answer = route.call(&api, &route.path, Some(&token)).await?;
            let is_refused = answer.status == 403;
            assert_eq!(is_refused, !may, "{} as {role}", route.name());
            if is_refused {
                assert_eq!(answer.json()?["detail"], "Insufficient permissions");
                refused.insert(route.name());
            }
        }
    }

    assert!(!refused.is_empty());
    Ok(())
}

#[tokio::test]
async fn every_protected_route_refuses_who_is_suspended() -> Result<()> {
    let api = Api::new().await?;
    let gym = Gym::open(&api, "Gym").await?;
    let token = gym.token(&api, Role::Admin, &[]).await?;
    sqlx::query("UPDATE users SET status = 'suspended'").execute(&api.app.db).await?;

    for route in routes()? {
        let answer = route.call(&api, &route.path, Some(&token)).await?;
        assert_eq!(told(&answer)?, (403, json!("account_suspended")), "{}", route.name());
    }
    Ok(())
}

/// Things of the user who was made last.
const OF_SOMEBODY: [(&str, &str); 8] = [
    (
        "/api/v1/workouts/machine/{id}",
        "INSERT INTO machine_workouts (id, member_id, branch_id, started_at, sets, reps, volume_kg, moving_s,
             distance_m, energy_kcal) VALUES ($1, $1, $2, now(), 0, 0, 0, 0, 0, 0)",
    ),
    (
        "/api/v1/admin/workouts/machine/{id}",
        "INSERT INTO machine_workouts (id, member_id, branch_id, started_at, sets, reps, volume_kg, moving_s,
             distance_m, energy_kcal) VALUES ($1, $1, $2, now(), 0, 0, 0, 0, 0, 0)",
    ),
    (
        "/api/v1/admin/workout-orphans/{id}",
        "INSERT INTO workout_orphans (id, branch_id, machine_id, day, started_at, ended_at, sets, reps,
             distance_m, energy_kcal) VALUES ($1, $2, $1, now()::date, now(), now(), 0, 0, 0, 0)",
    ),
    (
        "/api/v1/users/body-metrics/{id}",
        "INSERT INTO body_metrics (id, user_id, measured_on, girths_cm, source, created_at, updated_at)
         SELECT $1, users.id, '2026-01-01', '{}', 'manual', now(), now() FROM users, branches
         WHERE branches.id = $2 ORDER BY users.id DESC LIMIT 1",
    ),
    (
        "/api/v1/files/{id}",
        "INSERT INTO files (id, owner_id, kind, content_type, created_at)
         SELECT $1, users.id, 'export', 'application/zip', now() FROM users, branches
         WHERE branches.id = $2 ORDER BY users.id DESC LIMIT 1",
    ),
    (
        "/api/v1/admin/tags/{id}",
        "INSERT INTO tags (id, branch_id, kind, token, created_at)
         VALUES ($1, $2, 'qr', $1::text, now())",
    ),
    (
        "/api/v1/admin/edges/{id}",
        "INSERT INTO edges (id, branch_id, public_key, hostname, agent_version, enrolled_at, revoked_at)
         VALUES ($1, $2, decode(repeat('00', 32), 'hex'), 'pi', '0.1.0', now(), now())",
    ),
    (
        "/api/v1/join-requests/{id}",
        "INSERT INTO join_requests (id, user_id, branch_id, created_at)
         SELECT $1, users.id, $2, now() FROM users ORDER BY users.id DESC LIMIT 1",
    ),
];

/// Admins see all of their organization; a third one has its own.
async fn of_a_third(api: &Api, path: &str) -> Result<Option<uuid::Uuid>> {
    let is_of = |beginning: &str| path.starts_with(beginning);
    let is_branch = is_of("/api/v1/admin/branches/{id}") || path == "/api/v1/users/branches/{id}";
    let (is_user, is_organization) =
        (is_of("/api/v1/admin/users/{id}"), path == "/api/v1/admin/organizations/{id}");
    if !is_branch && !is_user && !is_organization {
        return Ok(None);
    }
    let third = Gym::open(api, &uuid::Uuid::now_v7().to_string()).await?;
    if is_branch {
        return Ok(Some(third.branch.id.0));
    }
    if is_organization {
        return Ok(Some(third.organization.0));
    }
    third.token(api, Role::Member, &[]).await?;
    let newest = sqlx::query_scalar("SELECT id FROM users ORDER BY id DESC LIMIT 1");
    Ok(Some(newest.fetch_one(&api.app.db).await?))
}

/// What there is of somebody else, by the path it is found under. A route for another kind of thing has to be
/// added here.
async fn foreign_path(api: &Api, gym: &Gym, route: &Route) -> Result<Option<String>> {
    let nothing = uuid::Uuid::now_v7().to_string();
    let filler = |path: &str, id: String| {
        let parts = ["{command_id}", "{code_id}", "{user_id}"];
        let path = parts.iter().fold(path.to_owned(), |path, part| path.replace(part, &nothing));
        Some(path.replace("{id}", &id))
    };
    let path = route.path.as_str();
    if !path.contains('{') {
        return Ok(None);
    }
    if path.starts_with("/api/v1/machines/{id}") || path.starts_with("/api/v1/admin/machines/{id}")
    {
        let code = format!("rower-{}", uuid::Uuid::now_v7().simple());
        let machine = gym.machine(api, &gym.branch, &code, MachineType::Cardio).await?;
        let is_telemetry = path.ends_with("/telemetry");
        let range = "?from=2026-01-01T00:00:00Z&to=2026-01-01T01:00:00Z&every=1m";
        let query = if is_telemetry { range } else { "" };
        return Ok(filler(&format!("{path}{query}"), machine.to_string()));
    }
    if path == "/api/v1/auth/sessions/{id}" {
        gym.token(api, Role::Member, &[]).await?;
        let newest = sqlx::query_scalar("SELECT id FROM logins ORDER BY id DESC LIMIT 1");
        let login: uuid::Uuid = newest.fetch_one(&api.app.db).await?;
        return Ok(filler(path, login.to_string()));
    }
    if path.starts_with("/api/v1/admin/readers/{id}") {
        let reader = gym.reader(api, &gym.branch, "reader").await?;
        return Ok(filler(path, reader.to_string()));
    }
    if let Some(id) = of_a_third(api, path).await? {
        return Ok(filler(path, id.to_string()));
    }
    if let Some((_, sql)) = OF_SOMEBODY.iter().find(|(prefix, _)| path.starts_with(prefix)) {
        gym.token(api, Role::Member, &[]).await?;
        let id = uuid::Uuid::now_v7();
        let insert = sqlx::query(*sql).bind(id).bind(gym.branch.id.0);
        insert.execute(&api.app.db).await?;
        let query = if path.ends_with("/photos") { "?pose=front" } else { "" };
        return Ok(filler(&format!("{path}{query}"), id.to_string()));
    }
    let member = gym.member(api, "Ada", Some(gym.branch.id)).await?;
    if path.starts_with("/api/v1/members/{id}") {
        return Ok(filler(path, member.id.to_string()));
    }
    let (now, mut db) = (api.app.clock.now(), api.app.db.begin().await?);
    if path.starts_with("/api/v1/memberships/{id}") {
        let held = members::memberships(&mut db, member.id).await?;
        return Ok(filler(path, held.first().context("no membership")?.id.to_string()));
    }
    if path.ends_with("/credentials/{id}") {
        let proof = Proof::NfcUid(hex::encode(&member.id.0.as_bytes()[9..]).parse()?);
        let made = members::add_credential(&mut db, gym.organization, member.id, &proof, None, now)
            .await?;
        db.commit().await?;
        return Ok(filler(path, made.id.to_string()));
    }
    Err(anyhow::anyhow!("say what {} finds", route.name()))
}

#[tokio::test]
async fn what_belongs_to_another_branch_or_person_is_not_there() -> Result<()> {
    let api = Api::new().await?;
    let gym = Gym::open(&api, "Gym").await?;
    let elsewhere = Gym::open(&api, "Elsewhere").await?;
    let tokens = [
        (Role::Staff, gym.token(&api, Role::Staff, &[gym.other.id]).await?),
        (Role::Admin, elsewhere.token(&api, Role::Admin, &[]).await?),
    ];
    let mut tried = 0;

    for route in routes()? {
        let Some(path) = foreign_path(&api, &gym, &route).await? else { continue };
        let free = cloud_api::domains::accounts::Plan::Free;
        let may = |role| route.permissions.iter().all(|one| one.is_given_to(role, free));
        for (_, token) in tokens.iter().filter(|(role, _)| may(*role)) {
            let answer = route.call(&api, &path, Some(token)).await?;
            assert_eq!(told(&answer)?, (404, json!("not_found")), "{}", route.name());
            tried += 1;
        }
    }

    assert!(tried > 0);
    Ok(())
}

#[tokio::test]
async fn a_plan_that_is_over_gives_nothing_more() -> Result<()> {
    let api = Api::new().await?;
    let gym = Gym::open(&api, "Gym").await?;
    gym.user(&api, "ada@example.com", Role::Member, &[]).await?;
    sqlx::query("UPDATE users SET plan = 'premium', plan_ends_at = $1")
        .bind(api.app.clock.now() + time::Duration::minutes(5))
        .execute(&api.app.db)
        .await?;
    let login = json!({"email": "ada@example.com", "password": PASSWORD});
    let answer = api.post("/api/v1/auth/login", None, &login).await?.json()?;
    let token = answer["access_token"].as_str().context("no token")?;
    let limit = |answer: &Answer| answer.headers["ratelimit-limit"].clone();

    let paid = api.get("/api/v1/machines", Some(token)).await?;
    api.app.clock.advance(time::Duration::minutes(6));
    let over = api.get("/api/v1/machines", Some(token)).await?;

    assert_eq!(limit(&paid), "500");
    assert_eq!(limit(&over), "100");
    Ok(())
}
