//! Versions of releases: three numbers, so that a version is a safe name of a folder and always comparable.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// For example 1.4.0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Version {
    major: u32,
    minor: u32,
    patch: u32,
}

/// A text that is no version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no version: three numbers are, like 1.4.0")]
pub struct NoVersion(String);

impl Version {
    /// The version of this program.
    pub fn own() -> Self {
        env!("CARGO_PKG_VERSION").parse().expect("the workspace's version has three numbers")
    }
}

impl FromStr for Version {
    type Err = NoVersion;

    fn from_str(text: &str) -> Result<Self, NoVersion> {
        let parse = || {
            let mut numbers = text.split('.').map(|number| {
                // No "+1" and no "01": each version has one way of writing it.
                let version: u32 = number.parse().ok()?;
                (version.to_string() == number).then_some(version)
            });
            let version =
                Self { major: numbers.next()??, minor: numbers.next()??, patch: numbers.next()?? };
            numbers.next().is_none().then_some(version)
        };
        parse().ok_or_else(|| NoVersion(text.to_owned()))
    }
}

impl TryFrom<String> for Version {
    type Error = NoVersion;

    fn try_from(text: String) -> Result<Self, NoVersion> {
        text.parse()
    }
}

impl From<Version> for String {
    fn from(version: Version) -> Self {
        version.to_string()
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_by_their_numbers() {
        let [old, new, newest] =
            ["0.9.1", "0.10.0", "1.0.0"].map(|text| text.parse::<Version>().unwrap());

        assert!(old < new && new < newest);
        assert_eq!(new.to_string(), "0.10.0");
    }

    #[test]
    fn nothing_else_is_a_version() {
        let texts =
            ["", "1", "1.2", "1.2.3.4", "1.2.x", "01.2.3", "+1.2.3", "../1.2.3", "1.2.3-rc"];

        assert!(texts.iter().all(|text| text.parse::<Version>().is_err()));
    }
}
