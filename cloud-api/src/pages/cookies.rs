//! The two cookies of a browser, and what its forms carry. Where browsers reach the service by HTTPS the cookies travel by
//! that alone, and no neighbour of ours can set them (`__Host-`).

use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use page_kit::form::{self, cookie};
use sha2::{Digest as _, Sha256};

/// How they are called here.
#[derive(Debug, Clone, Copy)]
pub struct Cookies {
    is_https: bool,
    session: &'static str,
    visitor: &'static str,
}

impl Cookies {
    /// For a service that browsers reach there.
    pub fn new(public_url: &str) -> Self {
        if public_url.starts_with("https://") {
            let (session, visitor) = ("__Host-gymwire-console", "__Host-gymwire-console-visitor");
            Self { is_https: true, session, visitor }
        } else {
            Self { is_https: false, session: "gymwire-console", visitor: "gymwire-console-visitor" }
        }
    }

    /// The one of somebody who has signed in.
    pub fn session(self, headers: &HeaderMap) -> Option<&str> {
        drawn(cookie(headers, self.session))
    }

    /// The one that ties the sign-in form to its browser.
    pub fn visitor(self, headers: &HeaderMap) -> Option<&str> {
        drawn(cookie(headers, self.visitor))
    }

    pub fn set_session(self, response: &mut Response, value: &str) {
        self.set(response, self.session, value, "");
    }

    pub fn set_visitor(self, response: &mut Response, value: &str) {
        self.set(response, self.visitor, value, "");
    }

    pub fn expire_session(self, response: &mut Response) {
        self.set(response, self.session, "", "; Max-Age=0");
    }

    pub fn expire_visitor(self, response: &mut Response) {
        self.set(response, self.visitor, "", "; Max-Age=0");
    }

    /// Whether a request comes from a page of ours.
    pub fn is_own_page(self, headers: &HeaderMap, public_url: &str) -> bool {
        let scheme = if self.is_https { "https" } else { "http" };
        let origin = headers.get(header::ORIGIN).and_then(|value| value.to_str().ok());
        form::is_from_this_host(headers, scheme)
            || origin.is_some_and(|origin| origin == public_url.trim_end_matches('/'))
    }

    /// Scripts cannot read it, and it comes only with requests of our own pages.
    fn set(self, response: &mut Response, name: &str, value: &str, more: &str) {
        let secure = if self.is_https { "; Secure" } else { "" };
        let line = format!("{name}={value}; Path=/; HttpOnly; SameSite=Strict{secure}{more}");
        if let Ok(line) = HeaderValue::try_from(line) {
            response.headers_mut().append(header::SET_COOKIE, line);
        }
    }
}

/// Nothing that we did not draw: 256 bits as text.
fn drawn(value: Option<&str>) -> Option<&str> {
    let is_ours = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    value.filter(|value| value.len() == DRAWN_CHARS && value.chars().all(is_ours))
}

const DRAWN_CHARS: usize = 43;

/// What forms carry: known to pages that were made for this cookie, and to nobody else.
pub fn form_token(cookie: &str) -> String {
    let mut hasher = Sha256::new();
    hasher.update("form of ");
    hasher.update(cookie);
    hex::encode(hasher.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_that_nobody_drew_is_none() {
        let value = "x".repeat(DRAWN_CHARS);
        assert_eq!(drawn(Some(&value)), Some(value.as_str()));
        for other in ["", "short", &"ü".repeat(DRAWN_CHARS), &"\"".repeat(DRAWN_CHARS)] {
            assert_eq!(drawn(Some(other)), None, "{other}");
        }
    }

    #[test]
    fn by_https_they_are_of_this_host_alone() {
        let mut response = Response::default();

        Cookies::new("https://gym.example").set_session(&mut response, "abc");

        let line = "__Host-gymwire-console=abc; Path=/; HttpOnly; SameSite=Strict; Secure";
        assert_eq!(response.headers()[header::SET_COOKIE], line);
        assert!(!Cookies::new("http://127.0.0.1:3001").is_https);
    }
}
