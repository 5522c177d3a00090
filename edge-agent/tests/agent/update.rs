//! Updates with real processes: whatever happens at whatever moment, an agent runs in the end.

use crate::machine::{Machine, Release};
use std::fs;
use std::os::unix::process::ExitStatusExt as _;

const NEW: &str = "0.2.0";

#[tokio::test]
async fn a_new_release_takes_over_and_proves_itself() {
    let machine = Machine::new().await;
    let manifest = machine.make(&Release::of(NEW)).await;
    let running = machine.start_until_it_serves(1).await;

    machine.done(&["update", "apply", &manifest]).await;
    let code = running.end().await.code();
    let _running = machine.start_until_it_serves(1).await;
    machine.is_proven(NEW).await;

    assert_eq!((code, machine.running().await), (Some(75), NEW.to_owned()));
    let status = machine.done(&["update", "status"]).await;
    assert!(status.contains("runs         0.2.0") && status.contains("0.2.0 good"), "{status}");
    let again = machine.refused(&["update", "apply", &manifest]).await;
    assert!(again.contains("not newer"), "{again}");
}

#[tokio::test]
async fn by_hand_the_former_release_comes_back() {
    let machine = Machine::new().await;
    let manifest = machine.make(&Release::of(NEW)).await;
    machine.done(&["update", "apply", &manifest]).await;
    let running = machine.start_until_it_serves(1).await;
    machine.is_proven(NEW).await;

    machine.done(&["update", "rollback"]).await;
    running.end().await;
    let _running = machine.start_until_it_serves(1).await;

    assert_eq!(machine.running().await, "package");
    let refused = machine.refused(&["update", "apply", &manifest]).await;
    assert!(refused.contains("taken back by hand"), "{refused}");
    machine.done(&["update", "apply", &manifest, "--again"]).await;
}

#[tokio::test]
async fn a_release_that_crashes_again_and_again_is_taken_back() {
    let machine = Machine::new().await;
    let manifest = machine.make(&Release::of(NEW).doing("exit 3")).await;
    machine.done(&["update", "apply", &manifest]).await;

    let mut codes = Vec::new();
    for _ in 0..3 {
        codes.push(machine.start().end().await.code());
    }
    let _running = machine.start_until_it_serves(1).await;

    assert_eq!(codes, [Some(3); 3]);
    assert_eq!(machine.running().await, "package");
    // The cloud will hear of it.
    machine.has_journaled(1).await;
}

#[tokio::test]
async fn a_release_that_hangs_is_ended_by_the_kernel() {
    let machine = Machine::new().await;
    let manifest = machine.make(&Release::of(NEW).doing("exec sleep 1000")).await;
    machine
        .agent
        .clone()
        .with("update.window_s", "0")
        .output(&["update", "apply", &manifest])
        .await;

    let ended = machine.start().end().await;
    let _running = machine.start_until_it_serves(3).await;

    assert_eq!(ended.signal(), Some(14), "SIGALRM");
    assert_eq!(machine.running().await, "package");
}

#[tokio::test]
async fn a_release_that_does_not_reach_the_cloud_any_more_is_taken_back() {
    let machine = Machine::new().await;
    let manifest = machine.make(&Release::of(NEW)).await;
    machine
        .agent
        .clone()
        .with("update.window_s", "2")
        .output(&["update", "apply", &manifest])
        .await;
    let trial = machine.release(NEW).join("trial.json");
    let had_cloud =
        fs::read_to_string(&trial).unwrap().replace("\"had_cloud\":false", "\"had_cloud\":true");
    fs::write(&trial, had_cloud).unwrap();

    let code = machine.start().end().await.code();
    let _running = machine.start_until_it_serves(1).await;

    assert_eq!((code, machine.running().await), (Some(1), "package".to_owned()));
    let status = machine.done(&["update", "status"]).await;
    assert!(status.contains("the cloud is not reached any more"), "{status}");
}

#[tokio::test]
async fn a_database_that_a_failed_release_changed_is_as_it_was_before() {
    let machine = Machine::new().await;
    machine.done(&["device", "add", "machine", "bike-1"]).await;
    let spoil = format!("echo spoilt > '{}/branch.db'; exit 1", machine.state().display());
    let release = Release::of(NEW).doing(&spoil).with("--branch", 99);
    machine.done(&["update", "apply", &machine.make(&release).await]).await;

    let _running = machine.start_until_it_serves(4).await;

    assert_eq!(machine.running().await, "package");
    assert!(machine.done(&["device", "list"]).await.contains("bike-1"));
    let spoilt = fs::read_to_string(machine.state().join("branch.db.of-0.2.0")).unwrap();
    assert_eq!(spoilt, "spoilt\n");
}

#[tokio::test]
async fn a_release_that_could_not_read_the_databases_is_refused() {
    let machine = Machine::new().await;
    machine.done(&["device", "add", "machine", "bike-1"]).await;
    let old = machine.make(&Release::of(NEW).doing("exit 0").with("--journal", 1)).await;

    let refused = machine.refused(&["update", "apply", &old]).await;

    assert!(refused.contains("journal.db has schema version"), "{refused}");
    assert!(!machine.release(NEW).exists());
}

#[tokio::test]
async fn what_is_not_whole_or_not_by_the_makers_is_refused() {
    let machine = Machine::new().await;
    let manifest = machine.make(&Release::of(NEW).doing("exit 0")).await;
    let broken = machine.make(&Release::of("0.3.0").doing("exit 1")).await;
    let out = machine.agent.folder().join("out");
    let packed = out.join(format!("edge-agent-0.3.0-{}.zst", std::env::consts::ARCH));
    fs::copy(out.join(format!("edge-agent-0.2.0-{}.zst", std::env::consts::ARCH)), packed).unwrap();
    let strangers = machine.agent.folder().join("strangers.pem");
    let strangers = machine.done(&["update", "key", strangers.to_str().unwrap()]).await;
    let no_version = machine.make(&Release::of("0.4.0").doing("")).await;

    let damaged = machine.refused(&["update", "apply", &broken]).await;
    fs::write(machine.agent.folder().join("release-keys"), strangers).unwrap();
    let untrusted = machine.refused(&["update", "apply", &manifest]).await;
    fs::remove_file(machine.agent.folder().join("release-keys")).unwrap();
    let nobody = machine.refused(&["update", "check", &no_version]).await;

    assert!(damaged.contains("another"), "{damaged}");
    assert!(untrusted.contains("not signed by a maker"), "{untrusted}");
    assert!(nobody.contains("not signed by a maker"), "{nobody}");
    assert!(!machine.release(NEW).exists() && !machine.release("0.3.0").exists());
}

#[tokio::test]
async fn a_program_that_cannot_even_start_is_never_switched_to() {
    let machine = Machine::new().await;
    let release = Release::of(NEW).being("#!/no/such/interpreter\n");
    let manifest = machine.make(&release).await;

    let refused = machine.refused(&["update", "apply", &manifest]).await;

    assert!(refused.contains("cannot be started here"), "{refused}");
    assert!(!machine.release(NEW).exists());
}

#[tokio::test]
async fn a_program_that_rots_on_the_card_is_not_started() {
    let machine = Machine::new().await;
    let manifest = machine.make(&Release::of(NEW)).await;
    machine.done(&["update", "apply", &manifest]).await;
    let running = machine.start_until_it_serves(1).await;
    machine.is_proven(NEW).await;
    drop(running);
    let program = machine.release(NEW).join("edge-agent");
    // Another file in its place: the killed program may not be gone yet.
    let mut rotten = fs::read(&program).unwrap();
    rotten[4_096] ^= 1;
    let copy = program.with_extension("rotten");
    fs::copy(&program, &copy).unwrap();
    fs::write(&copy, rotten).unwrap();
    fs::rename(copy, program).unwrap();

    let _running = machine.start_until_it_serves(1).await;

    assert_eq!(machine.running().await, "package");
}

/// Every place at which a step is done, by the command and by the two that start.
#[tokio::test]
async fn killed_at_any_step_of_an_update_an_agent_runs_and_the_update_can_go_on() {
    for point in ["fetched", "staged", "kept", "kept_before", "trial_set", "switched"] {
        let machine = Machine::new().await;
        machine.done(&["device", "add", "machine", "bike-1"]).await;
        let manifest = machine.make(&Release::of(NEW).with("--branch", 99)).await;

        let killed = machine.dying_at(point, &["update", "apply", &manifest]).await;
        let running = machine.start_until_it_serves(1).await;

        let was = machine.running().await;
        let expected = if point == "switched" { NEW } else { "package" };
        assert_eq!((killed.status.signal(), was.as_str()), (Some(9), expected), "{point}");
        drop(running);
        if was != NEW {
            machine.done(&["update", "apply", &manifest]).await;
        }
        let _running = machine.start_until_it_serves(1).await;
        machine.is_proven(NEW).await;
        assert_eq!(machine.running().await, NEW, "{point}");
        assert!(machine.done(&["device", "list"]).await.contains("bike-1"), "{point}");
    }
}

#[tokio::test]
async fn killed_while_it_proves_itself_a_release_gets_another_start() {
    for point in ["counted", "before_confirm", "confirmed"] {
        let machine = Machine::new().await;
        let manifest = machine.make(&Release::of(NEW)).await;
        machine.done(&["update", "apply", &manifest]).await;

        let killed = machine.start_dying_at(point).end().await;
        let _running = machine.start_until_it_serves(1).await;
        machine.is_proven(NEW).await;

        assert_eq!(
            (killed.signal(), machine.running().await),
            (Some(9), NEW.to_owned()),
            "{point}"
        );
    }
}

#[tokio::test]
async fn killed_at_any_step_of_the_way_back_the_former_release_runs() {
    for point in ["failed", "copied_back", "set_aside", "put_back", "taken_back"] {
        let machine = Machine::new().await;
        machine.done(&["device", "add", "machine", "bike-1"]).await;
        let release = Release::of(NEW).doing("exit 3").with("--branch", 99);
        machine.done(&["update", "apply", &machine.make(&release).await]).await;
        for _ in 0..3 {
            machine.start().end().await;
        }

        let killed = machine.start_dying_at(point).end().await;
        let _running = machine.start_until_it_serves(1).await;

        assert_eq!(killed.signal(), Some(9), "{point}");
        assert_eq!(machine.running().await, "package", "{point}");
        assert!(machine.done(&["device", "list"]).await.contains("bike-1"), "{point}");
    }
}

#[tokio::test]
async fn a_release_comes_over_the_network() {
    let machine = Machine::new().await;
    let manifest = machine.make(&Release::of(NEW).doing("exit 0")).await;
    let url = crate::agent::serve_files(machine.agent.folder().join("out")).await;
    let name = manifest.rsplit('/').next().unwrap();

    let told = machine.done(&["update", "check", &format!("{url}/{name}")]).await;
    machine.done(&["update", "apply", &format!("{url}/{name}")]).await;
    let missing = machine.refused(&["update", "apply", &format!("{url}/none.json")]).await;

    assert!(told.contains("0.1.0 runs, 0.2.0 can follow"), "{told}");
    assert!(machine.release(NEW).join("edge-agent").exists());
    assert!(missing.contains("404"), "{missing}");
}
