//! `admin set-branch`: settings of a branch.

use super::Output;
use super::find::BranchArgument;
use super::people::{name, taken};
use crate::audit::{self, Entry};
use crate::command::Database;
use crate::domains::branches::{self, BranchSetup, SETTINGS};
use crate::domains::joining::Joining;
use crate::domains::members;
use crate::http::Error;
use anyhow::Context;
use clap::Args;
use serde_json::{Value, json};

/// Changes settings of a branch and shows those that are set.
#[derive(Debug, Args)]
pub struct SetBranch {
    #[command(flatten)]
    branch: BranchArgument,
    /// Another name.
    #[arg(long, value_parser = name)]
    name: Option<String>,
    /// Its time zone, as in the IANA database.
    #[arg(long, value_name = "ZONE")]
    time_zone: Option<String>,
    /// JSON: `{"mon":[["06:00","23:00"]],…}`; days that are left out are closed.
    #[arg(long, value_name = "JSON")]
    opening_hours: Option<String>,
    /// JSON: `[{"date":"2026-12-25","closed":true}]`.
    #[arg(long, value_name = "JSON")]
    holidays: Option<String>,
    /// Days for which the branch decides with what it was told, while the cloud is away.
    #[arg(long, value_name = "DAYS")]
    grace_days: Option<u16>,
    /// What happens while the branch does not know the time.
    #[arg(long, value_parser = ["allow", "deny"])]
    time_uncertain_policy: Option<String>,
    /// Milliseconds for which a door is opened.
    #[arg(long, value_name = "MS")]
    door_open_ms: Option<u32>,
    /// What happens when somebody who is inside comes in.
    #[arg(long, value_parser = ["off", "warn", "deny"])]
    anti_passback: Option<String>,
    /// Minutes after which a gym session ends by itself.
    #[arg(long, value_name = "MINUTES")]
    session_max_min: Option<u32>,
    /// Seconds without use after which a machine is free again.
    #[arg(long, value_name = "SECONDS")]
    link_idle_s: Option<u32>,
    /// Seconds for which a free machine is kept for the first of its queue.
    #[arg(long, value_name = "SECONDS")]
    queue_offer_s: Option<u32>,
    /// How the branch is joined by the app: at once, or when staff agree.
    #[arg(long, value_enum)]
    joining: Option<Joining>,
    /// Puts a setting back to its default; may be repeated.
    #[arg(long, value_name = "KEY", value_parser = SETTINGS)]
    reset: Vec<String>,
    #[command(flatten)]
    output: Output,
}

impl SetBranch {
    pub async fn run(self, database: &Database) -> anyhow::Result<()> {
        let mut tx = database.pool().begin().await?;
        let branch = self.branch.find(&mut tx).await?;
        let (organization, now) = (branch.organization_id, database.clock.now());
        members::hold_alone(&mut tx, organization).await?;
        let before = branches::record(&mut tx, organization, branch.id).await?;
        let setup = self.applied_to(&before.setup)?;
        let after =
            branches::change(&mut tx, &before, &setup, now).await.map_err(|error| match error {
                Error::Conflict("name_taken") => {
                    taken(format!("a branch is called {:?} already", setup.name))
                }
                error => error,
            })?;
        let entry = Entry::new("branch.changed").of(organization).on(branch.id);
        audit::record(&mut tx, &entry.changed(&before, &after), now).await?;
        let set = branches::settings(&mut tx, branch.id).await?;
        tx.commit().await?;
        self.output.show(&json!({
            "branch": after.setup.name, "branch_id": after.id, "time_zone": after.setup.time_zone,
            "joining": after.setup.joining, "settings": set,
        }))
    }

    fn applied_to(&self, before: &BranchSetup) -> anyhow::Result<BranchSetup> {
        let reset = self.reset.iter().map(|key| (key.clone(), Value::Null));
        let wanted = self.wanted()?.into_iter().map(|(key, value)| (key.to_owned(), value));
        let mut setup = before.with(wanted.chain(reset))?;
        setup.joining = self.joining.unwrap_or(setup.joining);
        setup.name = self.name.clone().unwrap_or(setup.name);
        setup.time_zone = self.time_zone.clone().unwrap_or(setup.time_zone);
        Ok(setup)
    }

    fn wanted(&self) -> anyhow::Result<Vec<(&'static str, Value)>> {
        let json = |flag: &'static str, text: &Option<String>| {
            let read = |text: &String| {
                serde_json::from_str::<Value>(text).with_context(|| format!("{flag} is no JSON"))
            };
            text.as_ref().map(read).transpose()
        };
        let wanted = [
            ("opening_hours", json("--opening-hours", &self.opening_hours)?),
            ("holidays", json("--holidays", &self.holidays)?),
            ("grace_days", self.grace_days.map(Value::from)),
            ("time_uncertain_policy", self.time_uncertain_policy.clone().map(Value::from)),
            ("door_open_ms", self.door_open_ms.map(Value::from)),
            ("anti_passback", self.anti_passback.clone().map(Value::from)),
            ("session_max_min", self.session_max_min.map(Value::from)),
            ("link_idle_s", self.link_idle_s.map(Value::from)),
            ("queue_offer_s", self.queue_offer_s.map(Value::from)),
        ];
        Ok(wanted.into_iter().filter_map(|(key, value)| Some((key, value?))).collect())
    }
}
