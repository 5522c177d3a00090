//! The documents in `docs/mqtt` are what the types say, and their examples are accepted.

use protocol::mqtt::documents::{documents, examples};
use protocol::mqtt::payloads::{
    Challenge, CommandMessage, DecisionMessage, ErrorReport, LinkMessage, Refusal, parse_challenge,
    parse_maintenance, parse_result, parse_set, parse_status, parse_tap, parse_telemetry,
};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::path::Path;

#[test]
fn the_committed_documents_are_fresh() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/mqtt");
    let is_stale = |name: &String, text: &str| {
        let committed = std::fs::read_to_string(folder.join(name)).unwrap_or_default();
        // As values, since the order of members depends on how serde_json is built.
        serde_json::from_str::<Value>(&committed).ok() != serde_json::from_str(text).ok()
    };

    let stale: Vec<String> = documents()
        .into_iter()
        .filter_map(|(name, text)| is_stale(&name, &text).then_some(name))
        .collect();

    assert_eq!(
        stale,
        Vec::<String>::new(),
        "run `cargo run -p protocol --features schema --example mqtt_documents -- docs/mqtt`"
    );
}

#[test]
fn every_example_is_accepted_by_its_parser() {
    let check = |name: &str, payload: &Value| {
        let bytes = serde_json::to_vec(payload).unwrap();
        let accepted = accepts(name, &bytes);
        assert_eq!(accepted, Ok(()), "{name}: {payload}");
    };

    for (name, payloads) in examples() {
        for payload in &payloads {
            check(name, payload);
        }
    }
}

fn accepts(name: &str, bytes: &[u8]) -> Result<(), String> {
    fn parsed<T>(answer: Result<T, Refusal>) -> Result<(), String> {
        answer.map(drop).map_err(|refusal| refusal.to_string())
    }
    fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<(), String> {
        serde_json::from_slice::<T>(bytes).map(drop).map_err(|error| error.to_string())
    }
    match name {
        "telemetry" => parsed(parse_telemetry(bytes)),
        "set" => parsed(parse_set(bytes)),
        "status" => parsed(parse_status(bytes)),
        "maintenance" => parsed(parse_maintenance(bytes)),
        "result" => parsed(parse_result(bytes)),
        "tap" => parsed(parse_tap(bytes)),
        "challenge" => parsed(parse_challenge(bytes)).and_then(|()| read::<Challenge>(bytes)),
        "link" => read::<LinkMessage>(bytes),
        "command" => read::<CommandMessage>(bytes),
        "decision" => read::<DecisionMessage>(bytes),
        "error" => read::<ErrorReport>(bytes),
        other => Err(format!("nobody reads {other}")),
    }
}
