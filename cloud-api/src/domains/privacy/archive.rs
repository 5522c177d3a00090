//! The archive of all that is stored about somebody, put together in the background.

use super::zip_file::ZipFile;
use super::{archive_store, store};
use crate::app::App;
use crate::domains::files::{self, FileKind, NewFile};
use crate::domains::{body, scans, users};
use crate::ids::{ExportId, UserId};
use crate::jobs::Job;
use crate::outside::mail::{self, Letter};
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use time::Duration;

/// Makes an archive.
#[derive(Debug, Serialize, Deserialize)]
pub struct BuildArchive {
    pub export: ExportId,
}

impl Job for BuildArchive {
    const KIND: &'static str = "privacy.build_archive";

    async fn run(self, app: &App) -> Result<()> {
        let now = app.clock.now();
        let mut tx = app.db.begin().await?;
        let Some((user, email)) = store::pending(&mut tx, self.export).await? else {
            return Ok(());
        };
        let archive = build(app, &mut tx, user).await?;
        let file = files::put(app, user, vec![("archive", archive.into())]).await?;
        let expires_at = now + Duration::days(app.config.privacy.export_days.into());
        let new = NewFile {
            kind: FileKind::Export,
            content_type: "application/zip",
            expires_at: Some(expires_at),
        };
        files::insert(&mut tx, file, user, &new, now).await?;
        store::finish_export(&mut tx, self.export, file, now, expires_at).await?;
        mail::queue(app, &mut tx, &email, Letter::ExportReady).await?;
        Ok(tx.commit().await?)
    }
}

async fn build(app: &App, db: &mut PgConnection, user: UserId) -> Result<Vec<u8>> {
    let mut zip = ZipFile::new();
    let profile = users::profile(db, user, app.clock.now()).await?;
    let profile = profile.context("the account is gone")?;
    zip.add_json("profile", &profile)?;
    zip.add_json("preferences", &users::preferences(db, user).await?)?;
    zip.add_json("fitness_profile", &users::fitness_profile(app, db, user).await?)?;
    zip.add_json("diet_preferences", &users::diet_preferences(app, db, user).await?)?;
    zip.add_json("body_metrics", &body::all(app, db, user).await?)?;
    zip.add_json("visibility", &users::sharing(db, user).await?)?;
    for (name, rows) in archive_store::sections(db, user).await? {
        zip.add_json(name, &rows)?;
    }
    if let Some(id) = profile.avatar_id
        && let Some(picture) = files::content(app, user, id, "large").await?
    {
        zip.add("avatar.jpg", &picture)?;
    }
    for photo in body::all_photos(db, user).await? {
        if let Some(picture) = files::content(app, user, photo.id, "large").await? {
            let (day, pose, id) = (photo.measured_on, photo.pose.name(), photo.id);
            zip.add(&format!("photos/{day}-{pose}-{id}.jpg"), &picture)?;
        }
    }
    for (id, content) in scans::contents(db, &app.secrets, user).await? {
        zip.add(&format!("scans/{id}.csv"), &content)?;
    }
    zip.finish()
}
