//! Erasing accounts whose time is over: rows, files, what doors know, and word to whoever else has data of them.

use super::store::{self, Due};
use crate::app::App;
use crate::audit::{self, Entry};
use crate::domains::{accounts, files, members, workouts};
use crate::events::outbox;
use crate::ids::UserId;
use crate::jobs::{self, Job};
use crate::outside::mail::{self, Letter};
use anyhow::Result;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Erases every account that is due.
#[derive(Debug, Serialize, Deserialize)]
pub struct EraseDue;

impl Job for EraseDue {
    const KIND: &'static str = "privacy.erase_due";

    async fn run(self, app: &App) -> Result<()> {
        while erase_next(app).await? {}
        Ok(())
    }
}

/// `false` if none is due.
async fn erase_next(app: &App) -> Result<bool> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    let Some(due) = store::next_due(&mut tx, now).await? else { return Ok(false) };
    let Due { user, organization, email, role } = due;
    let member = members::of_user(&mut tx, organization, user).await?;
    if let Some(member) = &member {
        members::remove(&mut tx, organization, member.id, now).await?;
        workouts::erase_member(&mut tx, member.id, now).await?;
        store::erase_member(&mut tx, member.id).await?;
    }
    store::erase_user(&mut tx, user).await?;
    if role.works() {
        members::hold(&mut tx, organization).await?;
        accounts::tell_everywhere(&mut tx, organization, user).await?;
    }
    jobs::enqueue(&mut tx, &EraseFiles { user }, now).await?;
    mail::queue(app, &mut tx, &email, Letter::AccountErased).await?;
    // Integrations that hold data under this id forget it when they hear this.
    let data = json!({"member_id": member.map(|member| member.id)});
    outbox::add(&mut tx, "account.erased", Some(user), &data, now).await?;
    audit::record(&mut tx, &Entry::new("account.erased").of(organization).on(user), now).await?;
    tx.commit().await?;
    app.forget(user);
    Ok(true)
}

/// Removes the files of somebody who is gone; again and again until the store takes it.
#[derive(Debug, Serialize, Deserialize)]
pub struct EraseFiles {
    pub user: UserId,
}

impl Job for EraseFiles {
    const KIND: &'static str = "privacy.erase_files";

    async fn run(self, app: &App) -> Result<()> {
        files::erase(app, self.user).await
    }
}
