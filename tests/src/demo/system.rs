//! The programs of the demo, from an empty folder: cloud with its private Postgres, one edge enrolled through a
//! link that can be cut, one bridge with emulated hardware.

use super::hardware::{self, Hardware};
use super::seeded::Seeded;
use super::training::{self, Readers};
use super::{Options, place};
use crate::chaos::ChaosLink;
use crate::cloud::Cloud;
use crate::db;
use crate::edge::Edge;
use crate::mqtt::Login;
use crate::process::Process;
use crate::scene;
use crate::seed::Seed;
use crate::staff::Staff;
use anyhow::{Context as _, Result};
use cloud_api::postgres::private::{Options as Server, Private, data_folder};
use serde_json::Value;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

/// Samples go up more often than the usual 30 s, so that there is something to see.
const TELEMETRY_INTERVAL_MS: u64 = 5_000;
/// How long the edge may take to learn of its devices from the cloud.
const REGISTRY_LIMIT: Duration = Duration::from_secs(20);

/// Everything that was started. Each process is killed when this value goes away.
#[derive(Debug)]
pub struct System {
    /// The cloud.
    pub cloud: Cloud,
    /// The edge.
    pub edge: Edge,
    /// Between them.
    pub link: ChaosLink,
    /// What is plugged into the bridge.
    pub hardware: Hardware,
    /// Branch, people, devices.
    pub seeded: Seeded,
    /// Readers that speak for themselves.
    pub readers: Readers,
    /// Somebody at the desk.
    pub staff: Staff,
    /// The cloud's database.
    pub database: PgPool,
    bridge: Process,
    server: Private,
    _folder: place::Held,
}

impl System {
    /// Starts everything, and says what it does.
    pub async fn start(options: &Options, say: &dyn Fn(&str)) -> Result<Self> {
        let folder = place::hold(&options.folder)?;
        let postgres = data_folder(&options.folder.join("cloud/postgres"))?;
        db::stop(&postgres).await?;
        place::clear(&options.folder)?;
        let ports = place::Ports::choose(options.free_ports, say)?;

        say("starting the cloud with a private Postgres");
        let mut cloud = Cloud::at(ports.http, &options.folder);
        cloud.env("GYMWIRE_SERVICE__STATE_DIR", &options.folder.join("cloud").display());
        cloud.start().await?;
        // The server is the cloud's; this adopts it, to count in it at the end.
        let server = Private::start(Server::new(postgres)).await?;
        let database =
            PgPoolOptions::new().max_connections(2).connect_with(server.connect_options()).await?;

        say(
            "making a gym: 40 machines, readers at doors and machines, two consoles, a board, members, staff",
        );
        let seeded = Seeded::read(&cloud.run(&["seed", "--json"]).await?)?;
        hardware::register(&cloud).await?;
        let readers = training::register(&cloud, &seeded).await?;
        let code = cloud.admin(&["enroll-code", "--json"]).await?;
        let code: Value = serde_json::from_str(&code)?;
        let code = code["code"].as_str().context("enroll-code prints no code")?;

        say("enrolling and starting the edge");
        let link = ChaosLink::start(cloud.address()).await?;
        let mut edge = Edge::on_ports(&options.folder.join("edge"), ports.edge)?;
        edge.enroll(&format!("http://{}", link.address()), code).await?;
        edge.env("GYMWIRE_CLOUD__TELEMETRY_INTERVAL_MS", &TELEMETRY_INTERVAL_MS);
        edge.start().await?;
        scene::known(&edge, &seeded.login("bridge-1")?).await?;

        say("starting the bridge with emulated readers, consoles, a board and a relay");
        let hardware = Hardware::plug_in(&options.folder, &mut Seed::announced("hardware"))?;
        let bridge = start_bridge(&options.folder, &edge, &seeded.login("bridge-1")?, &hardware)?;
        tokio::time::timeout(REGISTRY_LIMIT, hardware.opened())
            .await
            .with_context(|| format!("the bridge opens no port; its log: {}", bridge.tail()))??;
        let staff = seeded.user("staff")?;
        let staff = Staff::log_in(&cloud.url(), &staff.email, &staff.password).await?;
        Ok(Self {
            cloud,
            edge,
            link,
            hardware,
            seeded,
            readers,
            staff,
            database,
            bridge,
            server,
            _folder: folder,
        })
    }

    /// Fails if any program has ended.
    pub fn ensure_alive(&mut self) -> Result<()> {
        self.cloud.process()?.ensure_alive()?;
        self.edge.process()?.ensure_alive()?;
        self.bridge.ensure_alive()
    }

    /// Where everything is and how to log in.
    pub async fn addresses(&self) -> Result<String> {
        const NAME: &str = "demo";
        let password = self.edge.renew_staff(NAME).await?;
        let (cloud, ports) = (self.cloud.url(), self.edge.ports());
        let (admin, staff) = (self.seeded.user("admin")?, self.seeded.user("staff")?);
        Ok(format!(
            "running until Ctrl-C\n  cloud           {cloud} (API documentation: {cloud}/docs)\n  \
             admin           {} / {}\n  staff           {} / {}\n  MQTT            {}, over TLS {}\n  \
             edge's health   http://{}/health\n  staff page      https://{} as {NAME} / {password}, \
             with a certificate of the branch's own authority",
            admin.email,
            admin.password,
            staff.email,
            staff.password,
            ports.mqtt,
            ports.mqtts,
            ports.ops,
            ports.staff
        ))
    }

    /// Stops everything, in the order of the data's way.
    pub async fn stop(mut self) -> Result<()> {
        self.bridge.stop().await?;
        self.edge.stop().await?;
        self.database.close().await;
        // Nobody else uses the server then, so that the cloud stops it.
        drop(self.server);
        self.cloud.stop().await
    }
}

fn start_bridge(folder: &Path, edge: &Edge, login: &Login, hardware: &Hardware) -> Result<Process> {
    let secret = folder.join("bridge.secret");
    fs::write(&secret, login.password.as_deref().unwrap_or_default())?;
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600))?;
    let config = folder.join("firmware-bridge.toml");
    let mqtt = edge.ports().mqtt;
    fs::write(
        &config,
        format!(
            "[agent]\nhost = \"{}\"\nport = {}\nusername = \"{}\"\npassword_file = \"{}\"\n\
             [queue]\npath = \"{}\"\n{}",
            mqtt.ip(),
            mqtt.port(),
            login.user,
            secret.display(),
            folder.join("bridge-queue").display(),
            hardware.config()?,
        ),
    )?;
    let arguments = ["run".as_ref(), "--config".as_ref(), config.as_os_str()];
    Process::start("firmware-bridge", arguments, &[], &folder.join("firmware-bridge.log"))
}
