//! Mail of development: letters become files that can be opened.

use super::smtp::{message, sender};
use super::{MailError, Mailer, Rendered};
use crate::config::Mail;
use futures_util::future::BoxFuture;
use lettre::message::Mailbox;
use std::path::{Path, PathBuf};

/// A folder of `.eml` files.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    from: Mailbox,
}

impl Folder {
    pub fn new(config: &Mail, state_dir: &Path) -> anyhow::Result<Self> {
        Ok(Self { path: state_dir.join("mail"), from: sender(config)? })
    }
}

impl Mailer for Folder {
    fn send<'a>(&'a self, letter: &'a Rendered) -> BoxFuture<'a, Result<(), MailError>> {
        Box::pin(async move {
            let message = message(&self.from, letter);
            let message = message.map_err(|error| MailError::Refused(format!("{error:#}")))?;
            let later = |error: std::io::Error| MailError::Later(error.to_string());
            tokio::fs::create_dir_all(&self.path).await.map_err(later)?;
            let file = self.path.join(format!("{}.eml", uuid::Uuid::now_v7()));
            tokio::fs::write(file, message.formatted()).await.map_err(later)
        })
    }
}
