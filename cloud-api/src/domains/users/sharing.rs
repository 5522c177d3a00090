//! `/users/visibility`: who sees what was measured of oneself, by category. All of it is private until somebody says
//! otherwise.

use super::sharing_store as store;
use crate::app::App;
use crate::audit::{self, Entry};
use crate::domains::{accounts, members};
use crate::http::{Caller, Error, IfNoneMatch, Json, Origin, Patch, Permission, Result};
use crate::ids::UserId;
use axum::extract::State;
use axum::response::Response;
use garde::Validate;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use utoipa::ToSchema;

/// Who sees something of somebody besides themselves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Audience {
    /// Nobody.
    #[default]
    Private,
    /// Who works at a branch where they are a member, and who runs the organization.
    Staff,
}

/// What can be shared, each for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    Weight,
    Composition,
    Measurements,
    Photos,
    Health,
    Activity,
}

/// Who sees what.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema, Validate)]
#[serde(default, deny_unknown_fields)]
pub struct Sharing {
    #[garde(skip)]
    #[schema(inline)]
    pub weight: Audience,
    /// Body fat and whatever scanners tell.
    #[garde(skip)]
    #[schema(inline)]
    pub composition: Audience,
    /// Height and girths.
    #[garde(skip)]
    #[schema(inline)]
    pub measurements: Audience,
    #[garde(skip)]
    #[schema(inline)]
    pub photos: Audience,
    /// Conditions, allergies, and the pulse at rest.
    #[garde(skip)]
    #[schema(inline)]
    pub health: Audience,
    /// Visits, streaks, sets.
    #[garde(skip)]
    #[schema(inline)]
    pub activity: Audience,
}

impl Sharing {
    /// All of it, as to oneself.
    pub fn shows(&self, category: Category) -> bool {
        let audience = match category {
            Category::Weight => self.weight,
            Category::Composition => self.composition,
            Category::Measurements => self.measurements,
            Category::Photos => self.photos,
            Category::Health => self.health,
            Category::Activity => self.activity,
        };
        audience == Audience::Staff
    }

    /// What is shown at all.
    pub fn shown(&self) -> Vec<Category> {
        Category::ALL.into_iter().filter(|category| self.shows(*category)).collect()
    }
}

impl Category {
    const ALL: [Self; 6] = [
        Self::Weight,
        Self::Composition,
        Self::Measurements,
        Self::Photos,
        Self::Health,
        Self::Activity,
    ];
}

/// Read who sees what was measured of the caller.
#[utoipa::path(get, path = "/users/visibility", tag = "privacy",
    security(("bearer" = ["read:profile"])), responses(
    (status = 200, body = Sharing),
    (status = 304, description = "the same as what `If-None-Match` names")))]
pub async fn read_sharing(
    State(app): State<App>,
    caller: Caller,
    known: IfNoneMatch,
) -> Result<Response> {
    known.answer(&store::sharing(&mut *app.db.acquire().await?, caller.user).await?)
}

/// Say who sees what was measured of the caller, from now on; what is left out stays.
#[utoipa::path(put, path = "/users/visibility", tag = "privacy",
    security(("bearer" = ["write:profile"])), request_body = Sharing,
    responses((status = 200, body = Sharing)))]
pub async fn update_sharing(
    State(app): State<App>,
    caller: Caller,
    origin: Origin,
    patch: Patch<Sharing>,
) -> Result<Json<Sharing>> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    accounts::hold(&mut tx, caller.user).await?;
    let before = store::sharing(&mut tx, caller.user).await?;
    let after = patch.applied_to(&before)?;
    store::keep(&mut tx, caller.user, &after, now).await?;
    let entry = Entry::asked("visibility.changed", &caller, &origin).on(caller.user);
    audit::record(&mut tx, &entry.changed(&before, &after), now).await?;
    super::tell_devices(&mut tx, caller.user, now).await?;
    tx.commit().await?;
    Ok(Json(after))
}

/// What somebody shares with a caller who works for the gym. Nothing, if they are no member whom the caller sees.
pub async fn sharing_with(db: &mut PgConnection, caller: &Caller, user: UserId) -> Result<Sharing> {
    if !caller.has(Permission::ReadMembers) {
        return Ok(Sharing::default());
    }
    let Some(member) = members::of_user(db, caller.organization, user).await? else {
        return Ok(Sharing::default());
    };
    match members::visible(db, caller, member.id).await {
        Ok(_) => Ok(store::sharing(db, user).await?),
        Err(Error::NotFound) => Ok(Sharing::default()),
        Err(error) => Err(error),
    }
}
