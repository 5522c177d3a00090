//! The branch's settings in words; keys of cards are never among them.

use crate::staff::app::Staff;
use protocol::access::settings::{AntiPassback, TimeUncertainPolicy};

/// Name and value of each.
pub fn settings(staff: &Staff) -> Vec<(&'static str, String)> {
    let settings = staff.access.settings();
    let text = |key: &str| {
        let json = staff.watched.registry.setting(key)?;
        serde_json::from_str::<String>(&json).ok()
    };
    let passback = match settings.anti_passback {
        AntiPassback::Off => "nothing happens",
        AntiPassback::Warn => "staff see it",
        AntiPassback::Deny => "the door stays closed",
    };
    let uncertain = match settings.time_uncertain {
        TimeUncertainPolicy::Allow => "cards open without looking at hours",
        TimeUncertainPolicy::Deny => "nobody is let in",
    };
    let now_ms = staff.watched.clock.wall_ms();
    let is_open = settings.hours.is_open(&settings.zone, now_ms);
    vec![
        ("Time zone", text("time_zone").unwrap_or_else(|| "UTC".to_owned())),
        ("Opening hours", if is_open { "open now" } else { "closed now" }.to_owned()),
        ("A stay ends by itself after", minutes(settings.session_max_min)),
        ("A machine is free after", format!("{} without use", seconds(settings.link_idle_s))),
        ("A machine is kept for", seconds(settings.queue_offer_s)),
        ("A door opens for", door(settings.door_open_ms)),
        ("Without the cloud for", format!("{} days members count in full", settings.grace_days)),
        ("Coming in twice", passback.to_owned()),
        ("Without the time", uncertain.to_owned()),
        (
            "Keys of secure cards",
            if settings.sun_keys.is_some() { "set" } else { "none" }.to_owned(),
        ),
    ]
}

fn minutes(count: u32) -> String {
    match count {
        count if count.is_multiple_of(60) => format!("{} h", count / 60),
        count => format!("{count} min"),
    }
}

fn seconds(count: u32) -> String {
    match count {
        count if count >= 120 && count.is_multiple_of(60) => format!("{} min", count / 60),
        count => format!("{count} s"),
    }
}

fn door(ms: u32) -> String {
    format!("{} s", f64::from(ms) / 1_000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_told_as_people_say_them() {
        assert_eq!([minutes(240), minutes(90)], ["4 h", "90 min"]);
        assert_eq!([seconds(300), seconds(90)], ["5 min", "90 s"]);
        assert_eq!([door(3_000), door(2_500)], ["3 s", "2.5 s"]);
    }
}
