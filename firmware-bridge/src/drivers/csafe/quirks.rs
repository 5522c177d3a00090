//! Quirks of consoles: a built-in set by its name, or a file of the same form.

use anyhow::{Context, Result, anyhow};
use figment::Figment;
use figment::providers::{Format, Toml};
use protocol::serial::csafe::Quirks;
use std::fs;

/// The sets that come with the bridge, and what is in them.
pub const BUILT_IN: [(&str, &str); 6] = [
    ("treadmill", include_str!("quirks/treadmill.toml")),
    ("bike", include_str!("quirks/bike.toml")),
    ("elliptical", include_str!("quirks/elliptical.toml")),
    ("rower", include_str!("quirks/rower.toml")),
    ("climber", include_str!("quirks/climber.toml")),
    ("pm", include_str!("quirks/pm.toml")),
];

/// The quirks of this name, or of the file at this path.
pub fn load(name: &str) -> Result<Quirks> {
    if let Some((_, text)) = BUILT_IN.iter().find(|(built_in, _)| *built_in == name) {
        return parse(text);
    }
    let names = BUILT_IN.map(|(name, _)| name).join(", ");
    let text = fs::read_to_string(name)
        .with_context(|| format!("{name} is none of {names}, nor a file that can be read"))?;
    parse(&text).with_context(|| name.to_owned())
}

fn parse(text: &str) -> Result<Quirks> {
    let quirks: Quirks = Figment::from(Toml::string(text))
        .extract()
        .map_err(|error| anyhow!(crate::config::describe(error)))?;
    quirks.check()?;
    Ok(quirks)
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::serial::csafe::command::Get;

    #[test]
    fn every_built_in_set_can_be_loaded_and_asks_for_what_its_kind_can_tell() {
        for (name, _) in BUILT_IN {
            let quirks = load(name).unwrap();
            assert!(quirks.commands.contains(&Get::WorkTime), "{name}");
        }
        assert!(!load("pm").unwrap().commands.contains(&Get::Speed));
        assert!(!load("climber").unwrap().commands.contains(&Get::Distance));
        assert!(load("treadmill").unwrap().commands.contains(&Get::Grade));
    }

    #[test]
    fn a_file_may_change_everything() {
        let folder = tempfile::TempDir::new().unwrap();
        let file = folder.path().join("odd.toml");
        let text = "commands = [\"pace\", \"cadence\"]\npoll_ms = 2000\ngap_ms = 100\nanswer_ms = 800\n\
            commands_per_frame = 1\nextended = true\naddress = 3\npace = \"hms_per_mile\"\ncadence = \"steps\"";
        fs::write(&file, text).unwrap();

        let quirks = load(file.to_str().unwrap()).unwrap();

        assert_eq!(quirks.commands, [Get::Pace, Get::Cadence]);
        assert_eq!((quirks.poll_ms, quirks.address, quirks.extended), (2_000, 3, true));
    }

    #[test]
    fn every_wrong_key_is_named() {
        let wrong = |text| format!("{:#}", parse(text).unwrap_err());

        assert!(wrong("commands = [\"speeed\"]").contains("commands.0"));
        assert!(wrong("poll_ms = 1000").contains("commands: is missing"));
        assert!(wrong("commands = []\nwheels = 2").contains("wheels: unknown key"));
        assert!(wrong("commands = []\npoll_ms = 10").contains("poll_ms: must be between"));
        assert!(wrong("commands = []\ncommands_per_frame = 0").contains("commands_per_frame"));
        assert!(format!("{:#}", load("/nonexistent").unwrap_err()).contains("none of treadmill"));
    }
}
