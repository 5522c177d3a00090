//! What the launcher decides before each start of a program: which one. It trusts no release to take itself back: it
//! counts the starts of one that has to prove itself, lets the kernel end it in time, and checks every program from
//! the state folder against the makers' signature. It must stay so small that it never needs an update.

use super::databases::put_back;
use super::fault;
use super::manifest::{AGENT, Program, trusted_keys};
use super::releases::Releases;
use super::version::Version;
use anyhow::{Context as _, Result, ensure};
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// Where things are.
#[derive(Debug, Clone)]
pub struct Launcher {
    /// The releases.
    pub releases: Releases,
    /// The folder of the package's programs.
    pub packaged: PathBuf,
    /// The makers' public keys.
    pub keys: PathBuf,
}

/// What to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// The program's file.
    pub program: PathBuf,
    /// Of which release; nothing if it is the package's.
    pub release: Option<Version>,
    /// It is ended after this, unless it is found healthy.
    pub window_s: Option<u32>,
}

/// A release that was started so often without being found healthy is taken back.
pub const MAX_STARTS: u32 = 3;
/// A release that is taken back may come after another one; each is looked at once.
const MAX_LOOKS: usize = 8;

impl Launcher {
    /// Which file of this program to start. Complaints go through `complain`, since nobody else may hear of them.
    pub fn choose(&self, name: &str, mut complain: impl FnMut(&str)) -> Start {
        let packaged = Start { program: self.packaged.join(name), release: None, window_s: None };
        for _ in 0..MAX_LOOKS {
            let Some(version) = self.releases.current() else { return packaged };
            if version <= Version::own() {
                // The package was updated past it.
                return packaged;
            }
            let looked =
                if name == AGENT { self.look(version) } else { self.look_beside(version, name) };
            match looked {
                Ok(Look::Start(start)) => return start,
                Ok(Look::TakenBack(why)) => {
                    complain(&format!("release {version} is taken back: {why}"));
                }
                Err(error) => {
                    complain(&format!("release {version} is not used now: {error:#}"));
                    return packaged;
                }
            }
        }
        packaged
    }

    fn look(&self, version: Version) -> Result<Look> {
        let releases = &self.releases;
        if let Some(failed) = releases.failed(version) {
            put_back(releases, version, &failed)?;
            let previous = failed.previous.filter(|previous| releases.failed(*previous).is_none());
            releases.set_current(previous)?;
            fault::point("taken_back");
            return Ok(Look::TakenBack(failed.why));
        }
        let program = match self.checked(version, AGENT) {
            Ok(program) => program,
            Err(error) => return self.fail(version, &format!("{error:#}")),
        };
        let Some(mut trial) = releases.trial(version) else {
            return Ok(Look::Start(Start { program, release: Some(version), window_s: None }));
        };
        if trial.starts >= MAX_STARTS {
            return self
                .fail(version, "it was started again and again without being found healthy");
        }
        trial.starts += 1;
        releases.set_trial(version, &trial)?;
        fault::point("counted");
        // The program itself gives up when its window ends; the kernel helps if it cannot.
        let window_s = Some(trial.window_s.saturating_add(trial.window_s / 10 + 1));
        Ok(Look::Start(Start { program, release: Some(version), window_s }))
    }

    /// Programs beside the agent follow it, and never decide.
    fn look_beside(&self, version: Version, name: &str) -> Result<Look> {
        ensure!(self.releases.failed(version).is_none(), "it has failed");
        let program = self.checked(version, name)?;
        Ok(Look::Start(Start { program, release: Some(version), window_s: None }))
    }

    fn fail(&self, version: Version, why: &str) -> Result<Look> {
        self.releases.fail(version, why)?;
        fault::point("failed");
        self.look(version)
    }

    /// The file of a program, which is what its makers signed.
    fn checked(&self, version: Version, name: &str) -> Result<PathBuf> {
        let manifest = self.releases.manifest(version, &trusted_keys(&self.keys)?)?;
        let program = manifest.programs_here()?.iter().find(|program| program.name == name);
        let program = program.with_context(|| format!("there is no {name} in it"))?;
        let file = self.releases.of_version(version).join(name);
        check(&file, program).with_context(|| format!("{name} is damaged"))?;
        Ok(file)
    }
}

#[derive(Debug)]
enum Look {
    Start(Start),
    TakenBack(String),
}

/// Whether a file is what the manifest says.
pub fn check(file: &Path, program: &Program) -> Result<()> {
    let mut file = File::open(file)?;
    ensure!(file.metadata()?.len() == program.size, "its size is another");
    let mut digest = ring::digest::Context::new(&ring::digest::SHA256);
    let mut buffer = vec![0; 64 << 10];
    loop {
        let length = file.read(&mut buffer)?;
        if length == 0 {
            break;
        }
        digest.update(&buffer[..length]);
    }
    let found = hex::encode(digest.finish());
    ensure!(found == program.sha256, "its content is another");
    Ok(())
}
