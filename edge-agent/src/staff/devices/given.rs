//! The certificates that devices were given: whose, until when, and which of them count.

use super::certificates::Certificate;
use crate::front_door::tls::Given;
use crate::staff::app::Staff;
use page_kit::times;
use time::OffsetDateTime;

/// What is listed of them.
pub struct Listed {
    pub rows: Vec<Row>,
    /// One of them can be revoked.
    pub has_counting: bool,
    /// So many more there are than a page shows.
    pub more: usize,
}

/// A certificate of a device.
pub struct Row {
    pub name: String,
    pub code: String,
    pub serial: String,
    pub until: String,
    pub state: String,
    pub look: &'static str,
    pub can_be_revoked: bool,
}

/// Some for every device of a large branch; all of them are told by the command line.
const MOST_SHOWN: usize = 250;

/// Those that can be revoked first, by device, the newest first.
pub fn listed(staff: &Staff, authorities: &[Certificate], now_ms: i64) -> Listed {
    let given = staff.tls.certificates();
    let mut rows: Vec<Row> =
        given.into_iter().map(|given| row(staff, authorities, given, now_ms)).collect();
    rows.sort_by_key(|row| !row.can_be_revoked);
    let more = rows.len().saturating_sub(MOST_SHOWN);
    rows.truncate(MOST_SHOWN);
    Listed { has_counting: rows.iter().any(|row| row.can_be_revoked), rows, more }
}

fn row(staff: &Staff, authorities: &[Certificate], given: Given, now_ms: i64) -> Row {
    let device = staff.watched.registry.by_code(&given.code);
    let is_trusted = given
        .authority
        .as_ref()
        .is_none_or(|name| authorities.iter().any(|authority| authority.subject == *name));
    let (state, look) = match (given.revoked_ms, &device) {
        (Some(at_ms), _) => {
            let zone = staff.access.zone();
            (format!("revoked {}", times::moment(&zone, at_ms)), "bad")
        }
        (None, _) if given.until_ms <= now_ms => ("ended".to_owned(), "gone"),
        (None, _) if !is_trusted => ("its authority was dropped".to_owned(), "gone"),
        (None, None) => ("its device is gone".to_owned(), "warn"),
        (None, Some(device)) if !device.enabled => ("its device is locked out".to_owned(), "warn"),
        (None, Some(_)) => ("counts".to_owned(), "good"),
    };
    Row {
        name: device.map(|device| device.name.clone()).unwrap_or_default(),
        can_be_revoked: matches!(look, "good" | "warn"),
        until: date(given.until_ms),
        code: given.code,
        serial: given.serial,
        state,
        look,
    }
}

/// As the other certificates of the page tell it.
fn date(unix_ms: i64) -> String {
    let end = OffsetDateTime::from_unix_timestamp(unix_ms.div_euclid(1_000));
    end.map_or_else(|_| "always".to_owned(), |end| end.date().to_string())
}
