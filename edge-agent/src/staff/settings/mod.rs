//! `/settings`: the branch's settings, one's own password, and for managers the accounts.

mod accounts;
mod branch;
mod password;

use super::accounts::{Account, Caller, Permission, Role};
use super::app::Staff;
use super::layout::Layout;
use super::reply::{Reply, html};
use super::router::{Needs, Route};
use askama::Template;
use axum::extract::State;

/// The routes.
pub fn routes() -> Vec<Route> {
    let manage = Needs::May(Permission::Accounts);
    vec![
        Route::get("/settings", Needs::SignIn, show),
        Route::post("/settings/password", Needs::SignIn, password::change),
        Route::post("/settings/accounts", manage, accounts::add),
        Route::post("/settings/accounts/role", manage, accounts::set_role),
        Route::post("/settings/accounts/reset", manage, accounts::reset),
        Route::post("/settings/accounts/remove", manage, accounts::remove),
    ]
}

#[derive(Template)]
#[template(path = "settings.html")]
struct View {
    layout: Layout,
    /// Name and password of an account, shown once.
    password: Option<(String, String)>,
    signed_in: usize,
    settings: Vec<(&'static str, String)>,
    may_manage: bool,
    accounts: Vec<Row>,
    cloud_staff: Vec<String>,
    roles: [Role; 4],
}

struct Row {
    name: String,
    role: Role,
    signed_in: usize,
    is_of_cloud: bool,
}

async fn show(State(staff): State<Staff>, caller: Caller) -> Reply {
    page(&staff, &caller, None).await
}

async fn page(staff: &Staff, caller: &Caller, password: Option<(String, String)>) -> Reply {
    let listed = staff.accounts.list();
    let own = listed.iter().find(|account| account.id == caller.account);
    let signed_in = own.map_or(0, |account| account.signed_in);
    let may_manage = caller.role.may(Permission::Accounts);
    let (mut accounts, mut cloud_staff) = (Vec::new(), Vec::new());
    if may_manage {
        let known = staff.watched.registry.cloud_staff().await?;
        cloud_staff =
            known.into_iter().filter(|record| record.enabled).map(|record| record.name).collect();
        accounts = listed.into_iter().map(row).collect();
    }
    html(&View {
        password,
        signed_in,
        settings: branch::settings(staff),
        may_manage,
        accounts,
        cloud_staff,
        roles: Role::ALL,
        layout: Layout::of(staff, caller, "Settings", "/settings"),
    })
}

fn row(account: Account) -> Row {
    let Account { name, role, signed_in, staff, .. } = account;
    Row { name, role, signed_in, is_of_cloud: staff.is_some() }
}
