//! What `cloud-api seed --json` has made.

use crate::gym::Kind;
use crate::mqtt::Login;
use anyhow::{Context as _, Result};
use serde::Deserialize;

/// The demo gym.
#[derive(Debug, Clone, Deserialize)]
pub struct Seeded {
    /// The branch.
    pub branch: Branch,
    /// People.
    pub users: Vec<User>,
    /// Machines, readers, bridges, observers.
    pub devices: Vec<Device>,
}

/// A branch.
#[derive(Debug, Clone, Deserialize)]
pub struct Branch {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
}

/// Somebody who can log in.
#[derive(Debug, Clone, Deserialize)]
pub struct User {
    /// With this.
    pub email: String,
    /// And this.
    pub password: String,
    /// As this.
    pub role: String,
}

/// A device.
#[derive(Debug, Clone, Deserialize)]
pub struct Device {
    /// Its id.
    pub id: String,
    /// Its code.
    pub code: String,
    /// What it is.
    pub kind: String,
    /// Its secret.
    pub secret: String,
}

impl Seeded {
    /// Reads what was printed.
    pub fn read(json: &str) -> Result<Self> {
        serde_json::from_str(json).context("cloud-api seed --json prints something else")
    }

    /// How a device logs in.
    pub fn login(&self, code: &str) -> Result<Login> {
        let device = self.devices.iter().find(|device| device.code == code);
        let device = device.with_context(|| format!("the demo gym has no {code}"))?;
        Ok(Login { user: device.code.clone(), password: Some(device.secret.clone()) })
    }

    /// Every machine.
    pub fn machines(&self) -> impl Iterator<Item = &Device> {
        self.devices.iter().filter(|device| device.kind == "machine")
    }

    /// Somebody with this role.
    pub fn user(&self, role: &str) -> Result<&User> {
        let found = self.users.iter().find(|user| user.role == role);
        found.with_context(|| format!("the demo gym has no {role}"))
    }
}

impl Device {
    /// Which kind of machine plays it.
    pub fn simulated(&self) -> Kind {
        match self.code.split('-').next() {
            Some("treadmill") => Kind::Treadmill,
            Some("bike") => Kind::Bike,
            Some("rower") => Kind::Rower,
            Some("crosstrainer") => Kind::Elliptical,
            _ => Kind::Strength,
        }
    }
}
