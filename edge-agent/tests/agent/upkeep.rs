//! What an operator does: logs, diagnosis, backup, certificates.

use crate::agent::{Agent, stderr, stdout};
use edge_agent::front_door::tls::BranchCa;
use edge_agent::ops::clock::Clock;
use edge_agent::registry::Registry;
use protocol::ids::{BranchId, DeviceId};
use protocol::sync::changes::{Change, Changes, DeviceRecord};
use protocol::sync::entry::DeviceKind;
use std::os::unix::fs::PermissionsExt as _;
use uuid::Uuid;

/// A device that the cloud told of, under the name of somebody.
async fn tell_of(agent: &Agent, name: &str, secret_sha256: [u8; 32]) {
    std::fs::create_dir_all(agent.state()).unwrap();
    let opened = Registry::open(&agent.state(), &Clock::system()).await.unwrap();
    let record = DeviceRecord {
        id: DeviceId(Uuid::from_u128(1)),
        code: "bike-7".parse().unwrap(),
        kind: DeviceKind::Machine,
        name: name.to_owned(),
        secret_sha256: Some(secret_sha256),
        bridge: None,
        topics: Vec::new(),
        enabled: true,
    };
    let setting =
        Change::Setting { key: "keys".to_owned(), value: "\"planted-setting\"".to_owned() };
    let changes = vec![Change::Device(record), setting];
    let branch = BranchId(Uuid::nil());
    let changes = Changes { branch, from: 0, to: 1, reset: true, more: false, changes };
    opened.registry.apply(changes).await.unwrap();
}

#[tokio::test]
async fn the_diagnostic_file_says_a_lot_and_no_secret() {
    let agent = Agent::new().with("cloud.proxy", "http://user:hunter2@proxy.example:3128");
    let hash = [0xab; 32];
    tell_of(&agent, "Planted Member", hash).await;
    let added = stdout(&agent.output(&["device", "add", "machine", "bike-1"]).await);
    let secret = added.split_whitespace().last().unwrap().to_owned();
    let _running = agent.ready().await;
    let file = agent.folder().join("diag.txt");

    let written = agent.output(&["diag", file.to_str().unwrap()]).await;

    assert_eq!(written.status.code(), Some(0), "{}", stderr(&written));
    let text = std::fs::read_to_string(&file).unwrap();
    for part in ["agent", "status", "releases", "configuration", "certificates", "state folder"] {
        assert!(text.contains(&format!("==== {part}\n")), "{part} is missing");
    }
    assert!(text.contains("sound") && text.contains("journal.db") && text.contains("SQLite 3."));
    let ca = agent.state().join("ca");
    let key = std::fs::read_to_string(ca.join("root.key")).unwrap();
    let key_line = key.lines().nth(1).unwrap();
    let planted =
        [&secret, "hunter2", "Planted Member", "planted-setting", &hex::encode(hash), key_line];
    assert!(planted.iter().all(|secret| !text.contains(*secret)), "a secret is in it");
}

#[tokio::test]
async fn log_lines_are_json_if_that_is_configured() {
    let agent = Agent::new().with("agent.log_format", "json").with("mqtt.listen", "192.0.2.1:1883");

    let log = stderr(&agent.output(&["run"]).await);
    let text = stderr(&agent.with("agent.log_format", "text").output(&["run"]).await);

    let first: serde_json::Value = serde_json::from_str(log.lines().next().unwrap()).unwrap();
    assert!(first["level"].is_string() && first["message"].is_string(), "{log}");
    assert!(!text.starts_with('{'), "{text}");
}

#[tokio::test]
async fn a_running_agent_is_backed_up_and_goes_on_elsewhere() {
    let (here, there) = (Agent::new(), Agent::new());
    here.output(&["device", "add", "machine", "bike-1"]).await;
    let _running = here.ready().await;
    here.output(&["device", "certify", "bike-1"]).await;
    let given = stdout(&here.output(&["device", "list"]).await);
    let serial = given.split("certificate ").nth(1).and_then(|rest| rest.split(' ').next());
    here.output(&["device", "revoke-certificate", serial.unwrap()]).await;
    let folder = here.folder();
    let (file, secret) = (folder.join("branch.backup"), folder.join("passphrase"));
    std::fs::write(&secret, "correct horse\n").unwrap();
    let (file, secret) = (file.to_str().unwrap(), secret.to_str().unwrap());

    let made = here.output(&["backup", file, "--passphrase-file", secret]).await;
    let busy = here.output(&["restore", file, "--passphrase-file", secret, "--replace"]).await;
    let restored = there.output(&["restore", file, "--passphrase-file", secret]).await;
    let again = there.output(&["restore", file, "--passphrase-file", secret]).await;

    assert_eq!(made.status.code(), Some(0), "{}", stderr(&made));
    assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(stderr(&busy).contains("another edge agent is running"));
    assert_eq!(restored.status.code(), Some(0), "{}", stderr(&restored));
    assert!(stderr(&again).contains("--replace"));
    let _elsewhere = there.ready().await;
    let listed = stdout(&there.output(&["device", "list"]).await);
    assert!(listed.contains("bike-1") && listed.contains("revoked "), "{listed}");
    let key = there.state().join("ca/root.key");
    assert_eq!(std::fs::metadata(key).unwrap().permissions().mode() & 0o777, 0o600);
    let [one, other] =
        [here.output(&["ca", "export"]).await, there.output(&["ca", "export"]).await];
    assert_eq!(one.stdout, other.stdout);
}

#[tokio::test]
async fn roots_are_replaced_and_devices_certified_while_the_agent_runs() {
    let agent = Agent::new();
    agent.output(&["device", "add", "machine", "bike-1"]).await;
    let _running = agent.ready().await;
    let export = async || stdout(&agent.output(&["ca", "export"]).await);
    let first = export().await;

    let rotated = agent.output(&["ca", "rotate"]).await;
    let both = export().await;
    agent.output(&["ca", "drop-former"]).await;
    let last = export().await;
    let certified = stdout(&agent.output(&["device", "certify", "bike-1"]).await);
    let stranger = agent.output(&["device", "certify", "bike-2"]).await;

    assert_eq!(rotated.status.code(), Some(0), "{}", stderr(&rotated));
    assert!(
        both.contains(first.trim()) && both.contains(last.trim()) && !last.contains(first.trim())
    );
    assert!(certified.contains("BEGIN CERTIFICATE") && certified.contains("PRIVATE KEY"));
    assert!(stderr(&stranger).contains("no device bike-2"));
    let on_disk = BranchCa::open(&agent.state().join("ca"), 0).unwrap();
    assert_eq!(on_disk.export().trim(), last.trim());
}

#[tokio::test]
async fn certificates_are_listed_and_revoked_one_by_one_or_with_their_device() {
    let agent = Agent::new();
    agent.output(&["device", "add", "machine", "bike-1"]).await;
    let _running = agent.ready().await;
    agent.output(&["device", "certify", "bike-1"]).await;
    agent.output(&["device", "certify", "bike-1"]).await;
    let list = async || stdout(&agent.output(&["device", "list"]).await);
    let before = list().await;
    let serial = before.split("certificate ").nth(1).unwrap().split(' ').next().unwrap().to_owned();

    let revoked = agent.output(&["device", "revoke-certificate", &serial]).await;
    let after = list().await;
    let unknown = agent.output(&["device", "revoke-certificate", "00ff"]).await;
    agent.output(&["device", "revoke", "bike-1"]).await;
    let locked_out = list().await;

    assert_eq!(revoked.status.code(), Some(0), "{}", stderr(&revoked));
    assert_eq!((before.matches("until ").count(), before.matches("revoked ").count()), (2, 0));
    assert_eq!((after.matches("until ").count(), after.matches("revoked ").count()), (1, 1));
    let revoked_count = locked_out.matches("revoked ").count();
    assert!(locked_out.contains("locked out") && revoked_count == 2, "{locked_out}");
    assert!(stderr(&unknown).contains("device list"), "{}", stderr(&unknown));
}
