//! What a machine does, in words and figures.

use crate::floor::MachineView;
use protocol::machine::Field;
use protocol::sync::entry::DeviceState;
use protocol::sync::state::LiveSample;

/// How a machine looks (a class of the style sheet), and the words for it.
pub fn state_words(machine: &MachineView) -> (&'static str, String) {
    let words = |look, words: &str| (look, words.to_owned());
    match machine.state {
        _ if machine.is_out_of_order => words("is-broken", "Out of service"),
        DeviceState::OutOfOrder => words("is-broken", "Out of order"),
        _ if machine.is_locked => words("is-broken", "Locked"),
        DeviceState::Offline => words("is-gone", "Not connected"),
        DeviceState::InUse => words("is-busy", "In use"),
        DeviceState::Paused => words("is-busy", "Paused"),
        DeviceState::Finished => words("is-busy", "Finished"),
        DeviceState::Idle if machine.link.is_some() => words("is-busy", "Taken"),
        DeviceState::Idle if machine.offer.is_some() => words("is-busy", "Kept"),
        DeviceState::Idle => words("is-free", "Free"),
    }
}

/// Who has the machine, or for whom it is kept; with names for who may see them.
pub fn holder(machine: &MachineView, may_name: bool) -> Option<String> {
    let named = |name: &str| match name {
        _ if !may_name => "a member".to_owned(),
        "" => "a former member".to_owned(),
        name => name.to_owned(),
    };
    match (&machine.link, &machine.offer) {
        (Some((_, name)), _) => Some(named(name)),
        (None, Some((_, name))) => Some(format!("kept for {}", named(name))),
        (None, None) => None,
    }
}

/// The most telling value of a sample, never a heart rate.
pub fn figure(sample: &LiveSample) -> Option<String> {
    let fields = sample.fields();
    let told = |field, unit: &str, factor: f64| {
        fields.value(field).map(|value| format!("{:.0} {unit}", value * factor))
    };
    told(Field::PowerW, "W", 1.0)
        .or_else(|| fields.value(Field::SpeedMps).map(|speed| format!("{:.1} km/h", speed * 3.6)))
        .or_else(|| told(Field::CadenceRpm, "rpm", 1.0))
        .or_else(|| told(Field::StrokeRateSpm, "strokes/min", 1.0))
        .or_else(|| told(Field::WeightKg, "kg", 1.0))
        .or_else(|| told(Field::Reps, "reps", 1.0))
}

/// What a line of values is about.
pub fn field_words(field: Field) -> &'static str {
    match field {
        Field::PowerW => "Power in watts",
        Field::SpeedMps => "Speed in m/s",
        Field::CadenceRpm => "Cadence in turns a minute",
        Field::WeightKg => "Load in kg",
        _ => "Measured",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::machine::Fields;

    #[test]
    fn a_heart_rate_is_never_shown() {
        let mut fields = Fields::default();
        fields.set(Field::HeartRateBpm, 141.0);
        assert_eq!(figure(&LiveSample::new(0, &fields)), None);

        fields.set(Field::SpeedMps, 2.5);
        assert_eq!(figure(&LiveSample::new(0, &fields)).as_deref(), Some("9.0 km/h"));
    }
}
