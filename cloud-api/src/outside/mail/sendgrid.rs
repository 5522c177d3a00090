//! Mail by `SendGrid`'s Web API v3.

use super::smtp::sender;
use super::{MailError, Mailer, Rendered};
use crate::config::{ConfigError, Mail, Secret};
use crate::outside::web;
use futures_util::future::BoxFuture;
use reqwest::StatusCode;
use serde_json::{Value, json};

/// An account there.
#[derive(Debug)]
pub struct SendGrid {
    client: reqwest::Client,
    url: String,
    key: Secret,
    from: Value,
}

impl SendGrid {
    pub fn new(config: &Mail) -> anyhow::Result<Self> {
        let key = config.sendgrid_key.clone();
        let key = key.ok_or_else(|| ConfigError::new("mail.sendgrid_key: is needed"))?;
        let sender = sender(config)?;
        let from = json!({"email": sender.email.to_string(), "name": sender.name});
        let url = format!("{}/v3/mail/send", config.sendgrid_url.trim_end_matches('/'));
        Ok(Self { client: web::client()?, url, key, from })
    }
}

impl Mailer for SendGrid {
    fn send<'a>(&'a self, letter: &'a Rendered) -> BoxFuture<'a, Result<(), MailError>> {
        Box::pin(async move {
            let body = json!({
                "personalizations": [{"to": [{"email": letter.to}]}],
                "from": self.from,
                "subject": letter.subject,
                "content": [
                    {"type": "text/plain", "value": letter.text},
                    {"type": "text/html", "value": letter.html},
                ],
            });
            let request = self.client.post(&self.url).bearer_auth(self.key.expose()).json(&body);
            let answer = request.send().await;
            let answer =
                answer.map_err(|error| MailError::Later(error.without_url().to_string()))?;
            match answer.status() {
                status if status.is_success() => Ok(()),
                // The letter is wrong; another try would be refused as well.
                status @ (StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE) => {
                    Err(MailError::Refused(format!("SendGrid answers {status}")))
                }
                status => Err(MailError::Later(format!("SendGrid answers {status}"))),
            }
        })
    }
}
