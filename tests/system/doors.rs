//! Nothing old moves a door: whatever holds an order back on its way from the cloud to a relay, and whoever is killed
//! meanwhile, it has effect in time or not at all.

use anyhow::{Context as _, Result};
use cloud_api::ids::CommandId;
use firmware_bridge::emulators::relay::Relay;
use std::time::Duration;
use tests::bridge::Bridge;
use tests::chaos::{ChaosLink, Weather};
use tests::scene::{self, Scene};
use tests::wait;

const LIMIT: Duration = Duration::from_secs(30);
/// Of an order that is to become void on its way.
const SHORT: Duration = Duration::from_secs(2);

/// A branch with a door; the line between agent and bridge can be disturbed, as that to the cloud.
struct House {
    scene: Scene,
    line: ChaosLink,
    bridge: Bridge,
    relay: Relay,
}

impl House {
    async fn open() -> Result<Self> {
        let mut scene = Scene::prepare().await?;
        let login = scene.site.bridge("bridge-1", &["door-1"]).await?;
        scene.edge.start().await?;
        scene::known(&scene.edge, &login).await?;
        let line = ChaosLink::start(scene.edge.ports().mqtt).await?;
        let mut bridge = Bridge::new(line.address(), &login, &["door-1"])?;
        let socket = bridge.folder().join("relay");
        let relay = Relay::plug_in(&socket)?;
        bridge.configure(&format!(
            "[[door]]\nreaders = [\"door-1\"]\nline = \"unix:{}\"\nopen_ms = 100",
            socket.display()
        ))?;
        bridge.start().await?;
        relay.used().await;
        let house = Self { scene, line, bridge, relay };
        // From here on the whole way works.
        house.done("lock").await?;
        Ok(house)
    }

    /// Gives an order and waits until the branch tells how it ended.
    async fn done(&self, command: &str) -> Result<()> {
        let order = self.scene.site.order("door-1", command, Duration::from_mins(1)).await?;
        wait::until_true("the order is carried out", LIMIT, || async {
            Ok(self.scene.site.outcome(order).await?.as_deref() == Some("done"))
        })
        .await
        .with_context(|| {
            format!("agent: {}\nbridge: {}", self.scene.edge.log_text(), self.bridge.log_text())
        })
    }

    /// Gives an order to open that is void soon.
    async fn open_soon(&self) -> Result<CommandId> {
        self.scene.site.order("door-1", "open", SHORT).await
    }

    async fn is_void(&self, order: CommandId) -> Result<()> {
        let is_void = async || self.scene.site.is_void(order).await;
        wait::until_true("the order is void", LIMIT, is_void).await
    }

    /// A later order is carried out, and the relay has never moved.
    async fn has_stayed_shut(mut self) -> Result<()> {
        self.done("lock").await?;
        assert_eq!(self.relay.log(), []);
        self.bridge.stop().await?;
        self.scene.edge.stop().await
    }
}

#[tokio::test]
async fn an_order_opens_the_door_for_a_moment() -> Result<()> {
    let mut house = House::open().await?;

    house.done("open").await?;
    tokio::time::timeout(LIMIT, house.relay.becomes(false)).await?;

    let moves: Vec<bool> = house.relay.log().iter().map(|switched| switched.is_on).collect();
    assert_eq!(moves, [true, false]);
    house.bridge.stop().await?;
    house.scene.edge.stop().await
}

#[tokio::test]
async fn an_order_that_the_line_from_the_cloud_held_back_opens_nothing() -> Result<()> {
    for weather in [Weather::Cut, Weather::Stall] {
        let house = House::open().await?;
        house.scene.link.set(weather);

        let order = house.open_soon().await?;
        house.is_void(order).await?;
        house.scene.link.heal();

        house.has_stayed_shut().await?;
    }
    Ok(())
}

#[tokio::test]
async fn an_order_that_the_line_to_the_bridge_held_back_opens_nothing() -> Result<()> {
    for weather in [Weather::Cut, Weather::Stall] {
        let house = House::open().await?;
        house.line.set(weather);

        let order = house.open_soon().await?;
        house.is_void(order).await?;
        house.line.heal();

        house.has_stayed_shut().await?;
    }
    Ok(())
}

#[tokio::test]
async fn an_order_that_met_a_dead_agent_opens_nothing_when_it_is_back() -> Result<()> {
    let mut house = House::open().await?;
    house.scene.edge.kill().await?;

    let order = house.open_soon().await?;
    house.is_void(order).await?;
    house.scene.edge.start().await?;

    house.has_stayed_shut().await
}

#[tokio::test]
async fn an_order_that_met_a_dead_bridge_opens_nothing_when_it_is_back() -> Result<()> {
    let mut house = House::open().await?;
    house.bridge.kill().await?;

    let order = house.open_soon().await?;
    house.is_void(order).await?;
    house.bridge.start().await?;

    house.has_stayed_shut().await
}

#[tokio::test]
async fn a_door_that_is_held_open_falls_shut_with_its_bridge_and_stays_so() -> Result<()> {
    let mut house = House::open().await?;
    house.done("hold_open").await?;
    assert!(house.relay.is_on());

    house.bridge.kill().await?;
    tokio::time::timeout(LIMIT, house.relay.becomes(false)).await?;
    house.bridge.start().await?;
    house.done("lock").await?;

    let moves: Vec<bool> = house.relay.log().iter().map(|switched| switched.is_on).collect();
    assert_eq!(moves, [true, false]);
    house.bridge.stop().await?;
    house.scene.edge.stop().await
}
