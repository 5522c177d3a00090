//! The table of routes, walked: whoever may not is let through nowhere.

use super::Branch;
use crate::staff::accounts::Role;
use crate::staff::router::{Needs, Route, Verb, routes};

/// What anybody on the network reaches.
const OPEN: [&str; 3] = ["/assets/{version}/{name}", "/sign-in", "/first-start"];

fn path_of(route: &Route) -> String {
    let parts = route.path.split('/').map(|part| if part.starts_with('{') { "x" } else { part });
    parts.collect::<Vec<_>>().join("/")
}

#[test]
fn only_what_leads_to_the_sign_in_is_open() {
    let open = |route: &Route| route.needs == Needs::Nothing;

    for route in routes().into_iter().filter(open) {
        assert!(OPEN.contains(&route.path), "{:?} {} is open", route.verb, route.path);
    }
}

#[tokio::test]
async fn without_a_sign_in_every_route_leads_to_it() {
    let branch = Branch::open().await;
    branch.add("Ada", Role::Manager).await;
    let mut browser = branch.browser();

    for route in routes().into_iter().filter(|route| route.needs != Needs::Nothing) {
        let path = path_of(&route);
        let answer = match route.verb {
            Verb::Post => browser.post(&path, &[]).await,
            Verb::Get => browser.get(&path).await,
        };
        assert_eq!(answer.status, 303, "{:?} {path}", route.verb);
        assert!(answer.location().starts_with("/sign-in"), "{path}");
    }
    branch.close().await;
}

#[tokio::test]
async fn every_role_is_let_through_exactly_where_its_permissions_say() {
    let branch = Branch::open().await;
    for role in Role::ALL {
        let mut browser = branch.signed_in(role).await;
        for route in routes() {
            let Needs::May(permission) = route.needs else { continue };
            if route.path.ends_with("/live") {
                continue;
            }
            let path = path_of(&route);
            let (answer, words) = match route.verb {
                Verb::Post => (browser.post(&path, &[]).await, "may not do this"),
                Verb::Get => (browser.get(&path).await, "may not do this"),
            };
            let is_refused = answer.status == 403 && answer.text.contains(words);
            assert_eq!(is_refused, !role.may(permission), "{role}: {:?} {path}", route.verb);
        }
    }
    branch.close().await;
}
