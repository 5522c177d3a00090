//! The table of routes, walked: whoever may not is let through nowhere.

use super::{Browser, ORIGIN, location, text};
use crate::gym::Gym;
use anyhow::Result;
use axum::http::Method;
use cloud_api::domains::accounts::{Plan, Role};
use cloud_api::pages::{Needs, Route, Verb, routes};
use tests::api::{Answer, Api};

/// What anybody reaches.
const OPEN: [&str; 1] = ["/console/sign-in"];

fn path_of(route: &Route, branch: &str) -> String {
    let nobody = "01900000-0000-7000-8000-000000000000";
    route.path.replace("{id}", branch).replace("{code}", "bike").replace("{stay}", nobody)
}

async fn call(api: &Api, browser: &mut Browser, route: &Route, path: &str) -> Result<Answer> {
    match route.verb {
        Verb::Get => browser.get(api, path).await,
        Verb::Post => browser.submit(api, path, &[]).await,
    }
}

#[test]
fn only_the_sign_in_is_open() {
    for route in routes().iter().filter(|route| route.needs == Needs::Nothing) {
        assert!(OPEN.contains(&route.path), "{:?} {} is open", route.verb, route.path);
    }
}

#[test]
fn pages_are_not_in_the_api_document() {
    let document = serde_json::to_string(&cloud_api::router::document()).unwrap();

    assert!(!document.contains("/console"));
}

#[tokio::test]
async fn without_a_sign_in_every_route_leads_to_it() -> Result<()> {
    let api = Api::new().await?;
    let gym = Gym::open(&api, "Gym").await?;
    for cookie in [None, Some("x".repeat(43)), Some("\"".to_owned())] {
        let mut browser = Browser::default();
        browser.cookies.extend(cookie.map(|cookie| ("gymwire-console".to_owned(), cookie)));
        for route in routes().iter().filter(|route| route.needs != Needs::Nothing) {
            let path = path_of(route, &gym.branch.id.to_string());
            let answer = call(&api, &mut browser, route, &path).await?;
            assert_eq!(answer.status, 303, "{:?} {path}", route.verb);
            assert!(location(&answer)?.starts_with("/console/sign-in"), "{path}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn every_role_is_let_through_exactly_where_its_permissions_say() -> Result<()> {
    let api = Api::new().await?;
    let gym = Gym::open(&api, "Gym").await?;
    for role in [Role::Staff, Role::Admin] {
        let mut browser = Browser::of(&api, &gym, role, &[gym.branch.id]).await?;
        for route in routes() {
            let Needs::May(permission) = route.needs else { continue };
            if route.path.ends_with("/live") {
                continue;
            }
            let path = path_of(&route, &gym.branch.id.to_string());
            let answer = call(&api, &mut browser, &route, &path).await?;
            let is_refused = answer.status == 403 && text(&answer).contains("may not do this");
            let may = permission.is_given_to(role, Plan::Free);
            assert_eq!(is_refused, !may, "{role}: {:?} {path}", route.verb);
        }
    }
    Ok(())
}

#[tokio::test]
async fn who_does_not_work_there_any_more_reaches_nothing() -> Result<()> {
    let api = Api::new().await?;
    let gym = Gym::open(&api, "Gym").await?;
    for role in ["member", "moderator"] {
        let mut browser = Browser::of(&api, &gym, Role::Staff, &[gym.branch.id]).await?;
        sqlx::query("UPDATE users SET role = $1").bind(role).execute(&api.app.db).await?;

        for route in routes().iter().filter(|route| route.needs != Needs::Nothing) {
            let path = path_of(route, &gym.branch.id.to_string());
            let answer = call(&api, &mut browser, route, &path).await?;
            assert_eq!(answer.status, 403, "{role}: {:?} {path}", route.verb);
            assert!(text(&answer).contains("for staff and admins"), "{path}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_branch_of_others_is_not_there() -> Result<()> {
    let api = Api::new().await?;
    let gym = Gym::open(&api, "Gym").await?;
    let elsewhere = Gym::open(&api, "Elsewhere").await?;
    let mut staff = Browser::of(&api, &gym, Role::Staff, &[gym.other.id]).await?;
    let mut admin = Browser::of(&api, &elsewhere, Role::Admin, &[]).await?;
    let free = Plan::Free;

    for route in routes().iter().filter(|route| route.path.contains("{id}")) {
        let path = path_of(route, &gym.branch.id.to_string());
        let may = |role| matches!(route.needs, Needs::May(one) if one.is_given_to(role, free));
        for (role, browser) in [(Role::Staff, &mut staff), (Role::Admin, &mut admin)] {
            if may(role) {
                let answer = call(&api, browser, route, &path).await?;
                assert_eq!(answer.status, 404, "{role}: {:?} {path}", route.verb);
            }
        }
    }
    assert!(!text(&staff.get(&api, "/console").await?).contains("Centre"));
    assert!(text(&staff.get(&api, "/console").await?).contains("North"));
    Ok(())
}

#[tokio::test]
async fn a_form_from_elsewhere_changes_nothing_even_with_the_right_token() -> Result<()> {
    let api = Api::new().await?;
    let gym = Gym::open(&api, "Gym").await?;
    let mut admin = Browser::of(&api, &gym, Role::Admin, &[]).await?;
    let restart = format!("/console/branches/{}/restart", gym.branch.id);
    let right = format!("form_token={}", admin.form_token);

    let evil = [
        (Some("https://evil.example"), right.clone()),
        (Some("http://gym.test.evil.example"), right.clone()),
        (Some("null"), right.clone()),
        (None, right.clone()),
        (Some(ORIGIN), String::new()),
        (Some(ORIGIN), "form_token=".to_owned()),
        (Some(ORIGIN), format!("{right}0")),
    ];
    for (origin, body) in evil {
        let answer = admin.post(&api, &restart, origin, body.clone()).await?;
        assert_eq!(answer.status, 403, "{origin:?} {body}");
        assert!(text(&answer).contains("did not come from this page"));
    }

    let given = "SELECT count(*) FROM commands WHERE command = 'restart'";
    let given: i64 = sqlx::query_scalar(given).fetch_one(&api.app.db).await?;
    assert_eq!(given, 0);
    assert_eq!(admin.post(&api, &restart, Some(ORIGIN), right).await?.status, 303);
    Ok(())
}

#[tokio::test]
async fn a_page_that_may_call_the_api_reads_nothing_here() -> Result<()> {
    let api = Api::new().await?;
    let gym = Gym::open(&api, "Gym").await?;
    let admin = Browser::of(&api, &gym, Role::Admin, &[]).await?;

    let request = admin.request(Method::GET, "/console").header("origin", "http://app.gym.test");
    let answer = api.call(request.body(axum::body::Body::empty())?).await?;

    assert_eq!(answer.status, 403);
    assert!(!text(&answer).contains("Centre"));
    Ok(())
}

#[tokio::test]
async fn every_answer_keeps_browsers_from_doing_more_than_we_mean() -> Result<()> {
    let api = Api::new().await?;
    let gym = Gym::open(&api, "Gym").await?;
    let mut admin = Browser::of(&api, &gym, Role::Admin, &[]).await?;

    for path in ["/console", "/console/sign-in", "/console/branches/x"] {
        let answer = admin.get(&api, path).await?;
        let policy = answer.headers["content-security-policy"].to_str()?;
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(answer.headers["cache-control"], "no-store", "{path}");
        assert_eq!(answer.headers["referrer-policy"], "same-origin", "{path}");
        let page = text(&answer);
        assert!(!page.contains(" style=") && !page.contains("<script>"), "{path}");
    }
    Ok(())
}
