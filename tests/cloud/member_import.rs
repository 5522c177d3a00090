//! Members from a file: whole or not at all, and the second time nothing.

use crate::changes::ask;
use crate::edge::Scene;
use anyhow::Result;
use cloud_api::domains::members::import::{Progress, Report, import, try_import};
use cloud_api::domains::members::{self, Proof};
use std::fmt::Write;

const FILE: &str = "reference,display_name,email,branches,valid_from,valid_until,frozen,blocked,card_uids\n\
    K1,Ada L.,ada@example.com,,2026-01-01,,,,04DE5F1EACC040|0102030405060A\n\
    K2,Bob,,Centre,2026-01-01,2026-12-31,illness,,04DE5F1EACC041\n\
    K3,Cy,,Centre|North,2026-01-01,,,payment,\n";

async fn run(scene: &Scene, file: &str) -> Result<Report> {
    let app = &scene.api.app;
    let mut tx = app.db.begin().await?;
    let mut quiet = |_: Progress| {};
    let (organization, now) = (scene.gym.organization, app.clock.now());
    let report = import(&mut tx, organization, file.as_bytes(), now, &mut quiet).await?;
    tx.commit().await?;
    Ok(report)
}

fn counts(report: &Report) -> (usize, usize, usize, usize) {
    (report.created, report.changed, report.unchanged, report.cards_added)
}

#[tokio::test]
async fn the_same_file_twice_changes_nothing() -> Result<()> {
    let scene = Scene::open().await?;

    let first = run(&scene, FILE).await?;
    let version = ask(&scene, 0, 0).await?.to;
    let second = run(&scene, FILE).await?;

    assert_eq!(counts(&first), (3, 0, 0, 3));
    assert_eq!(counts(&second), (0, 0, 3, 0));
    assert_eq!(ask(&scene, version, 0).await?.to, version);
    Ok(())
}

#[tokio::test]
async fn what_the_file_says_anew_is_taken_over_and_told() -> Result<()> {
    let scene = Scene::open().await?;
    run(&scene, FILE).await?;
    let version = ask(&scene, 0, 0).await?.to;
    let file = FILE
        .replace("Ada L.", "Ada Lovelace")
        .replace("2026-12-31", "2027-12-31")
        .replace("payment,", ",04DE5F1EACC042");

    let report = run(&scene, &file).await?;

    assert_eq!(counts(&report), (0, 3, 0, 1));
    assert_eq!(ask(&scene, version, 0).await?.changes.len(), 4);
    let is_same = scene.count("SELECT count(*) FROM memberships").await?;
    assert_eq!(is_same, 3);
    Ok(())
}

#[tokio::test]
async fn a_column_that_is_missing_changes_nothing() -> Result<()> {
    let scene = Scene::open().await?;
    run(&scene, FILE).await?;

    let report = run(&scene, "reference;display_name\nK1;Ada L.\nK3;Cy\n").await?;

    assert_eq!(counts(&report), (0, 0, 2, 0));
    let blocked = "SELECT count(*) FROM members WHERE blocked_reason = 'payment'";
    assert_eq!(scene.count(blocked).await?, 1);
    Ok(())
}

#[tokio::test]
async fn a_file_with_an_error_changes_nothing_and_names_line_and_column() -> Result<()> {
    let scene = Scene::open().await?;
    run(&scene, FILE).await?;
    let file = "reference,display_name,card_uids\n\
                K9,Zoe,04DE5F1EACC040\n\
                K8,Yan,zz\n\
                K7,Xi,0499\n\
                K6,Wu,04DE5F1EACC050\n\
                K5,Vi,04DE5F1EACC050\n";

    let report = run(&scene, file).await?;

    let errors: Vec<_> = report.errors.iter().map(ToString::to_string).collect();
    let expected = [
        "line 2, card_uids: has a card of another member",
        "line 3, card_uids: is not hexadecimal",
        "line 4, card_uids: must have 4, 7 or 10 bytes",
        "line 6, card_uids: has a card of line 5",
    ];
    assert_eq!(errors, expected);
    assert_eq!(scene.count("SELECT count(*) FROM members").await?, 3);
    Ok(())
}

#[tokio::test]
async fn a_dry_run_says_the_same_and_writes_nothing() -> Result<()> {
    let scene = Scene::open().await?;
    let app = &scene.api.app;

    let dry = {
        let mut db = app.db.acquire().await?;
        try_import(&mut db, scene.gym.organization, FILE.as_bytes()).await?
    };

    assert_eq!(scene.count("SELECT count(*) FROM members").await?, 0);
    assert_eq!(run(&scene, FILE).await?, dry);
    Ok(())
}

#[tokio::test]
async fn a_card_that_staff_revoked_does_not_come_back_with_the_file() -> Result<()> {
    let scene = Scene::open().await?;
    run(&scene, FILE).await?;
    let (app, organization) = (scene.api.app.clone(), scene.gym.organization);
    let mut tx = app.db.begin().await?;
    let bob = members::by_number(&mut tx, 2).await?.expect("the second member");
    let card = members::credentials(&mut tx, bob.id).await?.remove(0);
    members::revoke_credential(&mut tx, organization, card.id, app.clock.now()).await?;
    tx.commit().await?;

    let report = run(&scene, FILE).await?;

    assert_eq!((counts(&report), report.cards_left_revoked), ((0, 0, 3, 0), 1));
    Ok(())
}

#[tokio::test]
async fn what_staff_added_at_the_desk_stays() -> Result<()> {
    let scene = Scene::open().await?;
    run(&scene, FILE).await?;
    let (app, organization) = (scene.api.app.clone(), scene.gym.organization);
    let (source, now) = (members::Source::Desk, app.clock.now());
    let mut tx = app.db.begin().await?;
    let ada = members::by_number(&mut tx, 1).await?.expect("the first member").id;
    let terms = crate::members::everywhere();
    members::add_membership(&mut tx, organization, ada, &terms, source, now).await?;
    let proof = Proof::NfcUid("04FFFFFFFFFF01".parse()?);
    members::add_credential(&mut tx, organization, ada, &proof, None, now).await?;
    tx.commit().await?;

    let report = run(&scene, FILE).await?;

    assert_eq!(counts(&report), (0, 0, 3, 0));
    let mut db = app.db.acquire().await?;
    assert_eq!(members::memberships(&mut db, ada).await?.len(), 2);
    assert_eq!(members::credentials(&mut db, ada).await?.len(), 3);
    Ok(())
}

#[tokio::test]
async fn fifty_thousand_members_with_cards_arrive_whole_at_both_branches() -> Result<()> {
    let scene = Scene::open().await?;
    let mut file = "reference,display_name,valid_from,card_uids\n".to_owned();
    for n in 0..50_000 {
        writeln!(file, "K{n},Member {n},2026-01-01,04{n:012x}")?;
    }
    let app = &scene.api.app;
    let mut steps = Vec::new();
    let mut tx = app.db.begin().await?;
    let mut progress = |step: Progress| steps.push((step.stage, step.done));
    let (organization, now) = (scene.gym.organization, app.clock.now());

    let report = import(&mut tx, organization, file.as_bytes(), now, &mut progress).await?;
    tx.commit().await?;

    assert_eq!(counts(&report), (50_000, 0, 0, 50_000));
    assert_eq!(steps.last(), Some(&("cards", 50_000)));
    assert!(steps.windows(2).all(|pair| pair[0].0 != pair[1].0 || pair[0].1 < pair[1].1));
    let told = "SELECT count(*) FROM branch_items WHERE kind = 4";
    assert_eq!(scene.count(told).await?, 200_000);
    let (mut from, mut items, mut pages) = (0, 0, 0);
    loop {
        let page = ask(&scene, from, 0).await?;
        items += page.changes.len();
        (from, pages) = (page.to, pages + 1);
        if !page.more {
            break;
        }
    }
    assert!(items >= 100_000 && pages > 5, "{items} items in {pages} pages");
    Ok(())
}
