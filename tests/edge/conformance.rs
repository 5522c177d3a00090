//! Clients that others wrote: mosquitto's and paho's, in 3.1.1 and 5.

use crate::door::{Door, OBSERVED, device_id, secret, soon};
use protocol::sync::entry::{Body, DeviceState};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tests::wait;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

const STATUS: &str = "gymwire/v1/machines/bike/status";
const TELEMETRY: &str = "gymwire/v1/machines/bike/telemetry";

fn mosquitto(program: &str, door: &Door, version: &str, code: &str) -> Command {
    let mut command = Command::new(program);
    let (host, port) = (door.plain.ip().to_string(), door.plain.port().to_string());
    command.args(["-V", version, "-h", &host, "-p", &port, "-u", code, "-P", &secret(code)]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

async fn ends_with(command: &mut Command, status: i32) -> String {
    let output = soon(command.output()).await.unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(status), "{said}");
    said
}

fn subscriber(command: &mut Command) -> (Child, Lines<BufReader<ChildStdout>>) {
    let mut child = command.spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    (child, lines)
}

async fn mosquitto_works(version: &'static str) {
    let door = Door::open().await;
    let publish = |topic, message, more: &[&str]| {
        let mut command = mosquitto("mosquitto_pub", &door, version, "bike");
        command.args(["-q", "1", "-t", topic, "-m", message]).args(more);
        command
    };
    ends_with(&mut publish(STATUS, r#"{"state":"idle"}"#, &["-r"]), 0).await;
    let mut screen = mosquitto("mosquitto_sub", &door, version, "screen");
    screen.args(["-q", "1", "-t", OBSERVED, "-t", STATUS, "-F", "%r %t %p"]);
    let (_child, mut lines) = subscriber(&mut screen);

    let kept = soon(lines.next_line()).await.unwrap().unwrap();
    ends_with(&mut publish(TELEMETRY, r#"{"seq":1,"boot":5,"power_w":90}"#, &[]), 0).await;
    let live = soon(lines.next_line()).await.unwrap().unwrap();

    assert_eq!(kept, format!(r#"1 {STATUS} {{"state":"idle"}}"#));
    assert_eq!(live, format!(r#"0 {TELEMETRY} {{"seq":1,"boot":5,"power_w":90}}"#));
    let (events, samples) = door.stop_and_read().await;
    assert_eq!((events.len(), samples), (1, 1));
}

#[tokio::test]
async fn mosquitto_in_3_1_1() {
    mosquitto_works("mqttv311").await;
}

#[tokio::test]
async fn mosquitto_in_5() {
    mosquitto_works("mqttv5").await;
}

#[tokio::test]
async fn mosquitto_understands_a_refusal() {
    let door = Door::open().await;

    let wrong = async |version| {
        let mut command = mosquitto("mosquitto_pub", &door, version, "bike");
        command.args(["-P", "wrong", "-q", "1", "-t", STATUS, "-m", "{}"]);
        ends_with(&mut command, if version == "mqttv5" { 134 } else { 4 }).await
    };
    let (old, new) = (wrong("mqttv311").await, wrong("mqttv5").await);
    let mut foreign = mosquitto("mosquitto_pub", &door, "mqttv5", "bike");
    foreign.args(["-q", "1", "-t", "gymwire/v1/machines/rack/status", "-m", "{}"]);
    let refused = ends_with(&mut foreign, 0).await;

    assert!(old.to_lowercase().contains("bad user name or password"), "{old}");
    assert!(new.to_lowercase().contains("bad user name or password"), "{new}");
    assert!(refused.to_lowercase().contains("not authorized"), "{refused}");
}

#[tokio::test]
async fn mosquitto_over_tls_leaves_its_will() {
    let door = Door::open().await;
    let ca = door.edge.state().join("ca/root.pem");
    let mut command = Command::new("mosquitto_sub");
    let port = door.encrypted.port().to_string();
    command.args(["-V", "mqttv5", "-h", "localhost", "-p", &port, "-u", "bike"]);
    command.args(["-P", &secret("bike"), "-t", "gymwire/v1/machines/bike/commands", "--cafile"]);
    command.arg(&ca).args(["--will-topic", STATUS, "--will-retain", "--will-payload"]);
    command.arg(r#"{"state":"offline"}"#);
    command.stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true);
    let mut child = command.spawn().unwrap();
    wait::until_true("the client is connected", Duration::from_secs(20), async || {
        Ok(door.edge.metric("gymwire_mqtt_connections").await? > 0.0)
    })
    .await
    .unwrap();

    child.kill().await.unwrap();

    let mut screen = door.v5("screen").await;
    screen.subscribe(&[STATUS]).await;
    assert_eq!(screen.message().await.2, br#"{"state":"offline"}"#);
    let (events, _) = door.stop_and_read().await;
    let is_will = |body: &Body| matches!(body, Body::Status(s) if s.state == DeviceState::Offline);
    assert!(
        events.iter().any(|event| {
            event.source.device() == Some(device_id("bike")) && is_will(&event.body)
        })
    );
}

/// Where `packaging/setup.sh` puts paho.
fn python_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../.gymwire/python")
}

const PAHO: &str = include_str!("paho.py");

async fn paho_works(version: &str) {
    let door = Door::open().await;
    let mut command = Command::new("python3");
    command.env("PYTHONPATH", python_folder()).args(["-c", PAHO]);
    command.args([door.plain.ip().to_string(), door.plain.port().to_string()]);
    command.args([version, &secret("bike"), &secret("screen")]).kill_on_drop(true);

    let output = soon(command.output()).await.unwrap();

    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.stdout, b"fine\n", "paho: {said}");
}

#[tokio::test]
async fn paho_in_3_1_1() {
    paho_works("4").await;
}

#[tokio::test]
async fn paho_in_5() {
    paho_works("5").await;
}
