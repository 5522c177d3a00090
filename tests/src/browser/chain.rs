//! Branches whose operators' page is looked at: a running cloud, and a running edge at one of its branches.

use super::driver::Driver;
use super::page::Browser;
use crate::mqtt::{Connection, Login};
use crate::scene::{self, Scene};
use crate::site::Site;
use anyhow::{Context as _, Result};
use cloud_api::domains::accounts::Role;
use cloud_api::domains::sessions::Wanted;
use cloud_api::ids::MemberId;
use serde_json::Value;

/// Code of the machines at the branch with an edge.
pub const CHAIN_MACHINES: [&str; 4] = ["treadmill-1", "bike-1", "rower-1", "bike-2"];

/// A chain of two branches. One has a gateway, the other has none yet.
#[derive(Debug)]
pub struct Chain {
    /// Cloud, database and edge.
    pub scene: Scene,
    /// The branch without a gateway.
    pub other: Site,
    /// Logins of the machines.
    pub machines: Vec<Login>,
    /// Address and password of who runs it.
    pub admin: (String, String),
    /// Somebody who trains.
    pub member: MemberId,
}

impl Chain {
    /// All of it, running; the member's name is as given.
    pub async fn open(member: &str) -> Result<Self> {
        let mut scene = Scene::prepare().await?;
        let machines = scene.site.machines(&CHAIN_MACHINES.map(str::to_owned)).await?;
        let member = scene.site.member(member, &[]).await?;
        let other = scene.site.beside().await?;
        let admin = scene.site.person(Role::Admin).await?;
        scene.edge.start().await?;
        scene::known(&scene.edge, machines.last().context("machines")?).await?;
        Ok(Self { scene, other, machines, admin, member })
    }

    /// A browser at the page.
    pub async fn browser(&self) -> Result<Browser> {
        Ok(Browser::over(Driver::start(None).await?, &self.scene.cloud.url()))
    }

    /// A browser in which the admin has signed in, at the first page.
    pub async fn signed_in(&self) -> Result<Browser> {
        let browser = self.browser().await?;
        browser.go("/console").await?;
        browser.fill("E-mail address", &self.admin.0).await?;
        browser.fill("Password", &self.admin.1).await?;
        browser.press("Sign in").await?;
        browser.sees("inside now").await?;
        Ok(browser)
    }

    /// The page of the branch with the gateway.
    pub fn branch(&self) -> String {
        format!("/console/branches/{}", self.scene.site.branch)
    }

    /// A machine says how it is; the connection, which ends its being there.
    pub async fn machine(&self, code: &str, status: &Value) -> Result<Connection> {
        let login = self.machines.iter().find(|login| login.user == code);
        let mut connection = self.scene.edge.connect(login.context("no such machine")?).await?;
        let topic = format!("gymwire/v1/machines/{code}/status");
        super::say(&mut connection, &topic, status.to_string().as_bytes()).await?;
        Ok(connection)
    }

    /// The member comes in, by the app.
    pub async fn check_in(&self) -> Result<()> {
        self.scene.site.ask(Wanted::CheckIn { member: self.member }).await?;
        Ok(())
    }
}
