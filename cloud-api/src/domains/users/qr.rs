//! `/users/qr`: a code to show at a door, as text or as an image. It is good for a short time and once.

use crate::app::App;
use crate::domains::branches::{self, ANY_SITE};
use crate::domains::edges::{self, QrOrder};
use crate::domains::members;
use crate::http::{Caller, Error, Json, Problem, Query, Result};
use crate::ids::BranchId;
use anyhow::Context;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use garde::Validate;
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder};
use qrcode::{Color, EcLevel, QrCode};
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};
use utoipa::{IntoParams, ToSchema};

/// Where the code is for.
#[derive(Debug, Deserialize, IntoParams, Validate)]
#[into_params(parameter_in = Query)]
pub struct Door {
    /// Good at this branch only; left out, at all of the organization.
    #[garde(skip)]
    pub branch_id: Option<BranchId>,
}

/// A code for a door.
#[derive(Debug, Serialize, ToSchema)]
pub struct DoorCode {
    /// Signed; what the image shows.
    #[schema(example = "G1AQAB")]
    pub code: String,
    #[serde(with = "time::serde::rfc3339")]
    pub expires_at: OffsetDateTime,
    /// Ask for the next one after so long.
    #[schema(example = 20)]
    pub refresh_after_s: u32,
}

/// Get a code to show at a door, as text.
#[utoipa::path(get, path = "/users/qr", tag = "users", params(Door),
    security(("bearer" = ["read:profile"])), responses(
    (status = 200, body = DoorCode),
    (status = 409, body = Problem, content_type = "application/problem+json",
     description = "`not_a_member`")))]
pub async fn read_door_code(
    State(app): State<App>,
    caller: Caller,
    Query(door): Query<Door>,
) -> Result<impl IntoResponse> {
    let code = issue(&app, &caller, &door).await?;
    let expires_at = app.clock.now() + Duration::seconds(LIFETIME_S.into());
    let answer = DoorCode { code, expires_at, refresh_after_s: REFRESH_AFTER_S };
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(answer)))
}

/// Get a code to show at a door, as an image.
#[utoipa::path(get, path = "/users/qr/image", tag = "users", params(Door),
    security(("bearer" = ["read:profile"])), responses(
    (status = 200, content_type = "image/png", body = Vec<u8>),
    (status = 409, body = Problem, content_type = "application/problem+json",
     description = "`not_a_member`")))]
pub async fn read_door_image(
    State(app): State<App>,
    caller: Caller,
    Query(door): Query<Door>,
) -> Result<impl IntoResponse> {
    let code = issue(&app, &caller, &door).await?;
    let headers = [(header::CONTENT_TYPE, "image/png"), (header::CACHE_CONTROL, "no-store")];
    Ok((headers, png(&code)?))
}

/// Long enough for a slow scanner and a clock that is a little off.
const LIFETIME_S: u32 = 30;
const REFRESH_AFTER_S: u32 = 20;

async fn issue(app: &App, caller: &Caller, door: &Door) -> Result<String> {
    let mut db = app.db.acquire().await?;
    let own = members::of_caller(&mut db, caller).await?;
    let site_no = match door.branch_id {
        None => ANY_SITE,
        Some(id) => {
            let found = branches::by_id(&mut db, id).await?;
            let own = found.filter(|branch| branch.organization_id == caller.organization);
            own.ok_or(Error::NotFound)?.site_no
        }
    };
    let order = QrOrder {
        member_no: own.member_no.unsigned_abs(),
        site_no: u16::try_from(site_no).context("a site number")?,
        ttl_s: LIFETIME_S,
    };
    Ok(edges::issue_qr(&mut db, &order, app.clock.now()).await?)
}

/// Eight pixels a module, within the white frame that readers need.
fn png(code: &str) -> anyhow::Result<Vec<u8>> {
    let qr = QrCode::with_error_correction_level(code, EcLevel::M)?;
    let (modules, colors) = (qr.width(), qr.to_colors());
    let side = (modules + 2 * FRAME) * SCALE;
    let is_dark = |x: usize, y: usize| {
        let (column, row) = (x / SCALE, y / SCALE);
        let inside = FRAME..FRAME + modules;
        inside.contains(&column)
            && inside.contains(&row)
            && colors[(row - FRAME) * modules + column - FRAME] == Color::Dark
    };
    let dot = |at: usize| if is_dark(at % side, at / side) { 0 } else { 255 };
    let dots: Vec<u8> = (0..side * side).map(dot).collect();
    let (mut png, side) = (Vec::new(), u32::try_from(side)?);
    PngEncoder::new(&mut png).write_image(&dots, side, side, ExtendedColorType::L8)?;
    Ok(png)
}

const SCALE: usize = 8;
const FRAME: usize = 4;
