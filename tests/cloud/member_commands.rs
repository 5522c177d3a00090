//! `admin` commands for members, cards, settings and files; and the members of `seed`.

use anyhow::{Context, Result};
use protocol::credential::qr;
use serde_json::Value;
use std::fs;
use tempfile::TempDir;
use tests::cloud::Cloud;
use tests::db::Db;

/// An organization with one branch.
struct Desk {
    cloud: Cloud,
    folder: TempDir,
    // Goes away last.
    _db: Db,
}

impl Desk {
    async fn open() -> Result<Self> {
        let (db, folder) = (Db::new().await?, tempfile::tempdir()?);
        let cloud = Cloud::over(&db.url(), folder.path())?;
        let desk = Self { cloud, folder, _db: db };
        desk.json(&["create-org", "Gym"]).await?;
        desk.json(&["create-branch", "Centre", "--time-zone", "Europe/Berlin"]).await?;
        Ok(desk)
    }

    async fn json(&self, arguments: &[&str]) -> Result<Value> {
        let printed = self.cloud.admin(&[arguments, &["--json"]].concat()).await?;
        Ok(serde_json::from_str(&printed)?)
    }

    /// What an `admin` command that fails says.
    async fn refused(&self, arguments: &[&str]) -> Result<String> {
        let refused = self.cloud.admin(arguments).await.err().context("it was not refused")?;
        Ok(format!("{refused:#}"))
    }
}

#[tokio::test]
async fn admin_makes_a_member_with_a_card_and_keeps_them_out_and_lets_them_in() -> Result<()> {
    let desk = Desk::open().await?;

    let member = desk.json(&["create-member", "Ada", "--reference", "K1"]).await?;
    let no = member["member_no"].to_string();
    let card = desk.json(&["add-card", &no, "04:DE:5F:1E:AC:C0:40"]).await?;
    let blocked = desk.json(&["block-member", &no, "--reason", "payment"]).await?;
    let unblocked = desk.json(&["unblock-member", &no]).await?;
    let id = card["id"].as_str().context("no id")?;
    let off = desk.json(&["disable-credential", &no, id]).await?;
    let shown = desk.json(&["show-member", &no]).await?;
    desk.cloud.admin(&["remove-member", &no]).await?;

    assert_eq!(blocked["blocked_reason"], "payment");
    assert!(unblocked["blocked_reason"].is_null());
    assert_eq!(off["enabled"], false);
    assert_eq!(shown["memberships"][0]["branch_ids"], Value::Null);
    assert_eq!(shown["credentials"][0]["kind"], "nfc_uid");
    assert!(!shown.to_string().to_lowercase().contains("04de5f"));
    assert!(desk.refused(&["show-member", &no]).await?.contains("there is no member"));
    Ok(())
}

#[tokio::test]
async fn a_card_that_somebody_has_is_refused_without_repeating_its_number() -> Result<()> {
    let desk = Desk::open().await?;
    for name in ["Ada", "Bob"] {
        desk.json(&["create-member", name]).await?;
    }
    desk.json(&["add-card", "1", "04DE5F1EACC040"]).await?;

    let said = desk.refused(&["add-card", "2", "04DE5F1EACC040"]).await?;

    assert!(said.contains("somebody's already"), "{said}");
    Ok(())
}

#[tokio::test]
async fn a_branch_is_set_and_wrong_settings_are_named() -> Result<()> {
    let desk = Desk::open().await?;
    let hours = r#"{"mon":[["06:00","23:00"]]}"#;

    let set = desk.json(&["set-branch", "--opening-hours", hours, "--grace-days", "3"]).await?;
    let reset = desk.json(&["set-branch", "--reset", "grace_days"]).await?;

    assert_eq!(set["settings"]["grace_days"], 3);
    assert_eq!(
        reset["settings"],
        serde_json::json!({"opening_hours": {"mon": [["06:00", "23:00"]]}})
    );
    let said = desk.refused(&["set-branch", "--opening-hours", r#"{"moonday":[]}"#]).await?;
    assert!(said.contains("opening_hours") && said.contains("moonday"), "{said}");
    let said = desk.refused(&["set-branch", "--holidays", "tomorrow"]).await?;
    assert!(said.contains("--holidays is no JSON"), "{said}");
    Ok(())
}

#[tokio::test]
async fn a_file_is_tried_imported_and_its_errors_are_listed() -> Result<()> {
    let desk = Desk::open().await?;
    let path = desk.folder.path().join("members.csv");
    let file = path.to_str().context("no text")?;
    fs::write(&path, "reference,display_name,card_uids\nK1,Ada,04DE5F1EACC040\n")?;

    let dry = desk.json(&["import-members", file, "--dry-run"]).await?;
    let real = desk.json(&["import-members", file]).await?;
    let again = desk.json(&["import-members", file]).await?;

    assert_eq!(dry, real);
    assert_eq!((&real["created"], &again["unchanged"]), (&1.into(), &1.into()));
    fs::write(&path, "reference,display_name,card_uids\nK2,Bob,zz\n")?;
    let said = desk.refused(&["import-members", file]).await?;
    assert!(said.contains("1 errors, nothing was changed"), "{said}");
    Ok(())
}

#[tokio::test]
async fn codes_are_signed_for_the_member_and_differ() -> Result<()> {
    let desk = Desk::open().await?;
    desk.json(&["create-member", "Ada"]).await?;

    let printed =
        desk.cloud.admin(&["issue-qr", "1", "--count", "3", "--branch", "Centre"]).await?;

    let codes: Vec<_> = printed.lines().map(qr::parse).collect::<Result<_, _>>()?;
    assert_eq!(codes.len(), 3);
    assert!(codes.iter().all(|code| (code.member_no, code.site_no) == (1, 1)));
    assert!(codes[0].nonce != codes[1].nonce && codes[1].nonce != codes[2].nonce);
    Ok(())
}

#[tokio::test]
async fn keys_of_cards_are_shown_and_replaced() -> Result<()> {
    let desk = Desk::open().await?;
    let path = desk.folder.path().join("keys.json");
    let keys = format!(
        r#"{{"meta":"{}","file_master":"{}","diversify":"none"}}"#,
        "1".repeat(32),
        "2".repeat(32)
    );
    fs::write(&path, &keys)?;

    let made = desk.cloud.admin(&["sun-keys", "show"]).await?;
    desk.cloud.admin(&["sun-keys", "set", path.to_str().context("no text")?]).await?;
    let set = desk.cloud.admin(&["sun-keys", "show"]).await?;

    assert!(made.contains("an10922"));
    assert_eq!(set.trim(), keys);
    fs::write(&path, r#"{"meta":"00ff"}"#)?;
    let said = desk.refused(&["sun-keys", "set", path.to_str().context("no text")?]).await?;
    assert!(said.contains("file_master") && !said.contains("00ff"), "{said}");
    Ok(())
}

#[tokio::test]
async fn the_demo_has_members_of_every_kind_with_what_it_takes_to_play_them() -> Result<()> {
    let (db, folder) = (Db::new().await?, tempfile::tempdir()?);
    let cloud = Cloud::over(&db.url(), folder.path())?;

    let seeded: Value = serde_json::from_str(&cloud.run(&["seed", "--json"]).await?)?;

    let members = seeded["members"].as_array().context("no members")?;
    let count =
        |field: &str, value: &str| members.iter().filter(|member| member[field] == value).count();
    assert_eq!((count("expected", "granted"), count("expected", "blocked")), (36, 1));
    assert_eq!((count("credential", "sun"), count("credential", "phone")), (6, 6));
    let has_proof = |member: &&Value| {
        let proof = if member["credential"] == "phone" { "phone_private_key" } else { "card_uid" };
        member[proof].is_string() && member["qr_codes"].as_array().is_some_and(|all| all.len() == 5)
    };
    assert_eq!(members.iter().filter(has_proof).count(), 40);
    let keys = seeded["sun_keys"].to_string();
    assert!(protocol::credential::sun::SunKeys::parse(&keys).is_ok_and(|keys| keys.is_some()));
    Ok(())
}
