//! `edge-agent ca`, `key` and `device certify`: certificates of the branch and the edge's own key.

use super::{CaCommand, ask, say, text};
use crate::config::Config;
use crate::front_door::tls::BranchCa;
use crate::ops::actions::Ask;
use crate::ops::clock::Clock;
use crate::ops::lock::FolderLock;
use crate::ops::{control, owner};
use crate::registry::identity::Identity;
use anyhow::{Context as _, Result};

pub(super) async fn perform(config: &Config, command: &CaCommand) -> Result<()> {
    match command {
        CaCommand::Export => {
            let folder = config.agent.state_dir.join("ca");
            let now_ms = Clock::system().latest_ms();
            say(BranchCa::open(&folder, now_ms)?.export().trim_end())
        }
        CaCommand::Rotate => {
            ask(config, Ask::CaRotate).await?;
            say(
                "there is a new root, and the former one is trusted too: give devices what `edge-agent ca export` \
                 prints, then `edge-agent ca drop-former`",
            )
        }
        CaCommand::DropFormer => {
            ask(config, Ask::CaDropFormer).await?;
            say("the former root is trusted no more")
        }
    }
}

/// Prints certificate and key of a device, once.
pub(super) async fn certify(config: &Config, code: String) -> Result<()> {
    let done = ask(config, Ask::DeviceCertify { code }).await?;
    say(&format!("{}{}", text(&done, "certificate"), text(&done, "key").trim_end()))
}

/// Replaces the edge's key. Without a running agent only the wish is kept: its next start goes on with it.
pub(super) async fn rotate_key(config: &Config) -> Result<()> {
    let folder = &config.agent.state_dir;
    let Some(done) = control::ask(folder, &Ask::KeyRotate).await? else {
        super::check_state(folder, &Ask::KeyRotate)?;
        let _lock = FolderLock::take(folder)?;
        let identity = Identity::of(folder);
        identity.load()?.context("the edge is not enrolled: it has no key yet")?;
        identity.draw_next_key()?;
        owner::give(&folder.join("identity"), folder)?;
        return say("no agent is running; the key is replaced when one runs and reaches the cloud");
    };
    if done["replaced"] == true {
        say("the cloud knows this edge by its new key; make a new backup, older ones are void")
    } else {
        say("the new key is there; it counts as soon as the cloud is reached")
    }
}
