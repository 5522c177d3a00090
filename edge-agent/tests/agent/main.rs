//! The real program: its commands, exit codes, and what it tells systemd.

#[cfg(test)]
mod agent;
#[cfg(test)]
mod machine;
#[cfg(test)]
mod update;
#[cfg(test)]
mod upkeep;

use agent::Agent;
use serde_json::Value;
use std::net::TcpListener;

#[tokio::test]
async fn it_runs_until_sigterm_and_tells_systemd() {
    let agent = Agent::new();

    let mut running = agent.run();
    assert_eq!(running.systemd.next().await, "READY=1");
    assert_eq!(running.systemd.next().await, "WATCHDOG=1");
    running.terminate();

    assert_eq!(running.systemd.after("WATCHDOG=1").await, "STOPPING=1");
    assert_eq!(running.exit_code().await, Some(0));
}

#[tokio::test]
async fn a_second_agent_on_one_folder_is_refused() {
    let agent = Agent::new();
    let _running = agent.ready().await;

    let second = agent.other_ports().output(&["run"]).await;

    assert_eq!(second.status.code(), Some(1));
    assert!(agent::stderr(&second).contains("another edge agent is running"));
}

#[tokio::test]
async fn a_port_in_use_is_named_by_its_key() {
    for key in ["ops.listen", "mqtt.listen", "mqtt.tls_listen", "staff.listen"] {
        let agent = Agent::new();
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap().to_string();

        let refused = agent.with(key, &address).output(&["run"]).await;

        let said = agent::stderr(&refused);
        assert_eq!(refused.status.code(), Some(1));
        assert!(said.contains(key) && said.contains(&address), "{said}");
    }
}

#[tokio::test]
async fn bad_usage_and_configuration_exit_with_2() {
    let agent = Agent::new();
    let unknown_key = agent.clone().with("mqtt.no_such_key", "1").output(&["status"]).await;
    let unknown_command = agent.output(&["no-such-command"]).await;
    let log = agent.clone().with("agent.log", "no=such=level").output(&["run"]).await;
    let ca_file = agent.clone().with("cloud.ca_file", "/no/such.pem").output(&["run"]).await;
    let no_file = agent.output(&["status", "--config", "/no/such.toml"]).await;

    let outputs = [&unknown_key, &unknown_command, &no_file, &log, &ca_file];
    assert_eq!(outputs.map(|output| output.status.code()), [Some(2); 5]);
    assert!(agent::stderr(&ca_file).contains("`cloud.ca_file`"));
    assert!(agent::stderr(&unknown_key).contains("`mqtt.no_such_key` is unknown"));
}

#[tokio::test]
async fn help_and_version_are_told() {
    let agent = Agent::new();

    let help = agent.output(&["--help"]).await;
    let version = agent.output(&["--version"]).await;

    assert_eq!((help.status.code(), version.status.code()), (Some(0), Some(0)));
    assert!(agent::stdout(&help).contains("enroll"));
    assert_eq!(agent::stdout(&version).trim(), concat!("edge-agent ", env!("CARGO_PKG_VERSION")));
}

#[tokio::test]
async fn devices_are_managed_with_and_without_a_running_agent() {
    let agent = Agent::new();
    let added = agent.output(&["device", "add", "machine", "bike-1"]).await;
    let _running = agent.ready().await;

    agent.output(&["device", "add", "reader", "door"]).await;
    let twice = agent.output(&["device", "add", "bridge", "door"]).await;
    let rotated = agent.output(&["device", "rotate", "bike-1"]).await;
    agent.output(&["device", "revoke", "door"]).await;
    let listed = agent::stdout(&agent.output(&["device", "list"]).await);

    assert!(agent::stdout(&added).contains("password"));
    assert_ne!(agent::stdout(&added), agent::stdout(&rotated));
    assert_eq!(twice.status.code(), Some(1));
    let lines: Vec<_> =
        listed.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).collect();
    assert_eq!(lines[0][..2], ["bike-1", "machine"]);
    assert_eq!(lines[1][..4], ["door", "reader", "locked", "out"]);
}

#[tokio::test]
async fn what_was_added_while_stopped_waits_for_the_cloud() {
    let agent = Agent::new();
    agent.output(&["device", "add", "machine", "bike-1"]).await;
    let _running = agent.ready().await;

    let status: Value =
        serde_json::from_slice(&agent.output(&["status", "--json"]).await.stdout).unwrap();

    assert_eq!(
        (&status["backlog_entries"], &status["devices"]),
        (&Value::from(1), &Value::from(1))
    );
    assert_eq!(status["journal"], "durable");
}

#[tokio::test]
async fn status_needs_a_running_agent() {
    let agent = Agent::new();

    let status = agent.output(&["status"]).await;

    assert_eq!(status.status.code(), Some(1));
    assert!(agent::stderr(&status).contains("no edge agent is running"));
}

#[tokio::test]
async fn health_and_metrics_are_served() {
    let agent = Agent::new();
    let _running = agent.ready().await;

    let health: Value = agent.get("/health").await.json().await.unwrap();
    let metrics = agent.get("/metrics").await.text().await.unwrap();
    let codes = [agent.get("/health/live").await, agent.get("/health/ready").await];

    // Without a cloud a branch works, but not all of it.
    assert_eq!(health["status"], "degraded");
    assert!(metrics.contains("gymwire_journal_backlog_entries 0"));
    assert!(codes.iter().all(|answer| answer.status() == 200));
}

#[tokio::test]
async fn a_journal_is_verified_also_while_it_is_used() {
    let agent = Agent::new();
    agent.output(&["device", "add", "machine", "bike-1"]).await;
    let running = agent.ready().await;
    let sound = agent.output(&["journal", "verify"]).await;
    drop(running);

    let file = agent.state().join("journal.db");
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..].fill(0x5a);
    std::fs::write(&file, bytes).unwrap();
    let damaged = agent.output(&["journal", "verify"]).await;

    assert_eq!(sound.status.code(), Some(0), "{}", agent::stdout(&sound));
    assert_eq!(damaged.status.code(), Some(1), "{}", agent::stdout(&damaged));
}

#[tokio::test]
async fn the_branch_ca_is_exported() {
    let agent = Agent::new();

    let first = agent::stdout(&agent.output(&["ca", "export"]).await);
    let again = agent::stdout(&agent.output(&["ca", "export"]).await);

    assert!(first.starts_with("-----BEGIN CERTIFICATE-----"));
    assert_eq!(first, again);
}

#[tokio::test]
async fn a_journal_that_is_no_journal_keeps_nothing_from_starting() {
    let agent = Agent::new();
    agent.output(&["device", "add", "machine", "bike-1"]).await;
    for file in ["journal.db", "branch.db"] {
        std::fs::write(agent.state().join(file), [0x5a; 4_096]).unwrap();
    }

    let _running = agent.ready().await;

    assert_eq!(agent.get("/health/ready").await.status(), 200);
}

#[tokio::test]
async fn staff_get_accounts_with_and_without_a_running_agent() {
    let agent = Agent::new();
    let added = agent.output(&["staff", "add", "Ada Lovelace"]).await;
    let _running = agent.ready().await;

    let second = agent.output(&["staff", "add", "Bob", "--role", "trainer"]).await;
    let twice = agent.output(&["staff", "add", "bob"]).await;
    let wrong = agent.output(&["staff", "add", "Eve", "--role", "owner"]).await;
    let reset = agent.output(&["staff", "reset", "bob"]).await;
    let listed = agent::stdout(&agent.output(&["staff", "list"]).await);
    agent.output(&["staff", "remove", "Bob"]).await;
    let without = agent::stdout(&agent.output(&["staff", "list"]).await);

    assert!(agent::stdout(&added).contains("password  "));
    assert_ne!(agent::stdout(&second), agent::stdout(&reset));
    assert_eq!((twice.status.code(), wrong.status.code()), (Some(1), Some(2)));
    assert!(listed.contains("manager") && listed.contains("Bob") && listed.contains("trainer"));
    assert!(without.contains("Ada Lovelace") && !without.contains("Bob"));
}

#[tokio::test]
async fn while_nobody_can_sign_in_the_gateway_itself_shows_the_code() {
    let agent = Agent::new();
    let nobody_runs = agent.output(&["enroll", "--qr"]).await;
    let _running = agent.ready().await;

    let status = agent::stdout(&agent.output(&["status"]).await);
    let shown = agent::stdout(&agent.output(&["enroll", "--qr"]).await);
    let health = agent.get("/health").await.text().await.unwrap();
    agent.output(&["staff", "add", "Ada"]).await;
    let later = agent::stdout(&agent.output(&["status"]).await);

    let code = status.split("its code is ").nth(1).unwrap().trim();
    assert_eq!(nobody_runs.status.code(), Some(1));
    assert!(
        shown.contains(&format!("/first-start#{code}")) && shown.contains('\u{2588}'),
        "{shown}"
    );
    assert!(!health.contains(code), "health is read by others");
    assert!(!later.contains("its code is"));
}

#[tokio::test]
async fn a_newcomers_mistakes_are_told_and_make_nothing() {
    let agent = Agent::new();
    let elsewhere = agent.state().join("typo");
    let elsewhere = elsewhere.to_str().unwrap();
    let said = async |arguments: &[&str]| {
        let all = [&["--state-dir", elsewhere], arguments].concat();
        let output = agent.output(&all).await;
        (output.status.code(), agent::stderr(&output))
    };

    let answers = [
        (said(&["status"]).await, 1, "--state-dir"),
        (said(&["journal", "verify"]).await, 1, "there is no journal"),
        (said(&["device", "list"]).await, 1, "holds no state of an agent"),
        (said(&["ca", "rotate"]).await, 1, "holds no state of an agent"),
        (said(&["key", "rotate"]).await, 1, "holds no state of an agent"),
        (said(&["enroll", "--code", "X"]).await, 2, "`cloud.url`"),
        (said(&["enroll", "--cloud", "gym", "--code", "X"]).await, 2, "gym is no URL"),
        (said(&["update", "check"]).await, 2, "`update.url`"),
        (said(&["restore", "no-such-file"]).await, 1, "cannot read no-such-file"),
        (said(&["--log", "verbose", "run"]).await, 2, "\"verbose\" is no level"),
    ];

    for ((code, text), expected, part) in answers {
        assert_eq!(code, Some(expected), "{text}");
        assert!(text.contains(part), "{text}");
    }
    assert!(!std::path::Path::new(elsewhere).join("branch.db").exists());
}
