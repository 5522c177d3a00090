//! Cookies and forms as they arrive, before anything is parsed: whose they are, and whether they come from our own page.

use axum::http::{HeaderMap, header};
use subtle::ConstantTimeEq as _;

/// The field that carries what only our own pages know.
pub const TOKEN_FIELD: &str = "form_token";

/// The value of a cookie; of several with one name, the first.
pub fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.split_once('='));
    pairs.find(|(key, _)| key.trim() == name).map(|(_, value)| value.trim())
}

/// A field of a form that is not parsed yet.
pub fn field(body: &[u8], name: &str) -> Option<String> {
    let mut pairs = form_urlencoded::parse(body);
    pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

/// Whether a form carries this token.
pub fn carries(body: &[u8], token: &str) -> bool {
    let told = field(body, TOKEN_FIELD);
    told.is_some_and(|told| bool::from(told.as_bytes().ct_eq(token.as_bytes())))
}

/// What was typed, to be shown again; passwords and codes are typed anew.
pub fn given(body: &[u8]) -> Vec<(String, String)> {
    const SECRET: [&str; 5] = [TOKEN_FIELD, "present", "password", "again", "code"];
    let pairs = form_urlencoded::parse(body).filter(|(key, _)| !SECRET.contains(&&**key));
    pairs.map(|(key, value)| (key.into_owned(), value.into_owned())).collect()
}

/// Text as a part of a query.
pub fn in_query(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// Whether a request says that it comes from a page at this very host, which was asked by `scheme`.
pub fn is_from_this_host(headers: &HeaderMap, scheme: &str) -> bool {
    let text = |name| headers.get(name).and_then(|value: &header::HeaderValue| value.to_str().ok());
    let (Some(origin), Some(host)) = (text(header::ORIGIN), text(header::HOST)) else {
        return false;
    };
    let origin = origin.strip_prefix(scheme).and_then(|rest| rest.strip_prefix("://"));
    origin.is_some_and(|origin| origin.eq_ignore_ascii_case(host))
}

/// Whether a browser waits for a stream of events.
pub fn wants_stream(headers: &HeaderMap) -> bool {
    headers.get(header::ACCEPT).is_some_and(|value| value.as_bytes() == b"text/event-stream")
}

/// A carriage return ends a line of such a stream, and a name may hold one.
pub fn one_line(html: &str) -> String {
    html.replace(['\r', '\n'], " ")
}

/// Whether a path is one of this server, so that nobody is sent elsewhere.
pub fn is_own_path(path: &str) -> bool {
    let is_path = |c: char| c.is_ascii_alphanumeric() || "/-_.?=&%+".contains(c);
    path.starts_with('/') && !path.starts_with("//") && path.chars().all(is_path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn headers(pairs: &[(header::HeaderName, &'static str)]) -> HeaderMap {
        let pairs = pairs.iter().cloned();
        pairs.map(|(name, value)| (name, HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn only_a_page_at_this_very_host_is_ours() {
        let from = |origin| {
            let headers = headers(&[(header::HOST, "gym.example"), (header::ORIGIN, origin)]);
            is_from_this_host(&headers, "https")
        };

        assert!(from("https://gym.example") && from("https://GYM.example"));
        for other in ["http://gym.example", "https://gym.example.evil", "null", "https://"] {
            assert!(!from(other), "{other}");
        }
        assert!(!is_from_this_host(&headers(&[(header::HOST, "gym.example")]), "https"));
    }

    #[test]
    fn a_cookie_is_found_among_others() {
        let headers =
            headers(&[(header::COOKIE, "a=1; session=x=y ;b=2"), (header::COOKIE, "c=3")]);

        assert_eq!(cookie(&headers, "session"), Some("x=y"));
        assert_eq!(cookie(&headers, "c"), Some("3"));
        assert_eq!(cookie(&headers, "d"), None);
    }

    #[test]
    fn after_the_sign_in_nobody_is_sent_elsewhere() {
        assert!(is_own_path("/members?q=ada"));
        for elsewhere in
            ["//evil.example", "https://evil.example", "/\\evil.example", "", "/a\r\nb"]
        {
            assert!(!is_own_path(elsewhere), "{elsewhere:?}");
        }
    }

    #[test]
    fn what_is_typed_again_holds_no_secrets() {
        let body = b"form_token=t&name=Ada+L&password=p&code=1";

        assert_eq!(given(body), [("name".to_owned(), "Ada L".to_owned())]);
        assert!(carries(body, "t") && !carries(body, "x") && !carries(b"", "t"));
    }
}
