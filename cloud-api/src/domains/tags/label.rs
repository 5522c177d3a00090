//! `/admin/tags/{id}/label`: a label to print.

use super::store;
use crate::app::App;
use crate::domains::branches::Branch;
use crate::domains::{branches, machines};
use crate::http::auth::Scope;
use crate::http::{Caller, Error, Path, Result};
use crate::ids::TagId;
use anyhow::Context;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use qrcode::{Color, EcLevel, QrCode};
use sqlx::PgConnection;
use std::fmt::Write as _;

/// Get a label to print, 50 mm wide: the code, and below it what it is for.
#[utoipa::path(get, path = "/admin/tags/{id}/label", tag = "machines",
    params(("id" = TagId, Path, description = "Id of the tag")),
    security(("bearer" = ["read:machines"])), responses(
    (status = 200, content_type = "image/svg+xml", body = String)))]
pub async fn read_tag_label(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<TagId>,
) -> Result<impl IntoResponse> {
    let mut db = app.db.acquire().await?;
    let tag = store::by_id(&mut db, caller.scope(), id).await?.ok_or(Error::NotFound)?;
    let place = match tag.machine_id {
        Some(machine) => machines::visible(&mut db, &caller, machine).await?.name,
        None => branches::visible(&mut db, &caller, tag.branch_id).await?.name,
    };
    let headers = [(header::CONTENT_TYPE, "image/svg+xml"), (header::CACHE_CONTROL, "no-store")];
    Ok((headers, svg(&tag.token, &place)?))
}

/// The labels of a branch to print, those of its entrances first.
pub async fn labels(db: &mut PgConnection, branch: &Branch) -> Result<Vec<String>> {
    let scope = Scope::Branches(std::slice::from_ref(&branch.id));
    let tags = store::list(db, scope, None, None, None, i64::MAX).await?;
    let mut labels = Vec::new();
    for tag in tags {
        let place = match tag.machine_id {
            Some(machine) => machines::name(db, machine).await?,
            None => Some(branch.name.clone()),
        };
        if let Some(place) = place {
            labels.push((tag.machine_id.is_some(), svg(&tag.token, &place)?));
        }
    }
    labels.sort_by_key(|(is_of_machine, _)| *is_of_machine);
    Ok(labels.into_iter().map(|(_, svg)| svg).collect())
}

/// Scratched labels are read with a quarter of the code gone.
fn svg(token: &str, place: &str) -> anyhow::Result<String> {
    let qr = QrCode::with_error_correction_level(token, EcLevel::Q).context("a label")?;
    let (side, colors) = (qr.width(), qr.to_colors());
    let (width, height) = (side + 2 * FRAME, side + 2 * FRAME + TEXT);
    let mut dark = String::new();
    for (at, _) in colors.iter().enumerate().filter(|(_, color)| **color == Color::Dark) {
        write!(dark, "M{} {}h1v1h-1z", at % side + FRAME, at / side + FRAME)?;
    }
    Ok(format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="50mm">
<rect width="{width}" height="{height}" fill="#fff"/><path d="{dark}" fill="#000"/>
<text x="{middle}" y="{baseline}" font-family="sans-serif" font-size="3" text-anchor="middle">{text}</text>
</svg>
"##,
        middle = width / 2,
        baseline = side + 2 * FRAME + TEXT / 2,
        text = escaped(place),
    ))
}

const FRAME: usize = 4;
const TEXT: usize = 6;

fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            letter if letter.is_control() => safe.push(' '),
            letter => safe.push(letter),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_text_on_a_label_and_nothing_else() {
        let label = svg("gt_x", "<script>&\u{0}").unwrap();

        assert!(label.contains("&lt;script&gt;&amp; </text>"), "{label}");
    }
}
