//! Accounts over a registry in memory.

use super::*;
use crate::ops::clock::Clock;
use protocol::time::Stamp;
use std::net::{IpAddr, Ipv4Addr};

const HOME: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
const CHEAP: Cost = Cost { memory_kib: 8, passes: 1 };
const NOW: Stamp = Stamp { boot: 1, mono_ms: 1_000, wall_ms: 1_795_000_000_000, synced: true };

struct Branch {
    accounts: Accounts,
    clock: Clock,
    folder: tempfile::TempDir,
}

fn secret(text: &str) -> Zeroizing<String> {
    Zeroizing::new(text.to_owned())
}

async fn open(folder: &std::path::Path, clock: &Clock) -> Accounts {
    let registry = Registry::open(folder, clock).await.unwrap().registry;
    Accounts::open(registry, clock.clone(), &Config::default(), CHEAP).await.unwrap()
}

impl Branch {
    async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::manual(NOW);
        let accounts = open(folder.path(), &clock).await;
        Self { accounts, clock, folder }
    }

    async fn with_ada() -> Self {
        let branch = Self::open().await;
        let password = Some(secret("a quiet harbour town"));
        branch.accounts.add("Ada", Role::Manager, password, None).await.unwrap();
        branch
    }

    async fn sign_in(&self, name: &str, password: &str) -> Result<SignedIn, SignInRefused> {
        self.accounts.sign_in(name, secret(password), HOME).await
    }
}

#[tokio::test]
async fn who_has_the_password_signs_in_whatever_the_case_of_the_name() {
    let branch = Branch::with_ada().await;

    let signed_in = branch.sign_in(" ADA ", "a quiet harbour town").await.unwrap();

    let who = branch.accounts.who(&signed_in.token, true).await.unwrap();
    assert_eq!((who.name.as_str(), who.role), ("Ada", Role::Manager));
    assert!(matches!(branch.sign_in("ada", "other").await, Err(SignInRefused::Wrong)));
    assert!(matches!(
        branch.sign_in("eve", "a quiet harbour town").await,
        Err(SignInRefused::Wrong)
    ));
}

#[tokio::test]
async fn failures_outlive_a_restart() {
    let branch = Branch::with_ada().await;
    for _ in 0..5 {
        branch.sign_in("ada", "wrong").await.err().unwrap();
    }

    let again = open(branch.folder.path(), &branch.clock).await;

    let refused = again.sign_in("ada", secret("a quiet harbour town"), HOME).await;
    assert!(matches!(refused, Err(SignInRefused::Wait { wait_s: 5 })));
}

#[tokio::test]
async fn a_right_password_after_the_wait_forgives() {
    let branch = Branch::with_ada().await;
    for _ in 0..5 {
        branch.sign_in("ada", "wrong").await.err().unwrap();
    }
    assert!(matches!(
        branch.sign_in("ada", "a quiet harbour town").await,
        Err(SignInRefused::Wait { .. })
    ));

    branch.clock.set(Stamp { mono_ms: 6_001, ..NOW });
    branch.sign_in("ada", "a quiet harbour town").await.unwrap();

    assert!(matches!(branch.sign_in("ada", "wrong").await, Err(SignInRefused::Wrong)));
}

#[tokio::test]
async fn signing_in_often_is_no_failure() {
    let branch = Branch::with_ada().await;
    for _ in 0..60 {
        branch.sign_in("ada", "a quiet harbour town").await.unwrap();
    }
}

#[tokio::test]
async fn sessions_outlive_a_restart_of_the_agent() {
    let branch = Branch::with_ada().await;
    let signed_in = branch.sign_in("ada", "a quiet harbour town").await.unwrap();

    let again = open(branch.folder.path(), &branch.clock).await;

    assert!(again.who(&signed_in.token, true).await.is_some());
}

#[tokio::test]
async fn another_password_ends_the_sessions_but_the_one_that_changed_it() {
    let branch = Branch::with_ada().await;
    let here = branch.sign_in("ada", "a quiet harbour town").await.unwrap();
    let there = branch.sign_in("ada", "a quiet harbour town").await.unwrap();

    let password = Some(secret("a new long one"));
    branch.accounts.reset("ada", password, Some(here.caller.session)).await.unwrap();

    assert!(branch.accounts.who(&here.token, true).await.is_some());
    assert!(branch.accounts.who(&there.token, true).await.is_none());
    branch.sign_in("ada", "a new long one").await.unwrap();
}

#[tokio::test]
async fn the_last_manager_is_not_lost_by_a_click() {
    let branch = Branch::with_ada().await;
    let signed_in = branch.sign_in("ada", "a quiet harbour town").await.unwrap();
    branch.accounts.add("Bob", Role::Reception, None, None).await.unwrap();

    let removed = branch.accounts.remove("ada", false).await.unwrap_err();
    let demoted = branch.accounts.set_role("ada", Role::Trainer).await.unwrap_err();
    branch.accounts.set_role("bob", Role::Manager).await.unwrap();
    branch.accounts.remove("ada", false).await.unwrap();

    assert!(removed.to_string().contains("only manager"));
    assert!(demoted.to_string().contains("only manager"));
    assert!(branch.accounts.who(&signed_in.token, true).await.is_none());
    assert_eq!(branch.accounts.list().len(), 1);
}

#[tokio::test]
async fn names_are_taken_once_and_have_a_shape() {
    let branch = Branch::with_ada().await;

    for name in ["ADA", "x", "a\u{7}b", &"n".repeat(61)] {
        assert!(branch.accounts.add(name, Role::Trainer, None, None).await.is_err(), "{name}");
    }
}
