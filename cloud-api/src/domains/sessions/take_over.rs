//! What staff did at a branch to things of which the cloud is the master: cards given out, members locked out or let in.

use crate::app::App;
use crate::domains::members;
use crate::http::Error;
use crate::ids::{BranchId, OrganizationId};
use protocol::sync::staff::Act;
use sqlx::{query, query_as};
use uuid::Uuid;

/// What branches tell of somebody who was locked out there; the words of the staff are kept with what they did.
const BLOCKED_AT_BRANCH: &str = "branch_staff";

struct Pending {
    edge_id: Uuid,
    epoch: i64,
    seq: i64,
    branch_id: Uuid,
    content: Vec<u8>,
}

/// Takes over what is pending, in the order of what was done.
pub async fn take_over(app: &App, organization: OrganizationId) -> anyhow::Result<()> {
    let pending = query_as!(
        Pending,
        r#"SELECT edge_id, epoch, seq, branch_id, content AS "content!" FROM staff_acts
         WHERE content IS NOT NULL
           AND branch_id IN (SELECT id FROM branches WHERE organization_id = $1)
         ORDER BY at, edge_id, epoch, seq LIMIT 1000"#,
        organization.0,
    );
    for act in pending.fetch_all(&app.db).await? {
        let mut tx = app.db.begin().await?;
        let now = app.clock.now();
        let done = match postcard::from_bytes::<Act>(&act.content)? {
            Act::EnrolCard { member, credential, kind } => {
                let ids = (member.into(), credential.into());
                members::adopt_card(&mut tx, organization, ids, &kind, now).await
            }
            Act::BlockMember { member } => {
                let reason = BLOCKED_AT_BRANCH.parse().map_err(anyhow::Error::from)?;
                members::set_blocked(&mut tx, organization, member.into(), Some(&reason), now)
                    .await
                    .map(drop)
            }
            Act::UnblockMember { member } => {
                members::set_blocked(&mut tx, organization, member.into(), None, now)
                    .await
                    .map(drop)
            }
            _ => Ok(()),
        };
        match done {
            Ok(()) => {}
            // The member is gone, or the card is somebody's already: staff hear of it, and the branch by its roster.
            Err(Error::NotFound | Error::Conflict(_)) => {
                let detail =
                    "What staff did at the branch to a card or a member could not be taken over.";
                let branch = BranchId(act.branch_id);
                crate::domains::activity::notice(&mut tx, branch, None, "act_refused", detail, now)
                    .await?;
            }
            Err(error) => return Err(anyhow::anyhow!("an act of staff: {error:?}")),
        }
        query!(
            "UPDATE staff_acts SET content = NULL WHERE edge_id = $1 AND epoch = $2 AND seq = $3",
            act.edge_id,
            act.epoch,
            act.seq,
        )
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
    }
    Ok(())
}
