//! Letters: what is asked for goes on while the mail server is away, and goes out by SMTP and `SendGrid`.

use super::{cloud, letters, register};
use anyhow::{Context, Result};
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use cloud_api::config::{Mail, MailCarrier, Secret};
use cloud_api::outside::mail::{self, MailError, Rendered};
use serde_json::Value;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use tests::wait;
use time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

fn letter() -> Rendered {
    Rendered {
        to: "ada@example.com".to_owned(),
        subject: "Grüße".to_owned(),
        text: "plain".to_owned(),
        html: "<p>html</p>".to_owned(),
    }
}

#[tokio::test]
async fn a_mail_server_that_is_away_delays_letters_and_nothing_else() -> Result<()> {
    let (api, _) = cloud().await?;
    api.inbox.fail(2);

    assert_eq!(register(&api, "ada@example.com").await?.status, 201);

    assert_eq!(letters(&api).await?, []);
    api.app.clock.advance(Duration::seconds(3));
    assert_eq!(letters(&api).await?, []);
    api.app.clock.advance(Duration::seconds(5));
    assert_eq!(letters(&api).await?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn queued_letters_can_be_read_by_nobody_else() -> Result<()> {
    let (api, _) = cloud().await?;
    register(&api, "ada@example.com").await?;

    let queued: Vec<String> =
        sqlx::query_scalar("SELECT payload::text FROM jobs").fetch_all(&api.app.db).await?;

    let queued = queued.join("\n");
    assert!(queued.contains("sealed"), "{queued}");
    assert!(!queued.contains("ada@example.com") && !queued.contains("token="), "{queued}");
    Ok(())
}

#[tokio::test]
async fn a_letter_becomes_a_file_in_development() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mailer = mail::open(&Mail::default(), folder.path())?;

    mailer.send(&letter()).await?;

    let file = std::fs::read_dir(folder.path().join("mail"))?.next().context("no file")??;
    let text = std::fs::read_to_string(file.path())?;
    assert!(
        text.contains("multipart/alternative") && text.contains("To: ada@example.com"),
        "{text}"
    );
    Ok(())
}

/// A mail server that takes one letter, or refuses it with a reply code.
async fn smtp_server(refuse: Option<&'static str>) -> Result<(u16, JoinSet<Result<String>>)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let (stream, _) = listener.accept().await?;
        let (read, mut write) = stream.into_split();
        let mut lines = BufReader::new(read).lines();
        write.write_all(b"220 test\r\n").await?;
        let (mut data, mut is_data) = (String::new(), false);
        while let Some(line) = lines.next_line().await? {
            if is_data && line != "." {
                data.push_str(&line);
                data.push('\n');
                continue;
            }
            let answer = match line.split(' ').next().unwrap_or_default() {
                "EHLO" => "250 test",
                "RCPT" => refuse.unwrap_or("250 ok"),
                "DATA" => "354 go on",
                "QUIT" => "221 bye",
                _ => "250 ok",
            };
            is_data = line == "DATA";
            write.write_all(format!("{answer}\r\n").as_bytes()).await?;
            if line == "." || (refuse.is_some() && line.starts_with("RCPT")) {
                return Ok(data);
            }
        }
        Ok(data)
    });
    Ok((port, tasks))
}

fn smtp(port: u16) -> Mail {
    let smtp_url = Some(Secret::from(format!("smtp://127.0.0.1:{port}")));
    Mail { carrier: MailCarrier::Smtp, smtp_url, ..Mail::default() }
}

#[tokio::test]
async fn a_letter_travels_by_smtp_with_both_parts() -> Result<()> {
    let (port, mut server) = smtp_server(None).await?;
    let mailer = mail::open(&smtp(port), Path::new("."))?;

    mailer.send(&letter()).await?;

    let text = server.join_next().await.context("no server")???;
    assert!(text.contains("text/plain") && text.contains("text/html"), "{text}");
    assert!(text.contains("Subject: =?utf-8?"), "{text}");
    Ok(())
}

#[tokio::test]
async fn what_a_mail_server_refuses_for_good_is_not_sent_again() -> Result<()> {
    let (gone, _gone_server) = smtp_server(Some("550 no such user")).await?;
    let (full, _full_server) = smtp_server(Some("450 try later")).await?;

    let refused = mail::open(&smtp(gone), Path::new("."))?.send(&letter()).await;
    let later = mail::open(&smtp(full), Path::new("."))?.send(&letter()).await;

    assert!(matches!(refused, Err(MailError::Refused(_))), "{refused:?}");
    assert!(matches!(later, Err(MailError::Later(_))), "{later:?}");
    Ok(())
}

#[derive(Clone, Default)]
struct Grid(Arc<Mutex<Vec<(HeaderMap, Value)>>>);

async fn take_letter(
    State(grid): State<Grid>,
    headers: HeaderMap,
    axum::Json(body): axum::Json<Value>,
) -> StatusCode {
    let status = match body["subject"].as_str() {
        Some("400") => StatusCode::BAD_REQUEST,
        Some("429") => StatusCode::TOO_MANY_REQUESTS,
        _ => StatusCode::ACCEPTED,
    };
    grid.0.lock().unwrap_or_else(PoisonError::into_inner).push((headers, body));
    status
}

#[tokio::test]
async fn a_letter_travels_by_sendgrid_and_its_refusals_are_told_apart() -> Result<()> {
    let grid = Grid::default();
    let routes = Router::new().route("/v3/mail/send", post(take_letter)).with_state(grid.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let sendgrid_url = format!("http://{}", listener.local_addr()?);
    let mut server = JoinSet::new();
    server.spawn(async move { axum::serve(listener, routes).await });
    let sendgrid_key = Some(Secret::from("SG.key".to_owned()));
    let config =
        Mail { carrier: MailCarrier::Sendgrid, sendgrid_key, sendgrid_url, ..Mail::default() };
    let mailer = mail::open(&config, Path::new("."))?;
    let titled = |subject: &str| Rendered { subject: subject.to_owned(), ..letter() };

    mailer.send(&letter()).await?;
    let wrong = mailer.send(&titled("400")).await;
    let busy = mailer.send(&titled("429")).await;

    assert!(matches!(wrong, Err(MailError::Refused(_))), "{wrong:?}");
    assert!(matches!(busy, Err(MailError::Later(_))), "{busy:?}");
    let came = grid.0.lock().unwrap_or_else(PoisonError::into_inner);
    let (headers, body) = &came[0];
    assert_eq!(headers["authorization"], "Bearer SG.key");
    assert_eq!(body["personalizations"][0]["to"][0]["email"], "ada@example.com");
    assert_eq!(body["content"][0]["type"], "text/plain");
    assert_eq!(body["content"][1]["type"], "text/html");
    Ok(())
}

#[tokio::test]
async fn a_server_that_is_not_there_means_later() -> Result<()> {
    let mailer = mail::open(&smtp(1), Path::new("."))?;

    let sent = wait::until("an answer", std::time::Duration::from_secs(20), || async {
        Ok(Some(mailer.send(&letter()).await))
    })
    .await?;

    assert!(matches!(sent, Err(MailError::Later(_))), "{sent:?}");
    Ok(())
}
