//! Orders of the cloud to the board in a machine: carried out and answered, or void before the board hears of them.

use super::hall::{Hall, LIMIT, MACHINE};
use anyhow::Result;
use cloud_api::ids::CommandId;
use firmware_bridge::emulators::board::bench::Deed;
use std::time::Duration;
use tests::chaos::Weather;
use tests::wait;

/// Of an order that is to become void on its way.
const SHORT: Duration = Duration::from_secs(2);

impl Hall {
    /// Gives an order to lock the machine that is void soon.
    async fn lock_soon(&self) -> Result<CommandId> {
        self.scene.site.order_machine(MACHINE, "lock", SHORT).await
    }

    async fn is_void(&self, order: CommandId) -> Result<()> {
        let is_void = async || self.scene.site.is_void(order).await;
        wait::until_true("the order is void", LIMIT, is_void).await
    }

    /// What the board was told since it was proven that it hears.
    fn heard(&self) -> Vec<String> {
        let shown = self.board.shown();
        let commands = &shown.borrow().commands;
        commands.iter().skip(1).map(|(command, _)| command.clone()).collect()
    }
}

#[tokio::test]
async fn an_order_reaches_the_board_once_and_its_result_the_cloud() -> Result<()> {
    let hall = Hall::open().await?;

    hall.obeyed("lock").await?;
    hall.obeyed("unlock").await?;

    assert_eq!(hall.heard(), ["lock", "unlock"]);
    hall.close().await
}

#[tokio::test]
async fn an_order_that_a_board_without_power_missed_has_expired_and_never_reaches_it() -> Result<()>
{
    let hall = Hall::open().await?;
    hall.board.unplug().await;

    let order = hall.lock_soon().await?;
    hall.ended(order, "expired").await?;
    hall.board.act(Deed::Reboot).await;
    hall.board.plug_back().await;

    hall.obeyed("unlock").await?;
    assert_eq!(hall.heard(), ["unlock"]);
    hall.close().await
}

#[tokio::test]
async fn an_order_that_the_line_to_the_bridge_held_back_has_expired_and_never_reaches_the_board()
-> Result<()> {
    let hall = Hall::open().await?;
    for weather in [Weather::Cut, Weather::Stall] {
        hall.line.set(weather);

        let order = hall.lock_soon().await?;
        hall.is_void(order).await?;
        hall.line.heal();

        hall.obeyed("unlock").await?;
        hall.ended(order, "expired").await?;
    }
    assert_eq!(hall.heard(), ["unlock", "unlock"]);
    hall.close().await
}

#[tokio::test]
async fn an_order_that_a_dead_or_hanging_bridge_missed_has_expired_and_never_reaches_the_board()
-> Result<()> {
    let mut hall = Hall::open().await?;

    hall.bridge.kill().await?;
    let missed = hall.lock_soon().await?;
    hall.ended(missed, "expired").await?;
    hall.bridge.start().await?;
    hall.obeyed("unlock").await?;
    hall.bridge.process()?.pause()?;
    let late = hall.lock_soon().await?;
    hall.is_void(late).await?;
    hall.bridge.process()?.resume()?;
    hall.obeyed("reset").await?;

    hall.ended(late, "expired").await?;
    assert_eq!(hall.heard(), ["unlock", "reset"]);
    hall.close().await
}
