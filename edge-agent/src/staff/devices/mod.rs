//! `/devices`: readers, bridges, boards, machines and displays: who is there, their secrets and certificates.

mod acts;
mod certificates;
mod given;
mod list;

use super::accounts::{Caller, Permission};
use super::app::Staff;
use super::layout::Layout;
use super::reply::{Reply, html};
use super::router::{Needs, Route};
use askama::Template;
use axum::extract::State;
use certificates::Certificate;
use given::Listed;
use list::Group;

/// The routes.
pub fn routes() -> Vec<Route> {
    let (see, act) = (Needs::May(Permission::See), Needs::May(Permission::Devices));
    vec![
        Route::get("/devices", see, show),
        Route::post("/devices", act, acts::add),
        Route::post("/devices/{code}/rotate", act, acts::rotate),
        Route::post("/devices/{code}/certificate", act, acts::certify),
        Route::post("/devices/{code}/revoke", act, acts::revoke),
        // In one part, so that no device's code is in the way.
        Route::post("/devices/certificate-revoke", act, acts::revoke_certificate),
        Route::post("/devices/authority-rotate", act, acts::rotate_authority),
        Route::post("/devices/authority-drop-former", act, acts::drop_former),
    ]
}

/// Something that is shown once.
struct Shown {
    title: String,
    text: String,
}

#[derive(Template)]
#[template(path = "devices.html")]
struct View {
    layout: Layout,
    secret: Option<Shown>,
    groups: Vec<Group>,
    may_act: bool,
    given: Listed,
    certificates: Vec<Certificate>,
    trusted: String,
    has_former: bool,
}

async fn show(State(staff): State<Staff>, caller: Caller) -> Reply {
    page(&staff, &caller, None)
}

/// The page, with a secret that is shown only now: it is in no address and no history.
fn page(staff: &Staff, caller: &Caller, secret: Option<Shown>) -> Reply {
    let trusted = staff.tls.export();
    let now_ms = staff.watched.clock.latest_ms();
    let mut certificates = certificates::authorities(&trusted, now_ms);
    let has_former = certificates.len() > 1;
    let given = given::listed(staff, &certificates, now_ms);
    certificates.extend(certificates::shown(&staff.tls.server_certificate(), now_ms));
    html(&View {
        secret,
        groups: list::groups(staff),
        may_act: caller.role.may(Permission::Devices),
        has_former,
        given,
        certificates,
        trusted,
        layout: Layout::of(staff, caller, "Devices", "/devices"),
    })
}
