//! FTMS notifications: known answers of other decoders and of real machines, every field of the climbers, and noise.

use proptest::collection::vec;
use proptest::prelude::*;
use protocol::machine::ftms::{CHARACTERISTICS, Characteristic, FtmsError, Notification, decode};
use protocol::machine::{Field, Fields};
use serde_json::Value;

const VECTORS: &str = include_str!("../vectors/ftms.json");

fn bytes(text: &str) -> Vec<u8> {
    let digits: String = text.split_whitespace().collect();
    hex::decode(digits).unwrap()
}

fn decoded(kind: Characteristic, text: &str) -> Result<Notification, FtmsError> {
    decode(kind, &bytes(text))
}

fn fields(values: &[(Field, f64)]) -> Fields {
    let mut fields = Fields::default();
    for (field, value) in values {
        fields.set(*field, *value);
    }
    fields
}

fn characteristic(vector: &Value) -> Characteristic {
    let uuid = u16::from_str_radix(vector["characteristic"].as_str().unwrap(), 16).unwrap();
    Characteristic::of_uuid(uuid).unwrap()
}

/// What a sample should have of what a vector says; averages, totals and rates have no place in one.
fn expected(kind: Characteristic, expect: &Value) -> Fields {
    let names = [
        ("speed_kmh", Field::SpeedMps, 1.0 / 3.6),
        ("distance_m", Field::DistanceM, 1.0),
        ("inclination_percent", Field::InclinePct, 1.0),
        ("cadence_rpm", Field::CadenceRpm, 1.0),
        ("steps_per_min", Field::CadenceRpm, 1.0),
        ("stroke_rate", Field::StrokeRateSpm, 1.0),
        ("resistance_raw", Field::Resistance, 1.0),
        ("power_w", Field::PowerW, 1.0),
        ("energy_total_kcal", Field::EnergyKcal, 1.0),
        ("heart_rate", Field::HeartRateBpm, 1.0),
        ("elapsed_s", Field::ElapsedS, 1.0),
    ];
    let mut found = Fields::default();
    for (name, field, factor) in names {
        match expect[name].as_f64() {
            Some(0.0) if field == Field::HeartRateBpm => {}
            Some(value) => found.set(field, value * factor),
            None => {}
        }
    }
    if let (Characteristic::Rower, Some(pace)) = (kind, expect["pace_s_per_500m"].as_f64()) {
        found.set(Field::SpeedMps, 500.0 / pace);
    }
    found
}

#[test]
fn notifications_are_read_as_other_decoders_read_them() {
    let vectors: Value = serde_json::from_str(VECTORS).unwrap();
    let positive = vectors["positive"].as_array().unwrap();
    assert!(positive.len() > 20);

    for vector in positive {
        let (kind, text) = (characteristic(vector), vector["bytes"].as_str().unwrap());

        let notification = decoded(kind, text).unwrap_or_else(|error| panic!("{text}: {error}"));

        assert_eq!(notification.fields, expected(kind, &vector["expect"]), "{text}");
        assert_eq!(notification.layout, kind, "{text}");
    }
}

#[test]
fn what_fits_no_layout_is_refused() {
    let vectors: Value = serde_json::from_str(VECTORS).unwrap();

    for vector in vectors["negative"].as_array().unwrap() {
        let text = vector["bytes"].as_str().unwrap();
        assert!(decoded(characteristic(vector), text).is_err(), "{text}");
    }
}

#[test]
fn captures_of_real_machines_are_read() {
    use Characteristic::{CrossTrainer, IndoorBike, Rower, Treadmill};
    use Field::{
        CadenceRpm, DistanceM, ElapsedS, EnergyKcal, HeartRateBpm, InclinePct, PowerW, SpeedMps,
        StrokeRateSpm,
    };
    let treadmill = decoded(Treadmill, "8c05e803d204000f00ff7f570058020a8ea401").unwrap();
    let rower = decoded(Rower, "2c09307800f401007d00b400230020030dfa00").unwrap();
    let trainer = decoded(CrossTrainer, "0c21008a022003007800 76005f005802").unwrap();
    let bike = decoded(IndoorBike, "0008e6081f00").unwrap();

    assert_eq!(
        treadmill.fields,
        fields(&[
            (SpeedMps, 10.0 / 3.6),
            (DistanceM, 1234.0),
            (InclinePct, 1.5),
            (EnergyKcal, 87.0),
            (HeartRateBpm, 142.0),
            (ElapsedS, 420.0),
        ])
    );
    assert_eq!(
        rower.fields,
        fields(&[
            (StrokeRateSpm, 24.0),
            (DistanceM, 500.0),
            (SpeedMps, 4.0),
            (PowerW, 180.0),
            (EnergyKcal, 35.0),
            (ElapsedS, 250.0),
        ])
    );
    assert_eq!(
        trainer.fields,
        fields(&[
            (SpeedMps, 6.5 / 3.6),
            (DistanceM, 800.0),
            (CadenceRpm, 120.0),
            (PowerW, 95.0),
            (ElapsedS, 600.0),
        ])
    );
    assert_eq!(bike.fields, fields(&[(SpeedMps, 22.78 / 3.6), (ElapsedS, 31.0)]));
}

#[test]
fn climbers_tell_steps_energy_heart_rate_and_time() {
    let told = [
        (Field::CadenceRpm, 62.0),
        (Field::EnergyKcal, 45.0),
        (Field::HeartRateBpm, 131.0),
        (Field::ElapsedS, 305.0),
    ];
    // floors and steps, steps/min, average, elevation, energy and its rates, heart rate, MET, elapsed, remaining
    let step =
        decoded(Characteristic::StepClimber, "fe01 3e00 3c00 1e00 2d00 5802 0a 83 50 3101 2c01");
    // floors, steps/min, average, elevation, strides, energy and its rates, heart rate, MET, elapsed, remaining
    let stair = decoded(
        Characteristic::StairClimber,
        "fe03 0c00 3e00 3c00 1e00 3601 2d00 5802 0a 83 50 3101 2c01",
    );
    let step_with_floors = decoded(
        Characteristic::StepClimber,
        "fe01 0c00 3601 3e00 3c00 1e00 2d00 5802 0a 83 50 3101 2c01",
    );

    assert_eq!(stair.unwrap().fields, fields(&told));
    assert_eq!(step_with_floors.unwrap().fields, fields(&told));
    assert!(matches!(step, Err(FtmsError::Length { expected: 23, found: 19, .. })), "{step:?}");
}

#[test]
fn a_record_in_two_notifications_is_two_parts_of_a_sample() {
    // Bit 0 set: speed comes in the other one.
    let first =
        decoded(Characteristic::Treadmill, "8d04 d20400 0f00 ff7f 5700 5802 0a a401").unwrap();
    let second = decoded(Characteristic::Treadmill, "0001 e803 8e").unwrap();

    assert!(first.has_more && !second.has_more);
    assert_eq!(first.fields.value(Field::DistanceM), Some(1234.0));
    assert_eq!(first.fields.value(Field::SpeedMps), None);
    assert_eq!(
        second.fields,
        fields(&[(Field::SpeedMps, 10.0 / 3.6), (Field::HeartRateBpm, 142.0)])
    );
}

#[test]
fn both_widths_of_resistance_and_pace_are_told_by_the_length() {
    use Characteristic::{CrossTrainer, IndoorBike, Rower, Treadmill};
    let level = |kind, text| decoded(kind, text).map(|n| n.fields.value(Field::Resistance));
    let power = |kind, text| decoded(kind, text).map(|n| n.fields.value(Field::PowerW));

    assert_eq!(level(IndoorBike, "6100 0700 c800"), Ok(Some(7.0)));
    assert_eq!(level(IndoorBike, "6100 07 c800"), Ok(Some(7.0)));
    assert_eq!(power(IndoorBike, "6100 07 c800"), Ok(Some(200.0)));
    assert_eq!(level(Rower, "8100 f6ff"), Ok(Some(-10.0)));
    assert_eq!(level(Rower, "8100 f6"), Ok(Some(246.0)));
    assert_eq!(power(CrossTrainer, "810100 0700 c800"), Ok(Some(200.0)));
    assert_eq!(power(CrossTrainer, "810100 07 c800"), Ok(Some(200.0)));
    // One pace or two, of one byte or two, before force and power.
    for text in [
        "2110 05 0000 c800",
        "2110 0500 0000 c800",
        "6110 0505 0000 c800",
        "6110 05000500 0000 c800",
    ] {
        assert_eq!(power(Treadmill, text), Ok(Some(200.0)), "{text}");
    }
    assert!(power(Treadmill, "6110 050500 0000 c800").is_err());
    assert!(level(IndoorBike, "6100 070000 c800").is_err());
}

#[test]
fn not_available_is_left_out_and_a_heart_rate_of_0_too() {
    let absent =
        decoded(Characteristic::IndoorBike, "740b ffff ffff ffffff ff7f ff7f ffff ffff ff ff ffff")
            .unwrap();
    let heart = decoded(Characteristic::IndoorBike, "0102 00").unwrap();

    assert!(absent.fields.is_empty() && heart.fields.is_empty());
}

#[test]
fn values_that_no_machine_can_mean_refuse_the_notification() {
    let cases = [
        (Characteristic::Treadmill, "0000 409c", Field::SpeedMps),
        (Characteristic::Treadmill, "0900 5902 0000", Field::InclinePct),
        (Characteristic::IndoorBike, "4100 b90b", Field::PowerW),
        (Characteristic::IndoorBike, "0500 5902", Field::CadenceRpm),
        (Characteristic::IndoorBike, "0102 fb", Field::HeartRateBpm),
        (Characteristic::IndoorBike, "0102 18", Field::HeartRateBpm),
        (Characteristic::IndoorBike, "1100 21a107", Field::DistanceM),
        (Characteristic::IndoorBike, "0101 214e 0000 00", Field::EnergyKcal),
        (Characteristic::Rower, "8100 e903", Field::Resistance),
    ];

    for (kind, text, field) in cases {
        assert_eq!(decoded(kind, text), Err(FtmsError::OutOfRange(field)), "{text}");
    }
    assert_eq!(
        FtmsError::OutOfRange(Field::PowerW).to_string(),
        "power_w is not between -500 and 3000"
    );
}

#[test]
fn fields_of_a_later_version_stand_behind_the_known_ones() {
    let known = decoded(Characteristic::IndoorBike, "4020 e803 c800 99").unwrap();
    let doubtful = decoded(Characteristic::IndoorBike, "6020 e803 0100 c800 99");

    assert_eq!(known.fields, fields(&[(Field::SpeedMps, 10.0 / 3.6), (Field::PowerW, 200.0)]));
    assert_eq!(doubtful, Err(FtmsError::UnknownFlags { flags: 0x2060 }));
}

#[test]
fn an_elliptical_that_sends_the_layout_of_a_bike_is_read_as_one() {
    let moving = decoded(
        Characteristic::CrossTrainer,
        "740b 3c05 4800 210000 0100 1800 0200 0000 00 56 1000",
    );
    let at_rest = decoded(
        Characteristic::CrossTrainer,
        "740b 0000 0000 210000 0100 0000 0200 0000 00 00 1000",
    );

    for notification in [moving, at_rest] {
        let notification = notification.unwrap();
        assert_eq!(notification.layout, Characteristic::IndoorBike);
        assert_eq!(notification.fields.value(Field::DistanceM), Some(33.0));
    }
}

#[test]
fn only_the_six_characteristics_of_machines_are_known() {
    let known: Vec<u16> =
        (0..=u16::MAX).filter(|uuid| Characteristic::of_uuid(*uuid).is_some()).collect();

    assert_eq!(known, (0x2ACD..=0x2AD2).collect::<Vec<_>>());
}

/// How many bytes each flag bit of a kind brings with it, by the tables of the standard.
fn widths(kind: Characteristic) -> &'static [usize] {
    match kind {
        Characteristic::Treadmill => &[2, 2, 3, 4, 4, 1, 1, 5, 1, 1, 2, 2, 4, 3],
        Characteristic::CrossTrainer => &[2, 2, 3, 4, 2, 4, 4, 2, 2, 2, 5, 1, 1, 2, 2],
        Characteristic::StepClimber => &[4, 2, 2, 2, 5, 1, 1, 2, 2],
        Characteristic::StairClimber => &[2, 2, 2, 2, 2, 5, 1, 1, 2, 2],
        Characteristic::Rower => &[3, 1, 3, 2, 2, 2, 2, 2, 5, 1, 1, 2, 2],
        Characteristic::IndoorBike => &[2, 2, 2, 2, 3, 2, 2, 2, 5, 1, 1, 2, 2],
    }
}

fn notifications() -> impl Strategy<Value = (Characteristic, Vec<u8>, usize)> {
    (prop::sample::select(&CHARACTERISTICS[..]), any::<u32>()).prop_flat_map(|(kind, flags)| {
        let widths = widths(kind);
        let flags = flags & ((1 << widths.len()) - 1);
        let present = widths.iter().enumerate().filter(|(bit, _)| ((flags ^ 1) >> bit) & 1 != 0);
        let length = present.map(|(_, width)| width).sum::<usize>();
        let head = if kind == Characteristic::CrossTrainer { 3 } else { 2 };
        vec(0..3_u8, length).prop_map(move |body| {
            let mut value = flags.to_le_bytes()[..head].to_vec();
            value.extend(body);
            (kind, value, head)
        })
    })
}

proptest! {
    #![proptest_config(crate::strategies::cases())]

    #[test]
    fn every_combination_of_flags_is_read_and_one_byte_less_is_not_misread(
        (kind, value, head) in notifications(),
    ) {
        let whole = decode(kind, &value);
        // A width may be the other one, but what was there before it stays.
        let shorter = decode(kind, &value[..value.len() - 1]);

        if let Err(error) = &whole {
            prop_assert!(matches!(error, FtmsError::OutOfRange(_)), "{error}");
        }
        if let Ok(notification) = &shorter {
            prop_assert!(value.len() > head);
            prop_assert!(
                notification.layout != kind || notification.fields.scaled(Field::Resistance).is_some(),
                "{:?}", notification
            );
        }
    }

    #[test]
    fn no_notification_panics(uuid in 0x2ACD..=0x2AD2_u16, value in vec(any::<u8>(), 0..60)) {
        let kind = Characteristic::of_uuid(uuid).unwrap();
        if let Ok(notification) = decode(kind, &value) {
            prop_assert!(value.len() >= 2);
            prop_assert!(notification.layout == kind || kind == Characteristic::CrossTrainer);
        }
    }
}
