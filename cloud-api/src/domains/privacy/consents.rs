//! `/users/consents`: what somebody agrees to.

use super::model::{Consent, ConsentKind};
use super::store;
use crate::app::App;
use crate::audit::{self, Entry};
use crate::domains::accounts::{self, plain_text};
use crate::domains::{members, users, workouts};
use crate::http::{Caller, IfNoneMatch, Json, Origin, Page, Result, Valid};
use axum::extract::State;
use axum::response::Response;
use garde::Validate;
use serde::Deserialize;
use serde_json::json;
use sqlx::PgConnection;
use utoipa::ToSchema;

/// Read what the caller agrees to: all that there is to agree to.
#[utoipa::path(get, path = "/users/consents", tag = "privacy", security(("bearer" = ["read:profile"])),
    responses(
    (status = 200, body = Page<Consent>),
    (status = 304, description = "the same as what `If-None-Match` names")))]
pub async fn read_consents(
    State(app): State<App>,
    caller: Caller,
    known: IfNoneMatch,
) -> Result<Response> {
    let mut db = app.db.acquire().await?;
    known.answer(&Page::whole(store::consents(&mut db, caller.user).await?))
}

/// What somebody decides; what is left out stays.
#[derive(Debug, Deserialize, ToSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct Decisions {
    /// Of the text that was shown.
    #[garde(length(chars, min = 1, max = 40), custom(plain_text))]
    #[schema(min_length = 1, max_length = 40, example = "2026-11")]
    pub version: String,
    #[garde(skip)]
    pub health_data: Option<bool>,
    #[garde(skip)]
    pub usage: Option<bool>,
    #[garde(skip)]
    pub ai_sharing: Option<bool>,
    #[garde(skip)]
    pub social_sharing: Option<bool>,
    #[garde(skip)]
    pub marketing: Option<bool>,
}

impl Decisions {
    fn of(&self, kind: ConsentKind) -> Option<bool> {
        match kind {
            ConsentKind::HealthData => self.health_data,
            ConsentKind::Usage => self.usage,
            ConsentKind::AiSharing => self.ai_sharing,
            ConsentKind::SocialSharing => self.social_sharing,
            ConsentKind::Marketing => self.marketing,
        }
    }
}

/// Agree to something, or no longer. What was kept with a consent is forgotten with it.
#[utoipa::path(put, path = "/users/consents", tag = "privacy", security(("bearer" = ["write:profile"])),
    request_body = Decisions, responses((status = 200, body = Page<Consent>)))]
pub async fn update_consents(
    State(app): State<App>,
    caller: Caller,
    origin: Origin,
    Valid(decisions): Valid<Decisions>,
) -> Result<Json<Page<Consent>>> {
    let (user, now) = (caller.user, app.clock.now());
    let mut tx = app.db.begin().await?;
    accounts::hold(&mut tx, user).await?;
    for known in store::consents(&mut tx, user).await? {
        let Some(is_given) = decisions.of(known.kind) else { continue };
        if known.is_given == is_given && known.version.as_ref() == Some(&decisions.version) {
            continue;
        }
        store::decide(&mut tx, user, known.kind, is_given, &decisions.version, now).await?;
        match known.kind {
            ConsentKind::HealthData => health(&app, &mut tx, &caller, is_given).await?,
            ConsentKind::Usage if !is_given => store::forget_usage(&mut tx, user).await?,
            _ => {}
        }
        let entry = Entry::asked("consent.decided", &caller, &origin).on(user);
        let detail = json!({"kind": known.kind, "is_given": is_given});
        audit::record(&mut tx, &entry.detail(detail), now).await?;
    }
    let after = store::consents(&mut tx, user).await?;
    tx.commit().await?;
    Ok(Json(Page::whole(after)))
}

/// What follows from somebody's word about their health: it is worked out from now on, or forgotten.
async fn health(app: &App, db: &mut PgConnection, caller: &Caller, is_given: bool) -> Result<()> {
    let now = app.clock.now();
    if !is_given {
        users::forget_health(app, db, caller.user).await?;
    }
    let member = members::of_user(db, caller.organization, caller.user).await?;
    let Some(member) = member.map(|member| member.id) else { return Ok(()) };
    if is_given {
        workouts::mark_member(db, member, now).await?;
    } else {
        workouts::erase_hearts(db, member, now).await?;
    }
    Ok(())
}
