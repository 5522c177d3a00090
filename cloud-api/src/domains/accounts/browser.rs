//! Browsers at our own page: an opaque cookie in place of tokens. Each is a login, listed and revoked as all are, and
//! signing in asks for what `/auth/login` asks for.

use super::login::{self, Credentials};
use super::model::User;
use super::session::{self, Device, Entrant};
use super::token::{Verified, digest, random};
use super::{admit, browser_store as store, login_store};
use crate::app::App;
use crate::audit;
use crate::domains::watch;
use crate::http::{Caller, Error, Origin, Result};
use crate::ids::{LoginId, UserId};
use serde_json::json;
use time::Duration;

/// Who has signed in with a browser.
pub struct SignedIn {
    /// For the browser alone; only its hash is kept.
    pub cookie: String,
    pub user: User,
}

/// Who asks for a page.
#[derive(Debug, Clone)]
pub struct Visitor {
    pub caller: Caller,
    pub name: String,
}

/// A browser that shows no new page for so long is signed out.
const IDLE: Duration = Duration::hours(12);
/// Use is noted so often.
const NOTE_EVERY: Duration = Duration::minutes(1);

/// A cookie that nobody can guess.
pub fn draw() -> anyhow::Result<String> {
    random()
}

/// Signs somebody in who works here; others are told that the page is not for them.
pub async fn sign_in(app: &App, given: &Credentials, origin: &Origin) -> Result<SignedIn> {
    let found = login::admitted(app, given, origin).await?;
    if !found.user.role.works() {
        return Err(Error::Barred("not_staff"));
    }
    let (cookie, now) = (draw()?, app.clock.now());
    let who = Entrant::from(found);
    let device = device(origin);
    let mut tx = app.db.begin().await?;
    let login = session::begin(app, &mut tx, &who.user, Some(&device), origin, now + IDLE).await?;
    store::insert(&mut tx, login, &digest(&cookie)).await?;
    tx.commit().await?;
    app.forget(who.user.id);
    watch::after_login(app, who.user.id).await?;
    Ok(SignedIn { cookie, user: who.user })
}

/// One browser is known by how it calls itself: a new one is told by mail.
fn device(origin: &Origin) -> Device {
    let agent = origin.user_agent.as_deref().unwrap_or_default();
    let id = format!("page-{}", hex::encode(&digest(agent)[..8]));
    Device { id, name: Some("Operators' page".to_owned()) }
}

/// Who has this cookie; nobody, if its login has ended. Streams are no use of it.
pub async fn visitor(app: &App, cookie: &str, is_use: bool) -> Result<Option<Visitor>> {
    let now = app.clock.now();
    let mut db = app.db.acquire().await?;
    let Some(found) = store::find(&mut db, &digest(cookie), now).await? else { return Ok(None) };
    if is_use && now - found.last_used_at >= NOTE_EVERY {
        store::touch(&mut db, found.login, now, now + IDLE).await?;
    }
    drop(db);
    let caller = still(app, found.user, found.login).await?;
    Ok(caller.map(|caller| Visitor { caller, name: found.name }))
}

/// Who has this login, as they are now; nobody, if it has ended.
pub async fn still(app: &App, user: UserId, login: LoginId) -> Result<Option<Caller>> {
    // How long it is good is asked of its row.
    let verified = Verified { user, login, exp: i64::MAX };
    let Some(found) = app.callers.find(app, verified).await? else { return Ok(None) };
    admit(app, found.status)?;
    Ok(Some(found.caller))
}

/// Ends the login of a browser.
pub async fn sign_out(app: &App, caller: &Caller, origin: &Origin) -> Result<()> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    login_store::end(&mut tx, caller.user, caller.login, "logged_out", now).await?;
    let entry = audit::Entry::asked("login.ended", caller, origin).on(caller.login);
    audit::record(&mut tx, &entry.detail(json!({"all": false})), now).await?;
    tx.commit().await?;
    app.forget(caller.user);
    Ok(())
}
