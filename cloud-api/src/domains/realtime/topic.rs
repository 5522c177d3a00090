//! Channels as clients name them, and who may hear them.

use crate::app::App;
use crate::domains::{branches, members};
use crate::events::log::Stream;
use crate::http::{Caller, Permission};
use crate::ids::{BranchId, UserId};
use std::fmt;
use std::str::FromStr;

/// What a client can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Channel {
    /// What is told to oneself.
    User,
    /// One's own training: what happens, and the values of the machine one has.
    Workouts,
    /// Machines of a branch.
    Branch(BranchId),
    /// What those who work at a branch are told.
    Staff(BranchId),
}

/// What is published under one name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Topic {
    User(UserId),
    Workouts(UserId),
    Branch(BranchId),
    Staff(BranchId),
}

impl Channel {
    /// Its topic, for a user.
    pub fn topic(self, user: UserId) -> Topic {
        match self {
            Self::User => Topic::User(user),
            Self::Workouts => Topic::Workouts(user),
            Self::Branch(branch) => Topic::Branch(branch),
            Self::Staff(branch) => Topic::Staff(branch),
        }
    }

    /// Whether somebody may hear it.
    pub async fn is_open_to(self, app: &App, caller: &Caller) -> sqlx::Result<bool> {
        let (Self::Branch(id) | Self::Staff(id)) = self else { return Ok(true) };
        let mut db = app.db.acquire().await?;
        let Some(branch) = branches::by_id(&mut db, id).await? else { return Ok(false) };
        let works_there = caller.sees(branch.organization_id, branch.id);
        match self {
            Self::Staff(_) => Ok(works_there && caller.has(Permission::ReadMembers)),
            _ if works_there => Ok(true),
            _ if branch.organization_id != caller.organization => Ok(false),
            _ => Ok(members::of_user(&mut db, caller.organization, caller.user).await?.is_some()),
        }
    }
}

impl Topic {
    /// The stream of the log that it is part of.
    pub fn stream(self) -> Stream {
        match self {
            Self::User(user) | Self::Workouts(user) => Stream::User(user),
            Self::Branch(branch) => Stream::Branch(branch),
            Self::Staff(branch) => Stream::Staff(branch),
        }
    }

    /// The channel it is known by.
    pub fn channel(self) -> Channel {
        match self {
            Self::User(_) => Channel::User,
            Self::Workouts(_) => Channel::Workouts,
            Self::Branch(branch) => Channel::Branch(branch),
            Self::Staff(branch) => Channel::Staff(branch),
        }
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User => f.write_str("user"),
            Self::Workouts => f.write_str("workouts"),
            Self::Branch(branch) => write!(f, "branch:{branch}"),
            Self::Staff(branch) => write!(f, "staff:{branch}"),
        }
    }
}

impl FromStr for Channel {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            None if text == "user" => Ok(Self::User),
            None if text == "workouts" => Ok(Self::Workouts),
            Some(("branch", id)) => id.parse().map(Self::Branch).map_err(|_| "no branch's id"),
            Some(("staff", id)) => id.parse().map(Self::Staff).map_err(|_| "no branch's id"),
            _ => Err("is none of user, workouts, branch:ID, staff:ID"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_are_read_as_they_are_written() {
        let branch = BranchId::new();

        for channel in
            [Channel::User, Channel::Workouts, Channel::Branch(branch), Channel::Staff(branch)]
        {
            assert_eq!(channel.to_string().parse(), Ok(channel));
        }
        assert!("branch:7".parse::<Channel>().is_err() && "users".parse::<Channel>().is_err());
    }
}
