//! Browsers that come without TLS are told where the page is.

use std::io;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// The first byte of a TLS handshake.
const HANDSHAKE: u8 = 22;
const MAX_HEAD_BYTES: usize = 4 * 1024;

/// Whether the client begins with a handshake; nothing is read away.
pub async fn is_tls(stream: &TcpStream) -> io::Result<bool> {
    let mut first = [0];
    match stream.peek(&mut first).await? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(first[0] == HANDSHAKE),
    }
}

/// Reads a request's head and answers with the same address under `https`.
pub async fn redirect(stream: &mut TcpStream) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") && head.len() < MAX_HEAD_BYTES {
        if stream.read_buf(&mut head).await? == 0 {
            break;
        }
    }
    stream.write_all(answer(&String::from_utf8_lossy(&head)).as_bytes()).await?;
    stream.shutdown().await
}

fn answer(head: &str) -> String {
    const WORDS: &str = "This page is only served over HTTPS.\n";
    let status = match location(head) {
        Some(location) => format!("308 Permanent Redirect\r\nLocation: {location}"),
        None => "400 Bad Request".to_owned(),
    };
    let length = WORDS.len();
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n{WORDS}"
    )
}

/// Only of characters that a host and a path have: what is sent back must not become something else.
fn location(head: &str) -> Option<String> {
    let mut lines = head.lines();
    let path = lines.next()?.split(' ').nth(1)?;
    let host = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("host").then_some(value.trim())
    })?;
    let is_host = |c: char| c.is_ascii_alphanumeric() || ".-:[]".contains(c);
    let is_path = |c: char| c.is_ascii_alphanumeric() || "/-._~%?=&+".contains(c);
    let is_fine = !host.is_empty() && host.chars().all(is_host);
    let path = if path.starts_with('/') && path.chars().all(is_path) { path } else { "/" };
    is_fine.then(|| format!("https://{host}{path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_is_sent_to_the_same_place_under_https() {
        let head = "GET /taps?a=1 HTTP/1.1\r\nHost: gym.local:8090\r\n\r\n";

        assert_eq!(location(head).as_deref(), Some("https://gym.local:8090/taps?a=1"));
        assert!(answer(head).starts_with("HTTP/1.1 308 "));
    }

    #[test]
    fn nothing_strange_is_sent_back() {
        for head in ["", "\0\0", "GET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nHost: a<b>\r\n\r\n"] {
            assert_eq!(location(head), None, "{head:?}");
        }
        let head = "GET //\"><script> HTTP/1.1\r\nHost: gym\r\n\r\n";
        assert_eq!(location(head).as_deref(), Some("https://gym/"));
    }
}
