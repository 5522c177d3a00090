//! Frames of the PN532 against known bytes: from data sheets, traces of others, and talks between libnfc and an
//! emulated chip.

use protocol::serial::pn532::frame::{Frame, Framer};
use serde_json::Value;

fn vectors() -> Value {
    serde_json::from_str(include_str!("../vectors/pn532_frames.json")).unwrap()
}

fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap()).unwrap()
}

fn frames(stream: &[u8]) -> Vec<Frame> {
    let mut framer = Framer::default();
    stream.iter().filter_map(|byte| framer.push(*byte)).collect()
}

#[test]
fn every_known_frame_is_made_and_found() {
    let vectors = vectors();
    let known = vectors["frames"].as_array().unwrap();
    let extended = vectors["extended"].as_array().unwrap();

    for vector in known.iter().chain(extended) {
        let (body, frame) = (Frame::Body(bytes(&vector["body"])), bytes(&vector["frame"]));
        assert_eq!(hex::encode(body.encode()), hex::encode(&frame), "{}", vector["name"]);
        assert_eq!(frames(&frame), [body], "{}", vector["name"]);
    }
    assert!(known.len() >= 28);
}

#[test]
fn the_special_frames_are_made_and_found() {
    let special = &vectors()["special"];

    for (name, frame) in
        [("ack", Frame::Ack), ("nack", Frame::Nack), ("syntax_error", Frame::SyntaxError)]
    {
        assert_eq!(frame.encode(), bytes(&special[name]), "{name}");
        assert_eq!(frames(&bytes(&special[name])), [frame], "{name}");
    }
    assert_eq!(protocol::serial::pn532::WAKE_UP[..], bytes(&special["wakeup"]));
}

#[test]
fn broken_frames_are_none_and_do_not_hide_the_next() {
    for vector in vectors()["invalid"].as_array().unwrap() {
        let name = vector["name"].as_str().unwrap();
        let found = frames(&bytes(&vector["frame"]));
        // Whose identifier or command is wrong is whole as a frame, and no answer to anything.
        let whole = usize::from(matches!(name, "wrong TFI" | "wrong response code"));
        assert_eq!(found.len(), whole, "{name}");

        let behind = [bytes(&vector["frame"]), Frame::Ack.encode()].concat();
        let last = frames(&behind).pop();
        assert!(name == "truncated" || last == Some(Frame::Ack), "{name}: {last:?}");
    }
}

#[test]
fn frames_are_found_in_disturbed_streams() {
    for vector in vectors()["streams"].as_array().unwrap() {
        let expected: Vec<Frame> = vector["expect"].as_array().unwrap().iter().map(frame).collect();

        assert_eq!(frames(&bytes(&vector["bytes"])), expected, "{}", vector["name"]);
    }
}

fn frame(expected: &Value) -> Frame {
    match expected.as_str() {
        Some("ACK") => Frame::Ack,
        _ => Frame::Body(bytes(expected)),
    }
}

#[test]
fn a_lost_zero_does_not_make_another_frame() {
    let listing = hex::decode("0000FF0FF1D54B01010044000704A1B2C3D4E5F6CA00").unwrap();

    for lost in 5..listing.len() - 1 {
        let mut rest = listing.clone();
        rest.remove(lost);
        assert_eq!(frames(&rest), [], "without byte {lost}");
    }
}
