//! Mail by SMTP: implicit TLS (465), STARTTLS (587) or, for a server on this machine, none.

use super::{MailError, Mailer, Rendered};
use crate::config::{ConfigError, Mail};
use anyhow::Context;
use futures_util::future::BoxFuture;
use lettre::message::{Mailbox, MultiPart};
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use std::time::Duration;

/// A pool of connections to one server.
#[derive(Debug)]
pub struct Smtp {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl Smtp {
    pub fn new(config: &Mail) -> anyhow::Result<Self> {
        let url = config.smtp_url.as_ref();
        let url = url.ok_or_else(|| ConfigError::new("mail.smtp_url: is needed for smtp"))?;
        let wrong = |_| ConfigError::new("mail.smtp_url: is no smtp:// or smtps:// URL");
        let builder =
            AsyncSmtpTransport::<Tokio1Executor>::from_url(url.expose()).map_err(wrong)?;
        let transport = builder.timeout(Some(PATIENCE)).build();
        Ok(Self { transport, from: sender(config)? })
    }
}

const PATIENCE: Duration = Duration::from_secs(20);

/// The address of the configuration.
pub fn sender(config: &Mail) -> Result<Mailbox, ConfigError> {
    let wrong = |error| ConfigError::new(format!("mail.from: {error}"));
    config.from.parse::<Mailbox>().map_err(wrong)
}

/// The letter as it travels.
pub fn message(from: &Mailbox, letter: &Rendered) -> anyhow::Result<Message> {
    let to = Mailbox::new(None, letter.to.parse().context("the address")?);
    let parts = MultiPart::alternative_plain_html(letter.text.clone(), letter.html.clone());
    let message = Message::builder().from(from.clone()).to(to).subject(&letter.subject);
    Ok(message.multipart(parts)?)
}

impl Mailer for Smtp {
    fn send<'a>(&'a self, letter: &'a Rendered) -> BoxFuture<'a, Result<(), MailError>> {
        Box::pin(async move {
            let message = message(&self.from, letter);
            let message = message.map_err(|error| MailError::Refused(format!("{error:#}")))?;
            match self.transport.send(message).await {
                Ok(_) => Ok(()),
                Err(error) if error.is_permanent() => Err(MailError::Refused(error.to_string())),
                Err(error) => Err(MailError::Later(error.to_string())),
            }
        })
    }
}
