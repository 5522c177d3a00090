//! What stands around every page: name of the branch, the way to other pages, warnings, who is signed in.

use super::accounts::{Caller, Permission};
use super::app::Staff;
use super::notes::{Note, Objection};
use askama::Template;
use page_kit::times;

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
    /// What was just not done.
    pub refused: Option<Objection>,
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
        let (note, refused) = match staff.notes.take(&caller.session) {
            Some(Note::Done(words)) => (Some(words), None),
            Some(Note::Refused(objection)) => (None, Some(objection)),
            None => (None, None),
        };
        Self {
            title: title.into(),
            branch: branch(staff),
            name: Some(caller.name.clone()),
            role: caller.role.as_str(),
            form_token: caller.form_token.clone(),
            ways: ways.collect(),
            note,
            refused,
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
            refused: None,
            warnings: Vec::new(),
        }
    }

    /// What is wrong with a field of the form that is sent to a path with this end.
    pub fn problem(&self, form: &str, field: &str) -> Problem<'_> {
        Problem { words: self.objection(form, field) }
    }

    /// Attributes of that field.
    pub fn marks(&self, form: &str, field: &str) -> &'static str {
        match self.objection(form, field) {
            Some(_) => " aria-invalid=\"true\" aria-describedby=\"problem\" autofocus",
            None => "",
        }
    }

    /// What was typed into it.
    pub fn given(&self, form: &str, field: &str) -> &str {
        let refused = self.refused.as_ref().filter(|refused| refused.is_of(form));
        let mut given = refused.into_iter().flat_map(|refused| &refused.given);
        given.find(|(key, _)| key == field).map_or("", |(_, value)| value)
    }

    /// Whether this form was just not carried out.
    pub fn is_refused(&self, form: &str) -> bool {
        self.refused.as_ref().is_some_and(|refused| refused.is_of(form))
    }

    fn objection(&self, form: &str, field: &str) -> Option<&str> {
        let refused = self.refused.as_ref()?;
        (refused.is_of(form) && refused.field == field).then_some(refused.words.as_str())
    }
}

impl Objection {
    fn is_of(&self, form: &str) -> bool {
        self.action.rsplit('/').next() == Some(form)
    }
}

/// What is wrong with a field, beside it; nothing if nothing is.
#[derive(Template)]
#[template(
    source = "{% if let Some(words) = words %}<span class=\"problem\" id=\"problem\">{{ words }}</span>{% endif %}",
    ext = "html"
)]
pub struct Problem<'a> {
    words: Option<&'a str>,
}

/// The page to go back to, of a path that somebody comes from: answers to forms are no pages.
pub fn page_of(path: &str) -> Option<String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    let path = path.split('?').next().unwrap_or_default();
    let mut parts = path.strip_prefix('/')?.split('/');
    let (first, second, third) = (parts.next()?, parts.next(), parts.next());
    let is_known = first == "enrolment" || WAYS.iter().any(|(way, ..)| way[1..] == *first);
    match (first, second, third) {
        _ if !is_known => None,
        ("members" | "machines", Some(one), None) if one.chars().all(is_plain) => {
            Some(format!("/{first}/{one}"))
        }
        _ => Some(format!("/{first}")),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_form_leads_back_to_its_page_and_to_no_other() {
        let page = |path: &str| page_of(path).unwrap_or_default();

        assert_eq!(page("/members/0190"), "/members/0190");
        assert_eq!(page("/members?q=ada"), "/members");
        assert_eq!(page("/devices/bike/rotate"), "/devices", "that is no page");
        assert_eq!(page("/members/%22%3E"), "/members");
        for elsewhere in ["", "//evil.example", "/sign-in", "/work", "evil"] {
            assert_eq!(page_of(elsewhere), None, "{elsewhere:?}");
        }
    }
}
