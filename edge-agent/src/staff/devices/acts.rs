//! What can be done to devices. What the command line can do is done the same way.

use super::{Shown, page};
use crate::ops::actions::Ask;
use crate::staff::accounts::Caller;
use crate::staff::act::journal;
use crate::staff::app::Staff;
use crate::staff::reply::{Refusal, Reply, done};
use axum::Form;
use axum::extract::{Path, State};
use protocol::ids::Code;
use protocol::sync::entry::DeviceKind;
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
pub struct NewDevice {
    #[serde(default)]
    kind: String,
    #[serde(default)]
    code: String,
}

#[derive(Deserialize)]
pub struct Chosen {
    #[serde(default)]
    serial: String,
    #[serde(flatten)]
    sure: Sure,
}

#[derive(Deserialize)]
pub struct Sure {
    #[serde(default)]
    sure: String,
}

impl Sure {
    /// The box that asks whether somebody means it.
    pub fn check(&self) -> Result<(), Refusal> {
        if self.sure == "yes" {
            return Ok(());
        }
        Err(Refusal::invalid("Tick the box first: this cannot be undone by going back."))
    }
}

fn code_of(text: &str) -> Result<Code, Refusal> {
    let code: Result<Code, _> = text.trim().parse();
    code.map_err(|error| Refusal::invalid(format!("The code: {error}.")).at("code"))
}

fn kind_of(text: &str) -> Result<DeviceKind, Refusal> {
    match text {
        "machine" => Ok(DeviceKind::Machine),
        "reader" => Ok(DeviceKind::Reader),
        "bridge" => Ok(DeviceKind::Bridge),
        "observer" => Ok(DeviceKind::Observer),
        _ => Err(Refusal::invalid("Choose what the device is.").at("kind")),
    }
}

fn login(title: &str, done: &Value) -> Shown {
    let text = |key: &str| done[key].as_str().unwrap_or_default().to_owned();
    let text = format!("user name  {}\npassword   {}", text("code"), text("secret"));
    Shown { title: title.to_owned(), text }
}

pub async fn add(State(staff): State<Staff>, caller: Caller, Form(new): Form<NewDevice>) -> Reply {
    let (kind, code) = (kind_of(&new.kind)?, code_of(&new.code)?);
    journal(&staff, &caller, "device_add", code.as_str()).await?;
    let done = staff.actions.perform(Ask::DeviceAdd { kind, code }).await;
    let done = done.map_err(|error| Refusal::from(error).at("code"))?;
    page(&staff, &caller, Some(login("The login of the new device", &done)))
}

pub async fn rotate(
    State(staff): State<Staff>,
    caller: Caller,
    Path(code): Path<String>,
    Form(sure): Form<Sure>,
) -> Reply {
    sure.check()?;
    let code = known(&staff, &code)?;
    journal(&staff, &caller, "device_rotate", &code).await?;
    let title = format!("The new login of {code}");
    let done = staff.actions.perform(Ask::DeviceRotate { code }).await?;
    page(&staff, &caller, Some(login(&title, &done)))
}

pub async fn certify(
    State(staff): State<Staff>,
    caller: Caller,
    Path(code): Path<String>,
) -> Reply {
    let code = known(&staff, &code)?;
    journal(&staff, &caller, "device_certificate", &code).await?;
    let certified = staff.tls.certify(&code)?;
    let title = format!("Certificate and key of {code}");
    let text = format!("{}{}", certified.certificate, certified.key);
    page(&staff, &caller, Some(Shown { title, text }))
}

pub async fn revoke(
    State(staff): State<Staff>,
    caller: Caller,
    Path(code): Path<String>,
    Form(sure): Form<Sure>,
) -> Reply {
    sure.check()?;
    let code = known(&staff, &code)?;
    let words = format!("{code} is locked out until it is given a new secret.");
    journal(&staff, &caller, "device_revoke", &code).await?;
    staff.actions.perform(Ask::DeviceRevoke { code }).await?;
    Ok(done(&staff, &caller.session, "/devices", words))
}

/// Void at once: whoever is connected by it is not any more.
pub async fn revoke_certificate(
    State(staff): State<Staff>,
    caller: Caller,
    Form(Chosen { serial, sure }): Form<Chosen>,
) -> Reply {
    let given = staff.tls.certificates().into_iter().find(|given| given.serial == serial);
    let given =
        given.ok_or_else(|| Refusal::invalid("Choose the certificate first.").at("serial"))?;
    sure.check()?;
    if given.revoked_ms.is_some() {
        return Err(Refusal::invalid("This certificate is revoked already."));
    }
    journal(&staff, &caller, "certificate_revoke", &serial).await?;
    let tls = staff.tls.clone();
    blocking(move || tls.revoke(&serial).map(drop)).await?;
    let words = format!("The certificate {} of {} is void.", given.serial, given.code);
    Ok(done(&staff, &caller.session, "/devices", words))
}

pub async fn rotate_authority(
    State(staff): State<Staff>,
    caller: Caller,
    Form(sure): Form<Sure>,
) -> Reply {
    sure.check()?;
    journal(&staff, &caller, "authority_rotate", "").await?;
    let tls = staff.tls.clone();
    blocking(move || tls.rotate()).await?;
    let words =
        "There is a new authority. Give devices its certificate before the former one is dropped.";
    Ok(done(&staff, &caller.session, "/devices", words))
}

pub async fn drop_former(
    State(staff): State<Staff>,
    caller: Caller,
    Form(sure): Form<Sure>,
) -> Reply {
    sure.check()?;
    journal(&staff, &caller, "authority_drop_former", "").await?;
    let tls = staff.tls.clone();
    blocking(move || tls.drop_former()).await?;
    Ok(done(&staff, &caller.session, "/devices", "The former authority is not trusted any more."))
}

/// Files are written with a sync.
async fn blocking(
    work: impl FnOnce() -> anyhow::Result<()> + Send + 'static,
) -> Result<(), Refusal> {
    Ok(tokio::task::spawn_blocking(work).await.map_err(anyhow::Error::from)??)
}

fn known(staff: &Staff, code: &str) -> Result<String, Refusal> {
    let device = staff.watched.registry.by_code(code);
    let device = device.ok_or_else(|| Refusal::not_found("such device"))?;
    Ok(device.code.to_string())
}
