//! A QR scanner: sends what it is shown, in the style it is set to, and can be pulled out at any moment.

use super::pty::Pty;
use anyhow::{Context, Result};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader, stdin};
use tokio::time::sleep;

/// What follows a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Suffix {
    /// Carriage return.
    Cr,
    /// Line feed.
    Lf,
    /// Both, the factory setting of most.
    #[default]
    Crlf,
    /// Nothing.
    None,
}

impl Suffix {
    /// Its bytes.
    pub fn bytes(self) -> &'static [u8] {
        match self {
            Self::Cr => b"\r",
            Self::Lf => b"\n",
            Self::Crlf => b"\r\n",
            Self::None => b"",
        }
    }
}

/// How the scanner is set up.
#[derive(Debug, Clone, Copy, Default)]
pub struct Style {
    /// What follows a code.
    pub suffix: Suffix,
    /// Sends `]Q1` first.
    pub aim_prefix: bool,
    /// Sends the code in pieces of so many bytes with `pause` between them; 0 sends it at once.
    pub piece: usize,
    /// Time between pieces.
    pub pause: Duration,
}

/// An emulated scanner. Dropping it pulls it out.
#[derive(Debug)]
pub struct Scanner {
    style: Style,
    link: PathBuf,
    pty: Option<Pty>,
}

impl Scanner {
    /// Plugs a scanner in; its port appears as `link`.
    pub fn plug_in(link: &Path, style: Style) -> io::Result<Self> {
        Ok(Self { style, link: link.to_owned(), pty: Some(Pty::plug_in(link)?) })
    }

    /// The name of its port.
    pub fn link(&self) -> &Path {
        &self.link
    }

    /// Changes how it is set up, as scanning a set-up code does.
    pub fn set_up(&mut self, style: Style) {
        self.style = style;
    }

    /// Waits until a program has opened the port; scans before that reach nobody.
    pub async fn opened(&self) -> io::Result<()> {
        self.pty()?.opened().await;
        Ok(())
    }

    /// Shows the scanner a code.
    pub async fn scan(&self, code: &str) -> io::Result<()> {
        let mut line = Vec::new();
        if self.style.aim_prefix {
            line.extend_from_slice(b"]Q1");
        }
        line.extend_from_slice(code.as_bytes());
        line.extend_from_slice(self.style.suffix.bytes());
        let piece = if self.style.piece == 0 { line.len() } else { self.style.piece };
        for (number, piece) in line.chunks(piece.max(1)).enumerate() {
            if number > 0 {
                sleep(self.style.pause).await;
            }
            self.send(piece).await?;
        }
        Ok(())
    }

    /// Sends any bytes: half a code, noise, the garbage of a wrong baud rate.
    pub async fn send(&self, bytes: &[u8]) -> io::Result<()> {
        self.pty()?.write(bytes).await
    }

    /// Pulls the cable out: the port and its name vanish.
    pub fn unplug(&mut self) {
        self.pty = None;
    }

    /// Puts the cable back: a new port under the old name.
    pub fn plug_back(&mut self) -> io::Result<()> {
        self.pty = None;
        self.pty = Some(Pty::plug_in(&self.link)?);
        Ok(())
    }

    fn pty(&self) -> io::Result<&Pty> {
        self.pty.as_ref().ok_or_else(|| io::Error::from(io::ErrorKind::NotConnected))
    }
}

/// Scans what is typed.
pub(super) async fn play(link: &Path, suffix: Suffix, aim_prefix: bool) -> Result<()> {
    let style = Style { suffix, aim_prefix, ..Style::default() };
    let mut scanner =
        Scanner::plug_in(link, style).with_context(|| format!("cannot make {}", link.display()))?;
    say(&format!("scanner is at {}; type codes", link.display()))?;
    let mut lines = BufReader::new(stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        match line.as_str() {
            "!unplug" => scanner.unplug(),
            "!plug" => scanner.plug_back()?,
            code => match scanner.scan(code).await {
                Ok(()) => say("scanned")?,
                Err(error) => say(&format!("not scanned: {error}"))?,
            },
        }
    }
    Ok(())
}

fn say(text: &str) -> io::Result<()> {
    writeln!(io::stdout(), "{text}")
}
