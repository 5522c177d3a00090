//! Members: what is told to the doors of their gym, and what is kept of their cards.

use crate::changes::ask;
use crate::edge::{Edge, Scene};
use anyhow::{Context, Result};
use cloud_api::domains::members::{self, AccessWindow, Member, NewMember, Proof, Source, Terms};
use cloud_api::domains::{branches, organizations};
use cloud_api::events as bus;
use cloud_api::http::Error;
use cloud_api::ids::{BranchId, MemberId};
use protocol::sync::changes::Change;
use protocol::sync::roster::{CredentialKind, RosterItem, RosterKind};
use sqlx::PgConnection;
use std::collections::BTreeMap;
use time::macros::date;
use tokio::task::JoinSet;

/// A card that nobody has.
const UID: &str = "04DE5F1EACC040";

pub fn new_member(name: &str) -> NewMember {
    NewMember {
        display_name: name.parse().expect("a name"),
        reference: None,
        email: None,
        source: Source::Desk,
    }
}

/// All branches, from a day on.
pub fn everywhere() -> Terms {
    let (branches, windows) = (None, Vec::new());
    Terms { branches, valid_from: date!(2026 - 01 - 01), valid_until: None, windows }
}

fn at(branch: BranchId) -> Terms {
    Terms { branches: Some(vec![branch]), ..everywhere() }
}

fn card(uid: &str) -> Proof {
    Proof::NfcUid(uid.parse().expect("a card number"))
}

/// A member with some right.
async fn join(scene: &Scene, name: &str, terms: &Terms) -> Result<Member> {
    let now = scene.api.app.clock.now();
    let mut tx = scene.api.app.db.begin().await?;
    let organization = scene.gym.organization;
    let member = members::create(&mut tx, organization, &new_member(name), now).await?;
    members::add_membership(&mut tx, organization, member.id, terms, Source::Desk, now).await?;
    tx.commit().await?;
    Ok(member)
}

/// Does something in a transaction of its own.
macro_rules! write {
    ($scene:expr, $call:ident($($argument:expr),*)) => {{
        let mut tx = $scene.api.app.db.begin().await?;
        let done = members::$call(&mut tx, $scene.gym.organization, $($argument),*).await;
        tx.commit().await?;
        done
    }};
}

/// What an edge that heard everything holds, by kind and id.
type Roster = BTreeMap<(u8, [u8; 16]), Vec<u8>>;

fn apply(roster: &mut Roster, changes: Vec<Change>) {
    for change in changes {
        if let Change::Roster { kind, id, item } = change {
            if item.is_empty() {
                roster.remove(&(kind, id));
            } else {
                roster.insert((kind, id), item);
            }
        }
    }
}

/// Everything from a version on, page by page; the version and the number of pages.
async fn hear(scene: &Scene, roster: &mut Roster, mut from: u64) -> Result<(u64, usize)> {
    for pages in 1.. {
        let page = ask(scene, from, 0).await?;
        if page.reset {
            roster.clear();
        }
        apply(roster, page.changes);
        from = page.to;
        if !page.more {
            return Ok((from, pages));
        }
    }
    unreachable!("pages end")
}

/// Roster items of an answer.
fn items(changes: &[Change]) -> Vec<RosterItem> {
    let items = changes.iter().filter_map(|change| match change {
        Change::Roster { kind, item, .. } => RosterItem::decode(*kind, item).ok(),
        _ => None,
    });
    items.collect()
}

fn member_of(changes: &[Change]) -> Result<protocol::sync::roster::Member> {
    let found = items(changes).into_iter().rev().find_map(|item| match item {
        RosterItem::Member(member) => Some(member),
        _ => None,
    });
    found.context("no member was told")
}

#[tokio::test]
async fn a_waiting_door_hears_of_every_change_at_once() -> Result<()> {
    let scene = Scene::open().await?;
    let (app, now) = (scene.api.app.clone(), scene.api.app.clock.now());
    let mut tasks = JoinSet::new();
    let mut heard = app.bus.subscribe();
    tasks.spawn(bus::run(app.bus.clone(), app.db.clone(), app.stop.clone()));
    heard.recv().await?;
    let member = join(&scene, "Ada", &everywhere()).await?.id;
    let reason = "payment".parse()?;
    let mut version = ask(&scene, 0, 0).await?.to;

    macro_rules! heard {
        ($call:ident($($argument:expr),*)) => {{
            let work = async { anyhow::Ok(write!(scene, $call($($argument),*))?) };
            let (told, done) = tokio::join!(ask(&scene, version, 25), work);
            let told = told?;
            version = told.to;
            (told.changes, done?)
        }};
    }

    let (told, _) = heard!(set_blocked(member, Some(&reason), now));
    assert_eq!(member_of(&told)?.blocked.as_deref(), Some("payment"));
    let (told, _) = heard!(set_blocked(member, None, now));
    assert_eq!(member_of(&told)?.blocked, None);
    let (told, membership) =
        heard!(add_membership(member, &at(scene.gym.other.id), Source::Desk, now));
    assert_eq!(member_of(&told)?.memberships.len(), 2);
    let (told, _) = heard!(set_frozen(membership.id, Some(&reason), now));
    assert!(member_of(&told)?.memberships.iter().any(|one| one.frozen && !one.here));
    let (told, ()) = heard!(end_membership(membership.id));
    assert_eq!(member_of(&told)?.memberships.len(), 1);
    let (told, credential) = heard!(add_credential(member, &card(UID), None, now));
    assert_eq!(items(&told).len(), 1);
    let (told, _) = heard!(set_credential_enabled(credential.id, false));
    assert!(matches!(&items(&told)[..], [RosterItem::Credential(record)] if !record.enabled));
    let (told, ()) = heard!(revoke_credential(credential.id, now));
    assert_eq!(told, [RosterKind::Credential.removed(credential.id.0)]);
    let (told, ()) = heard!(remove(member, now));
    assert_eq!(told, [RosterKind::Member.removed(member.0)]);
    assert_eq!(version, ask(&scene, version, 0).await?.to);
    Ok(())
}

#[tokio::test]
async fn each_branch_is_told_whether_a_membership_counts_there() -> Result<()> {
    let scene = Scene::open().await?;
    let other = Edge::enrol(&scene.api, scene.gym.other.id).await?;

    join(&scene, "Ada", &at(scene.gym.other.id)).await?;

    let here = member_of(&ask(&scene, 0, 0).await?.changes)?;
    let scene = Scene { edge: other, ..scene };
    let there = member_of(&ask(&scene, 0, 0).await?.changes)?;
    assert_eq!((here.memberships[0].here, there.memberships[0].here), (false, true));
    assert_eq!((here.id, here.member_no), (there.id, there.member_no));
    Ok(())
}

#[tokio::test]
async fn days_begin_and_end_by_the_clock_of_the_branch() -> Result<()> {
    let scene = Scene::open().await?;
    let now = scene.api.app.clock.now();
    let mut tx = scene.api.app.db.begin().await?;
    let tokyo = branches::open(&mut tx, scene.gym.organization, "Tokyo", "Asia/Tokyo", now).await?;
    tx.commit().await?;
    let edge = Edge::enrol(&scene.api, tokyo.id).await?;
    let until = Some(date!(2026 - 12 - 31));
    let window = AccessWindow {
        days: vec![members::Day::Mon],
        from: "06:00".parse()?,
        until: "16:00".parse()?,
    };
    let terms = Terms { valid_until: until, windows: vec![window], ..everywhere() };

    join(&scene, "Ada", &terms).await?;

    let utc = member_of(&ask(&scene, 0, 0).await?.changes)?.memberships.remove(0);
    let scene = Scene { edge, ..scene };
    let japan = member_of(&ask(&scene, 0, 0).await?.changes)?.memberships.remove(0);
    let hours = 9 * 3_600_000;
    assert_eq!(utc.valid_from_ms, 1_767_225_600_000);
    assert_eq!(utc.valid_until_ms, Some(1_798_761_600_000));
    assert_eq!(japan.valid_from_ms, utc.valid_from_ms - hours);
    assert_eq!(japan.valid_until_ms, utc.valid_until_ms.map(|ms| ms - hours));
    assert_eq!((utc.windows[0].days, utc.windows[0].from_min), (1, 360));
    Ok(())
}

#[tokio::test]
async fn a_new_branch_is_told_of_everybody_who_is_there() -> Result<()> {
    let scene = Scene::open().await?;
    let now = scene.api.app.clock.now();
    let member = join(&scene, "Ada", &everywhere()).await?.id;
    write!(scene, add_credential(member, &card(UID), None, now))?;
    let gone = join(&scene, "Bob", &everywhere()).await?.id;
    write!(scene, remove(gone, now))?;
    scene.gym.token(&scene.api, cloud_api::domains::accounts::Role::Admin, &[]).await?;

    let mut tx = scene.api.app.db.begin().await?;
    let branch = branches::open(&mut tx, scene.gym.organization, "South", "UTC", now).await?;
    tx.commit().await?;

    let edge = Edge::enrol(&scene.api, branch.id).await?;
    let scene = Scene { edge, ..scene };
    let told = items(&ask(&scene, 0, 0).await?.changes);
    let kinds: Vec<_> = told.iter().map(RosterItem::kind).collect();
    assert_eq!(kinds, [RosterKind::Member, RosterKind::Credential, RosterKind::Staff]);
    Ok(())
}

#[tokio::test]
async fn a_snapshot_says_what_the_increments_said() -> Result<()> {
    let scene = Scene::open().await?;
    let now = scene.api.app.clock.now();
    let mut increments = Roster::new();
    let (mut version, _) = hear(&scene, &mut increments, 0).await?;
    let mut people: Vec<MemberId> = Vec::new();
    for n in 0..20_u8 {
        people.push(join(&scene, &format!("Member {n}"), &at(scene.gym.branch.id)).await?.id);
        let uid = format!("040102030405{n:02x}");
        let credential =
            write!(scene, add_credential(people[usize::from(n)], &card(&uid), None, now))?;
        match n % 4 {
            0 => write!(scene, revoke_credential(credential.id, now))?,
            1 => write!(scene, remove(people[usize::from(n / 2)], now)).or_else(gone)?,
            _ => {}
        }
        (version, _) = hear(&scene, &mut increments, version).await?;
    }

    let mut snapshot = Roster::new();
    hear(&scene, &mut snapshot, 0).await?;

    assert!(snapshot.len() > 20);
    assert_eq!(snapshot, increments);
    Ok(())
}

/// Removed before.
fn gone(error: Error) -> Result<(), Error> {
    if matches!(error, Error::NotFound) { Ok(()) } else { Err(error) }
}

#[tokio::test]
async fn two_who_change_one_member_leave_the_door_with_both_changes() -> Result<()> {
    let scene = Scene::open().await?;
    let (app, now) = (scene.api.app.clone(), scene.api.app.clock.now());
    let (member, organization) =
        (join(&scene, "Ada", &everywhere()).await?.id, scene.gym.organization);
    let reason = "payment".parse()?;

    let mut first = app.db.begin().await?;
    members::set_blocked(&mut first, organization, member, Some(&reason), now).await?;
    let second = async {
        let mut tx = app.db.begin().await?;
        let terms = everywhere();
        members::add_membership(&mut tx, organization, member, &terms, Source::Desk, now).await?;
        anyhow::Ok(tx.commit().await?)
    };
    let (committed, added) = tokio::join!(first.commit(), second);

    committed?;
    added?;
    let told = member_of(&ask(&scene, 0, 0).await?.changes)?;
    assert_eq!((told.blocked.as_deref(), told.memberships.len()), (Some("payment"), 2));
    Ok(())
}

#[tokio::test]
async fn a_member_number_is_never_given_again() -> Result<()> {
    let scene = Scene::open().await?;
    let first = join(&scene, "Ada", &everywhere()).await?;
    write!(scene, remove(first.id, scene.api.app.clock.now()))?;

    let second = join(&scene, "Ada", &everywhere()).await?;

    assert!(second.member_no > first.member_no);
    Ok(())
}

#[tokio::test]
async fn a_card_is_one_members_until_it_is_revoked() -> Result<()> {
    let scene = Scene::open().await?;
    let now = scene.api.app.clock.now();
    let ada = join(&scene, "Ada", &everywhere()).await?.id;
    let bob = join(&scene, "Bob", &everywhere()).await?.id;
    let credential = write!(scene, add_credential(ada, &card(UID), None, now))?;

    let refused = {
        let mut tx = scene.api.app.db.begin().await?;
        let organization = scene.gym.organization;
        members::add_credential(&mut tx, organization, bob, &card(UID), None, now).await
    };

    assert!(matches!(refused, Err(Error::Conflict("credential_taken"))), "{refused:?}");
    write!(scene, revoke_credential(credential.id, now))?;
    assert!(write!(scene, add_credential(bob, &card(UID), None, now)).is_ok());
    Ok(())
}

#[tokio::test]
async fn a_membership_at_a_branch_of_others_is_refused() -> Result<()> {
    let scene = Scene::open().await?;
    let foreign = crate::gym::Gym::open(&scene.api, "Others").await?.branch.id;
    let member = join(&scene, "Ada", &everywhere()).await?.id;
    let now = scene.api.app.clock.now();

    let refused = write!(scene, add_membership(member, &at(foreign), Source::Desk, now));

    assert!(matches!(refused, Err(Error::Field { field: "branch_ids", .. })), "{refused:?}");
    let mut db = scene.api.app.db.acquire().await?;
    let of_others = cloud_api::ids::OrganizationId::new();
    assert!(members::by_id(&mut db, of_others, member).await.is_err());
    Ok(())
}

/// Every row of every table as text.
async fn everything(db: &mut PgConnection) -> Result<String> {
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public' ORDER BY 1",
    )
    .fetch_all(&mut *db)
    .await?;
    let mut rows = String::new();
    for table in tables {
        let sql = sqlx::AssertSqlSafe(format!("SELECT row_to_json(t)::text FROM {table} AS t"));
        let texts: Vec<String> = sqlx::query_scalar(sql).fetch_all(&mut *db).await?;
        rows.extend(texts);
    }
    Ok(rows.to_lowercase())
}

#[tokio::test]
async fn of_a_card_the_database_has_only_a_hash_under_the_key_of_the_organization() -> Result<()> {
    let scene = Scene::open().await?;
    let member = join(&scene, "Ada", &everywhere()).await?.id;
    write!(scene, add_credential(member, &card(UID), None, scene.api.app.clock.now()))?;

    let told = items(&ask(&scene, 0, 0).await?.changes);
    let mut db = scene.api.app.db.acquire().await?;
    let key = organizations::credential_key(&mut db, scene.gym.organization).await?;

    assert!(!everything(&mut db).await?.contains(&UID.to_lowercase()));
    let uid_hash = protocol::credential::uid_hash(&key, &hex::decode(UID)?);
    let is_told = told.iter().any(|item| {
        matches!(item, RosterItem::Credential(record)
            if record.kind == CredentialKind::NfcUid { uid_hash })
    });
    assert!(is_told);
    db.close().await?;
    Ok(())
}

#[tokio::test]
async fn keys_of_cards_are_told_in_plain_and_kept_sealed() -> Result<()> {
    let scene = Scene::open().await?;
    let keys = organizations::SunKeys::generate()?;
    let mut tx = scene.api.app.db.begin().await?;
    let secrets = &scene.api.app.secrets;
    organizations::set_sun_keys(&mut tx, secrets, scene.gym.organization, &keys).await?;
    let now = scene.api.app.clock.now();
    let later = branches::open(&mut tx, scene.gym.organization, "South", "UTC", now).await?.id;
    tx.commit().await?;

    let edge = Edge::enrol(&scene.api, later).await?;
    let in_old = ask(&scene, 0, 0).await?.changes;
    let scene = Scene { edge, ..scene };
    let in_new = ask(&scene, 0, 0).await?.changes;

    let setting = Change::Setting { key: "sun_keys".to_owned(), value: keys.expose().to_owned() };
    assert!(in_old.contains(&setting) && in_new.contains(&setting));
    let json: serde_json::Value = serde_json::from_str(keys.expose())?;
    let mut db = scene.api.app.db.acquire().await?;
    let kept = everything(&mut db).await?;
    for secret in ["meta", "file_master"] {
        assert!(!kept.contains(json[secret].as_str().context(secret)?), "{secret}");
    }
    Ok(())
}

#[tokio::test]
async fn a_setting_is_checked_told_and_put_back() -> Result<()> {
    let scene = Scene::open().await?;
    let (app, branch) = (scene.api.app.clone(), scene.gym.branch.id);
    let before = ask(&scene, 0, 0).await?.to;
    let set = async |key, value: Option<serde_json::Value>| {
        let mut tx = app.db.begin().await?;
        branches::set(&mut tx, branch, key, value.as_ref(), app.clock.now()).await?;
        Ok::<_, Error>(tx.commit().await?)
    };

    let refused = set("grace_days", Some(400.into())).await;
    set("anti_passback", Some("deny".into())).await?;
    set("door_open_ms", Some(5_000.into())).await?;
    set("door_open_ms", None).await?;

    assert!(matches!(refused, Err(Error::Field { field: "grace_days", .. })), "{refused:?}");
    let told = ask(&scene, before, 0).await?.changes;
    let expected = [
        Change::Setting { key: "anti_passback".to_owned(), value: "\"deny\"".to_owned() },
        Change::SettingRemoved("door_open_ms".to_owned()),
    ];
    assert_eq!(told, expected);
    let kept = branches::settings(&mut *app.db.acquire().await?, branch).await?;
    assert_eq!(kept.keys().collect::<Vec<_>>(), ["anti_passback"]);
    Ok(())
}
