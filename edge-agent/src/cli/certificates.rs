//! `edge-agent ca` and `edge-agent device certify`: certificates of the branch.

use super::{CaCommand, ask, say, text};
use crate::config::Config;
use crate::front_door::tls::BranchCa;
use crate::ops::actions::Ask;
use crate::ops::clock::Clock;
use anyhow::Result;

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
