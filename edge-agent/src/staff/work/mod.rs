//! `/work`: what takes longer than a page: waiting for a card, becoming known to the cloud. One piece of work for each
//! session; its page shows how far it is.

use super::accounts::Caller;
use super::app::Staff;
use super::layout::Layout;
use super::live::{Piece, stream};
use super::reply::{Refusal, Reply, html, see};
use super::router::{Needs, Route};
use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use std::collections::HashMap;
use std::future::Future;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::task::TaskTracker;

/// The routes.
pub fn routes() -> Vec<Route> {
    vec![Route::get("/work", Needs::SignIn, show), Route::get("/work/live", Needs::SignIn, live)]
}

/// Sessions that have work at the same time.
const MAX: usize = 32;

/// How far it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// What is waited for.
    Running(String),
    /// What came out.
    Done(String),
    /// Why nothing did.
    Failed(String),
}

/// A piece of work.
#[derive(Clone)]
struct Work {
    title: String,
    back: String,
    progress: watch::Receiver<Progress>,
}

/// The work of all sessions.
#[derive(Default)]
pub struct Works {
    running: Mutex<HashMap<[u8; 32], Work>>,
    tasks: TaskTracker,
}

impl Works {
    /// Begins a piece of work. `back` is where its page leads afterwards.
    pub fn begin(
        &self,
        session: [u8; 32],
        (title, waits_for, back): (&str, &str, &str),
        work: impl Future<Output = Result<String, String>> + Send + 'static,
    ) -> Reply {
        let mut running = self.lock();
        let is_running = |work: &Work| matches!(*work.progress.borrow(), Progress::Running(_));
        if running.get(&session).is_some_and(is_running) {
            return Err(Refusal::invalid("Something is going on already: see its page first."));
        }
        running.retain(|_, work| is_running(work));
        if running.len() >= MAX {
            return Err(Refusal::invalid("Too much is going on at this moment."));
        }
        let (sender, progress) = watch::channel(Progress::Running(waits_for.to_owned()));
        let (title, back) = (title.to_owned(), back.to_owned());
        running.insert(session, Work { title, back, progress });
        self.tasks.spawn(async move {
            let progress = match work.await {
                Ok(words) => Progress::Done(words),
                Err(words) => Progress::Failed(words),
            };
            sender.send_replace(progress);
            // Kept until it has been seen or makes way.
            sender.closed().await;
        });
        Ok(see("/work"))
    }

    fn of(&self, session: &[u8; 32]) -> Option<Work> {
        self.lock().get(session).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<[u8; 32], Work>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Template)]
#[template(path = "work.html")]
struct View {
    layout: Layout,
    progress: Progress,
    back: String,
}

#[derive(Template)]
#[template(path = "work_progress.html")]
struct Piecemeal {
    progress: Progress,
    back: String,
}

async fn show(State(staff): State<Staff>, caller: Caller) -> Reply {
    let Some(work) = staff.works.of(&caller.session) else { return Ok(see("/")) };
    let layout = Layout::of(&staff, &caller, work.title, "");
    let progress = work.progress.borrow().clone();
    html(&View { layout, progress, back: work.back })
}

async fn live(State(staff): State<Staff>, caller: Caller) -> Response {
    let Some(work) = staff.works.of(&caller.session) else {
        return Refusal::not_found("work").into_response();
    };
    let (changed, back) = (work.progress.clone(), work.back);
    let render = move || {
        let progress = work.progress.borrow().clone();
        Piecemeal { progress, back: back.clone() }.render().ok()
    };
    stream(staff, caller.session, Piece { event: "work", changed, every: Duration::ZERO, render })
}
