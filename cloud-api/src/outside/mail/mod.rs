//! Mail: letters are rendered from templates, queued as jobs, and carried by SMTP, by `SendGrid` or, in development,
//! into a folder. Whoever asks for a letter never waits for a mail server.

mod folder;
mod inbox;
mod job;
mod letter;
mod sendgrid;
mod smtp;

pub use inbox::Inbox;
pub use job::{SendLetter, queue};
pub use letter::Letter;

use crate::config::{Mail, MailCarrier};
use futures_util::future::BoxFuture;
use std::fmt;
use std::sync::Arc;

/// A letter that is ready to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    pub to: String,
    pub subject: String,
    pub text: String,
    pub html: String,
}

/// Why a letter did not go.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// It may go later.
    #[error("mail cannot be sent now: {0}")]
    Later(String),
    /// It never will: the address or the letter is refused.
    #[error("mail is refused: {0}")]
    Refused(String),
}

/// Carries letters.
pub trait Mailer: Send + Sync + fmt::Debug {
    fn send<'a>(&'a self, letter: &'a Rendered) -> BoxFuture<'a, Result<(), MailError>>;
}

/// The carrier of the configuration.
pub fn open(config: &Mail, state_dir: &std::path::Path) -> anyhow::Result<Arc<dyn Mailer>> {
    Ok(match config.carrier {
        MailCarrier::Folder => Arc::new(folder::Folder::new(config, state_dir)?),
        MailCarrier::Smtp => Arc::new(smtp::Smtp::new(config)?),
        MailCarrier::Sendgrid => Arc::new(sendgrid::SendGrid::new(config)?),
    })
}
