//! A pseudo terminal with a stable name: the emulator is at one end, a program opens the other as its port.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};
use std::fs::{self, OpenOptions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{OpenOptionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::sleep;

/// How often to look whether somebody has opened the port: the kernel does not tell.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// How often to look for bytes. An `AsyncFd` would not do: once a program has closed the port, the kernel and tokio
/// take it for readable and writable for ever, and waiting for that keeps a thread busy.
const TRY_EVERY: Duration = Duration::from_millis(1);

/// The emulator's end. Dropping it unplugs the device: the name goes, and whoever reads the port gets an error.
#[derive(Debug)]
pub struct Pty {
    device: OwnedFd,
    link: PathBuf,
}

impl Pty {
    /// Makes a pseudo terminal and lets `link` point to the end that is to be opened.
    pub fn plug_in(link: &Path) -> io::Result<Self> {
        let device = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        grantpt(&device)?;
        unlockpt(&device)?;
        let mut terminal = tcgetattr(&device)?;
        terminal.make_raw();
        tcsetattr(&device, OptionalActions::Now, &terminal)?;
        fcntl_setfl(&device, fcntl_getfl(&device)? | OFlags::NONBLOCK)?;
        let name = ptsname(&device, Vec::new())?;
        let name = Path::new(std::ffi::OsStr::from_bytes(name.as_bytes()));
        // Only after a first opening does the kernel report that nobody has it open.
        OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(no_controlling_terminal())
            .open(name)?;
        remove_link(link)?;
        symlink(name, link)?;
        Ok(Self { device, link: link.to_owned() })
    }

    /// The name to open.
    pub fn link(&self) -> &Path {
        &self.link
    }

    /// Whether a program has the port open.
    pub fn is_open(&self) -> bool {
        let mut fds = [PollFd::new(&self.device, PollFlags::OUT)];
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        match poll(&mut fds, Some(&now)) {
            Ok(_) => !fds[0].revents().contains(PollFlags::HUP),
            Err(_) => false,
        }
    }

    /// Waits until a program has the port open.
    pub async fn opened(&self) {
        while !self.is_open() {
            sleep(LOOK_EVERY).await;
        }
    }

    /// Sends bytes to the program.
    pub async fn write(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match rustix::io::write(&self.device, bytes) {
                Err(Errno::AGAIN) => sleep(TRY_EVERY).await,
                written => bytes = &bytes[written?..],
            }
        }
        Ok(())
    }

    /// What the program sends; 0 when nobody has the port open.
    pub async fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match rustix::io::read(&self.device, &mut *buffer) {
                Err(Errno::AGAIN) => sleep(TRY_EVERY).await,
                Err(Errno::IO) => return Ok(0),
                read => return Ok(read?),
            }
        }
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        // A link that is gone already is as good.
        let _ = fs::remove_file(&self.link);
    }
}

fn no_controlling_terminal() -> i32 {
    i32::try_from(OFlags::NOCTTY.bits()).unwrap_or_default()
}

/// A link that a killed emulator left may go; anything else stays, or a typing error could cost a file.
fn remove_link(link: &Path) -> io::Result<()> {
    match fs::symlink_metadata(link) {
        Ok(found) if found.is_symlink() => fs::remove_file(link),
        Ok(_) => Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            format!("{} exists and is no link", link.display()),
        )),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}
