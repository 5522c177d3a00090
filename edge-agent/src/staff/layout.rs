//! What stands around every page: name of the branch, the way to other pages, warnings, who is signed in.

use super::accounts::{Caller, Permission};
use super::app::Staff;
use super::times;

/// The frame of a page.
pub struct Layout {
    /// Title of the page.
    pub title: String,
    /// Name of the branch.
    pub branch: String,
    /// Who is signed in.
    pub name: Option<String>,
    /// Their role, as a word.
    pub role: &'static str,
    /// What forms carry.
    pub form_token: String,
    /// The ways to other pages.
    pub ways: Vec<Way>,
    /// What was just done.
    pub note: Option<String>,
    /// What everybody should know.
    pub warnings: Vec<String>,
}

/// A way to another page.
pub struct Way {
    /// Where to.
    pub path: &'static str,
    /// Its name.
    pub name: &'static str,
    /// It is where we are.
    pub is_here: bool,
}

/// All pages, in the order of the navigation.
const WAYS: [(&str, &str, Permission); 7] = [
    ("/floor", "Floor", Permission::See),
    ("/members", "Members", Permission::SeeMembers),
    ("/machines", "Machines", Permission::See),
    ("/taps", "Taps", Permission::See),
    ("/devices", "Devices", Permission::See),
    ("/sync", "Sync", Permission::See),
    ("/settings", "Settings", Permission::See),
];

impl Layout {
    /// Around a page for somebody who is signed in.
    pub fn of(staff: &Staff, caller: &Caller, title: impl Into<String>, here: &str) -> Self {
        let way = |&(path, name, _): &(&'static str, &'static str, Permission)| Way {
            path,
            name,
            is_here: path == here,
        };
        let ways = WAYS.iter().filter(|(.., needs)| caller.role.may(*needs)).map(way);
        Self {
            title: title.into(),
            branch: branch(staff),
            name: Some(caller.name.clone()),
            role: caller.role.as_str(),
            form_token: caller.form_token.clone(),
            ways: ways.collect(),
            note: staff.notes.take(&caller.session),
            warnings: warnings(staff),
        }
    }

    /// Around a page for somebody who is not: it tells as little as it can.
    pub fn outside(title: impl Into<String>, form_token: String) -> Self {
        Self {
            title: title.into(),
            branch: "Gymwire".to_owned(),
            name: None,
            role: "",
            form_token,
            ways: Vec::new(),
            note: None,
            warnings: Vec::new(),
        }
    }
}

fn branch(staff: &Staff) -> String {
    let enrolled = staff.watched.registry.enrolled();
    enrolled.map_or_else(
        || "Gymwire".to_owned(),
        |enrolled| enrolled.enrolment.answer.branch_name.clone(),
    )
}

fn warnings(staff: &Staff) -> Vec<String> {
    let status = staff.watched.status();
    let mut warnings = Vec::new();
    if !status.is_healthy() {
        warnings.push(
            "The disk cannot be written: devices keep what they measure until it can.".to_owned(),
        );
    }
    if !status.clock_synced {
        warnings.push("The clock is not synchronised: times may be wrong.".to_owned());
    }
    if let Some(age_ms) = roster_age_ms(staff) {
        let grace_ms = u64::from(staff.access.settings().grace_days) * 86_400_000;
        if age_ms > grace_ms {
            let age = times::span(age_ms);
            warnings.push(format!(
                "The list of members is {age} old: only who was let in last time still enters."
            ));
        }
    }
    if staff.has_open_mqtt {
        warnings.push(
            "MQTT without encryption is open to the network (configuration key mqtt.listen)."
                .to_owned(),
        );
    }
    warnings
}

/// Since the cloud last said that the roster is complete.
pub fn roster_age_ms(staff: &Staff) -> Option<u64> {
    let confirmed_ms = staff.watched.registry.roster().confirmed_ms()?;
    let now_ms = staff.watched.clock.trusted_ms()?;
    u64::try_from(now_ms.saturating_sub(confirmed_ms)).ok()
}
