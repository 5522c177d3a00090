//! `/machines`: each machine's state, what it measured lately, and what can be done about it.

mod acts;
mod detail;
mod words;

use super::accounts::{Caller, Permission};
use super::app::Staff;
use super::layout::Layout;
use super::reply::{Reply, html};
use super::router::{Needs, Route};
use askama::Template;
use axum::extract::State;

pub use detail::find;
pub use words::{figure, holder, state_words};

/// The routes.
pub fn routes() -> Vec<Route> {
    let (see, act) = (Needs::May(Permission::See), Needs::May(Permission::Machines));
    vec![
        Route::get("/machines", see, list),
        Route::get("/machines/{code}", see, detail::show),
        Route::post("/machines/{code}/lock", act, acts::lock),
        Route::post("/machines/{code}/unlock", act, acts::unlock),
        Route::post("/machines/{code}/out-of-order", act, acts::out_of_order),
        Route::post("/machines/{code}/in-order", act, acts::in_order),
        Route::post("/machines/{code}/maintenance", act, acts::maintenance),
        Route::post("/machines/{code}/free", Needs::May(Permission::CheckIn), acts::free),
    ]
}

#[derive(Template)]
#[template(path = "machines.html")]
struct View {
    layout: Layout,
    machines: Vec<Row>,
}

struct Row {
    code: String,
    name: String,
    look: &'static str,
    words: String,
    holder: Option<String>,
    queue: usize,
}

async fn list(State(staff): State<Staff>, caller: Caller) -> Reply {
    let seen = staff.floor.look();
    let may_name = caller.role.may(Permission::SeeMembers);
    let machines = seen.machines.iter().map(|machine| {
        let (look, words) = state_words(machine);
        let (code, name) = (machine.code.clone(), machine.name.clone());
        Row {
            code,
            name,
            look,
            words,
            holder: holder(machine, may_name),
            queue: machine.queue.len(),
        }
    });
    let machines = machines.collect();
    html(&View { layout: Layout::of(&staff, &caller, "Machines", "/machines"), machines })
}
