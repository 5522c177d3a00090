//! What stands around every page: the way to the overview, who is signed in, and what was just done.

use super::guard::Who;
use axum::http::Uri;

/// The frame of a page.
pub struct Layout {
    pub title: String,
    /// Who is signed in: name, and role as a word.
    pub who: Option<(String, String)>,
    /// What forms carry.
    pub form_token: String,
    /// What was just done.
    pub note: Option<&'static str>,
}

/// What can be said to be done, by the word that stands in the address of the page after it.
const DONE: [(&str, &str); 5] = [
    ("out-of-use", "The machine is told to take nobody."),
    ("in-use", "The machine is told to take people again."),
    ("restart", "The gateway is told to restart. It takes some seconds."),
    ("ended", "The stay is ended."),
    ("asked", "The branch does not answer now. It is told as soon as it is heard again."),
];

impl Layout {
    /// Around a page for somebody who is signed in.
    pub fn of(who: &Who, title: impl Into<String>) -> Self {
        let name = (who.name.clone(), who.caller.role.to_string());
        Self {
            title: title.into(),
            who: Some(name),
            form_token: who.form_token.clone(),
            note: None,
        }
    }

    /// Around a page for somebody who is not: it tells as little as it can.
    pub fn outside(title: impl Into<String>, form_token: String) -> Self {
        Self { title: title.into(), who: None, form_token, note: None }
    }

    /// With what the address says was done.
    #[must_use]
    pub fn after(self, uri: &Uri) -> Self {
        let done = uri.query().and_then(|query| query.strip_prefix("done="));
        let note = DONE.iter().find(|(word, _)| Some(*word) == done).map(|(_, words)| *words);
        Self { note, ..self }
    }
}
