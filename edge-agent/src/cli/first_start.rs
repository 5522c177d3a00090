//! `edge-agent enroll --qr`: where a phone or tablet on the branch's network makes the first account and makes the gateway
//! known to the cloud.

use super::say;
use crate::config::Config;
use crate::front_door::tls::server_names;
use crate::ops::actions::Ask;
use crate::ops::control;
use anyhow::{Context as _, Result, bail};
use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;
use std::net::IpAddr;
use std::path::Path;

/// The code of the first start, while one is needed.
pub(super) async fn code(state_dir: &Path) -> Result<Option<String>> {
    let asked = control::ask(state_dir, &Ask::FirstStart).await?;
    Ok(asked.and_then(|told| told["code"].as_str().map(str::to_owned)))
}

pub(super) async fn show(config: &Config) -> Result<()> {
    let folder = &config.agent.state_dir;
    if control::ask(folder, &Ask::Status).await?.is_none() {
        bail!("no edge agent is running on {}: {}", folder.display(), super::ELSEWHERE);
    }
    let (path, code) = match code(folder).await? {
        Some(code) => (format!("first-start#{code}"), Some(code)),
        None => ("enrolment".to_owned(), None),
    };
    let url = format!("https://{}:{}/{path}", host(config), config.staff.listen.port());
    let qr = QrCode::new(&url).context("the address is too long for a QR code")?;
    let picture = qr.render::<Dense1x2>().build();
    let code = code.map(|code| format!("\ncode  {code}")).unwrap_or_default();
    say(&format!("{picture}\n{url}{code}"))
}

/// An address of this computer that others on the network reach; else its name.
fn host(config: &Config) -> String {
    let listen = config.staff.listen.ip();
    if !listen.is_unspecified() {
        return shown(listen);
    }
    let names = server_names(&config.mqtt.server_names);
    let addresses = names.iter().filter_map(|name| name.parse::<IpAddr>().ok());
    let mut reachable: Vec<_> = addresses.filter(|address| !address.is_loopback()).collect();
    reachable.sort_by_key(IpAddr::is_ipv6);
    reachable.first().map_or_else(|| "localhost".to_owned(), |address| shown(*address))
}

fn shown(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => format!("[{v6}]"),
    }
}
