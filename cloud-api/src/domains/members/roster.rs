//! What branches are told of members and their credentials. Every branch of the organization is told of all, so
//! that a door knows a member of another branch from a stranger.

use super::membership_store::{self, Told};
use super::model::CredentialKind;
use super::roster_store::{self, Carried, Person, Place};
use crate::domains::edges::registry_changed_all;
use crate::ids::{BranchId, CredentialId, MemberId, OrganizationId};
use anyhow::Context;
use protocol::sync::changes::Change;
use protocol::sync::roster::{
    CredentialKind as ToldKind, CredentialRecord, Member, Membership, RosterItem, RosterKind,
};
use sqlx::PgConnection;
use std::collections::HashMap;

/// Read and told at once, so that memory stays flat.
const AT_ONCE: usize = 2_000;
/// Those that last longest are told; staff cannot give a member more (`MAX_MEMBERSHIPS`).
const MAX_TOLD: usize = 16;

/// Tells all branches how members are now.
pub async fn tell_members(
    db: &mut PgConnection,
    organization: OrganizationId,
    members: &[MemberId],
) -> anyhow::Result<()> {
    let places = roster_store::places(db, organization).await?;
    tell_members_to(db, &places, members).await
}

/// Tells all branches how credentials are now.
pub async fn tell_credentials(
    db: &mut PgConnection,
    organization: OrganizationId,
    credentials: &[CredentialId],
) -> anyhow::Result<()> {
    let places = roster_store::places(db, organization).await?;
    tell_credentials_to(db, &places, credentials).await
}

/// Tells all branches one thing.
pub async fn tell_all(
    db: &mut PgConnection,
    organization: OrganizationId,
    change: &Change,
) -> anyhow::Result<()> {
    for place in roster_store::places(db, organization).await? {
        registry_changed_all(db, place.id, std::slice::from_ref(change)).await?;
    }
    Ok(())
}

/// Tells a new branch of everybody; the caller holds the organization alone.
pub async fn tell_branch(
    db: &mut PgConnection,
    organization: OrganizationId,
    branch: BranchId,
    time_zone: &str,
) -> anyhow::Result<()> {
    let place = [Place { id: branch, time_zone: time_zone.to_owned() }];
    let members = roster_store::all_members(db, organization).await?;
    tell_members_to(db, &place, &members).await?;
    let credentials = roster_store::all_credentials(db, organization).await?;
    tell_credentials_to(db, &place, &credentials).await
}

/// A member as one branch knows them.
pub async fn as_told(
    db: &mut PgConnection,
    branch: BranchId,
    time_zone: &str,
    member: MemberId,
) -> anyhow::Result<Option<Member>> {
    let person = roster_store::people(db, &[member]).await?.pop();
    let Some(person) = person.filter(|person| !person.is_removed) else { return Ok(None) };
    let told = membership_store::told(db, branch, time_zone, &[member]).await?;
    let memberships = by_member(told).remove(&person.id).unwrap_or_default();
    Ok(Some(record(&person, memberships)))
}

async fn tell_members_to(
    db: &mut PgConnection,
    places: &[Place],
    members: &[MemberId],
) -> anyhow::Result<()> {
    for some in members.chunks(AT_ONCE) {
        let people = roster_store::people(db, some).await?;
        for place in places {
            let told = membership_store::told(db, place.id, &place.time_zone, some).await?;
            let mut memberships = by_member(told);
            let changes: Vec<_> = people
                .iter()
                .map(|person| change(person, memberships.remove(&person.id).unwrap_or_default()))
                .collect();
            registry_changed_all(db, place.id, &changes).await?;
        }
    }
    Ok(())
}

async fn tell_credentials_to(
    db: &mut PgConnection,
    places: &[Place],
    credentials: &[CredentialId],
) -> anyhow::Result<()> {
    for some in credentials.chunks(AT_ONCE) {
        let keys = roster_store::keys(db, some).await?;
        let changes: Vec<_> = keys.into_iter().map(key_change).collect::<anyhow::Result<_>>()?;
        for place in places {
            registry_changed_all(db, place.id, &changes).await?;
        }
    }
    Ok(())
}

fn by_member(told: Vec<Told>) -> HashMap<MemberId, Vec<Membership>> {
    let mut memberships: HashMap<_, Vec<_>> = HashMap::new();
    for one in told {
        let of_member = memberships.entry(one.member_id).or_default();
        if of_member.len() < MAX_TOLD {
            of_member.push(Membership {
                here: one.here,
                valid_from_ms: one.valid_from_ms,
                valid_until_ms: one.valid_until_ms,
                frozen: one.frozen,
                windows: one.windows.iter().map(super::AccessWindow::told).collect(),
            });
        }
    }
    memberships
}

fn change(person: &Person, memberships: Vec<Membership>) -> Change {
    if person.is_removed {
        return RosterKind::Member.removed(person.id.0);
    }
    RosterItem::Member(record(person, memberships)).change()
}

fn record(person: &Person, memberships: Vec<Membership>) -> Member {
    Member {
        id: person.id.into(),
        member_no: person.member_no.unsigned_abs(),
        display_name: person.display_name.clone(),
        blocked: person.blocked_reason.clone(),
        memberships,
    }
}

fn key_change(key: Carried) -> anyhow::Result<Change> {
    if key.is_revoked {
        return Ok(RosterKind::Credential.removed(key.id.0));
    }
    let uid_hash = || {
        let hash = key.uid_hash.as_deref().and_then(|hash| hash.try_into().ok());
        hash.context("a card has no hash")
    };
    let kind = match key.kind {
        CredentialKind::NfcUid => ToldKind::NfcUid { uid_hash: uid_hash()? },
        CredentialKind::Sun => ToldKind::Sun { uid_hash: uid_hash()? },
        CredentialKind::Phone => {
            ToldKind::Phone { public_key: key.public_key.context("a phone has no key")? }
        }
    };
    let (id, member, enabled) = (key.id.into(), key.member_id.into(), key.enabled);
    Ok(RosterItem::Credential(CredentialRecord { id, member, kind, enabled }).change())
}
