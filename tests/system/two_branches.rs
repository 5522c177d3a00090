//! Two agents and one cloud: members who are inside at two branches, in the app and at the door at once, while one branch is
//! cut off and comes back late. In the end the cloud has what all facts come to, and each branch agrees with it.

use crate::refold::settled;
use anyhow::{Result, ensure};
use cloud_api::domains::sessions::Wanted;
use cloud_api::ids::MemberId;
use protocol::credential::Credential;
use protocol::ids::{SessionId, TapId};
use protocol::mqtt::payloads::tap_json;
use protocol::rules::State;
use sqlx::PgPool;
use std::collections::BTreeMap;
use std::time::Duration;
use tests::chaos::ChaosLink;
use tests::edge::Edge;
use tests::metrics::SESSIONS;
use tests::mqtt::Login;
use tests::scene::{self, Scene};
use tests::seed::Seed;
use tests::site::Site;
use tests::{floor_oracle, wait};
use uuid::Uuid;

const MEMBERS: u32 = 5;
const ROUNDS: u64 = 8;
const ACTS: u64 = 12;
const LIMIT: Duration = Duration::from_mins(1);

/// A branch beside that of the scene, with an edge and a link of its own.
struct Branch {
    edge: Edge,
    link: ChaosLink,
    site: Site,
    readers: Vec<Login>,
}

/// Both.
struct Two {
    scene: Scene,
    here: Vec<Login>,
    there: Branch,
    members: Vec<MemberId>,
}

impl Two {
    async fn begin() -> Result<Self> {
        let mut scene = Scene::prepare().await?;
        let mut members = Vec::new();
        for member in 0..MEMBERS {
            members.push(scene.site.member(&format!("Member {member}"), &[card(member)]).await?);
        }
        let here = furnish(&scene.site, "here").await?;
        let site = scene.site.beside().await?;
        let readers = furnish(&site, "there").await?;
        let link = ChaosLink::start(scene.cloud.address()).await?;
        let mut edge = Edge::new()?;
        edge.enroll(&format!("http://{}", link.address()), &site.enroll_code().await?).await?;
        scene.edge.start().await?;
        edge.start().await?;
        scene::known(&scene.edge, &scene.site.reader("last").await?).await?;
        scene::known(&edge, &site.reader("last").await?).await?;
        Ok(Self { scene, here, there: Branch { edge, link, site, readers }, members })
    }

    /// Somebody does something somewhere.
    async fn act(&self, seed: &mut Seed) -> Result<()> {
        let member = seed.between_u32(0, MEMBERS);
        let is_here = seed.chance(0.5);
        let (edge, readers, site) = if is_here {
            (&self.scene.edge, &self.here, &self.scene.site)
        } else {
            (&self.there.edge, &self.there.readers, &self.there.site)
        };
        if seed.chance(0.7) {
            return tap(edge, seed.one_of(readers), member).await;
        }
        let member = self.members[member as usize];
        site.ask(Wanted::CheckIn { member }).await.map(drop)
    }

    /// Everybody knows everything: nothing is on its way, and both branches have as many inside as the cloud says.
    async fn agree(&self) -> Result<()> {
        self.scene.edge.drained(LIMIT).await?;
        self.there.edge.drained(LIMIT).await?;
        settled(&self.scene.pool, LIMIT).await?;
        wait::until_true_at_last("both branches agree with the cloud", LIMIT, || async {
            let asked = "SELECT EXISTS (SELECT FROM commands WHERE outcome IS NULL)";
            let is_asked: bool = sqlx::query_scalar(asked).fetch_one(&self.scene.pool).await?;
            let here = inside(&self.scene.pool, &self.scene.site).await?.len();
            let there = inside(&self.scene.pool, &self.there.site).await?.len();
            let at_edges =
                (self.scene.edge.metric(SESSIONS).await?, self.there.edge.metric(SESSIONS).await?);
            #[expect(clippy::cast_precision_loss, reason = "counts")]
            let in_cloud = (here as f64, there as f64);
            Ok(!is_asked && at_edges == in_cloud)
        })
        .await
    }
}

#[tokio::test]
async fn two_branches_and_the_app_agree_however_late_one_of_them_comes_back() -> Result<()> {
    let mut seed = Seed::announced("two branches");
    let mut two = Two::begin().await?;

    for round in 0..ROUNDS {
        if round % 2 == 0 {
            two.there.link.cut();
        } else {
            two.there.link.heal();
        }
        for _ in 0..ACTS {
            two.act(&mut seed).await?;
        }
        if seed.chance(0.3) {
            two.there.edge.kill().await?;
            two.there.edge.start().await?;
        }
    }
    two.there.link.heal();
    if let Err(error) = two.agree().await {
        let story = story(&two.scene.pool).await?;
        two.scene.edge.stop().await?;
        two.there.edge.stop().await?;
        let here = floor_oracle::at_edge(&two.scene.edge.state())?;
        let there = floor_oracle::at_edge(&two.there.edge.state())?;
        let told = format!("{story}\nhere {:?}\nthere {:?}", listed(&here), listed(&there));
        return Err(error.context(told));
    }

    floor_oracle::check(&two.scene.pool).await?;
    two.scene.edge.stop().await?;
    two.there.edge.stop().await?;
    for (edge, site) in [(&two.scene.edge, &two.scene.site), (&two.there.edge, &two.there.site)] {
        let at_edge = floor_oracle::at_edge(&edge.state())?;
        let at_edge: BTreeMap<Uuid, Uuid> =
            at_edge.sessions().map(|(member, session)| (member.0, session.id.0)).collect();
        let in_cloud = inside(&two.scene.pool, site).await?;
        ensure!(at_edge.keys().eq(in_cloud.keys()), "{at_edge:?} and not {in_cloud:?}");
    }
    let moved: i64 =
        sqlx::query_scalar("SELECT count(*) FROM gym_sessions WHERE end_reason = 'elsewhere'")
            .fetch_one(&two.scene.pool)
            .await?;
    ensure!(moved > 0, "nobody was in two branches");
    two.scene.cloud.stop().await
}

/// What the cloud was told, in order.
async fn story(db: &PgPool) -> Result<String> {
    let told =
        "SELECT concat_ws(' ', at_ms, branch_id, kind, member_id, machine_id, encode(deed, 'hex'))
                FROM facts WHERE kind NOT IN ('use', 'faulty')
                UNION ALL SELECT concat_ws(' ', 'open', branch_id, member_id, id) FROM gym_sessions
                WHERE ended_at IS NULL
                UNION ALL SELECT concat_ws(' ', 'asked', branch_id, command, args, outcome, detail)
                FROM commands ORDER BY 1";
    let lines: Vec<String> = sqlx::query_scalar(told).fetch_all(db).await?;
    Ok(lines.join("\n"))
}

/// Who is inside, and by which ids.
fn listed(floor: &State) -> Vec<(Uuid, &[SessionId])> {
    floor.sessions().map(|(member, open)| (member.0, open.claims.as_slice())).collect()
}

/// Open stays of a branch by member, in the cloud.
async fn inside(db: &PgPool, site: &Site) -> Result<BTreeMap<Uuid, Uuid>> {
    let open = "SELECT member_id, id FROM gym_sessions WHERE branch_id = $1 AND ended_at IS NULL";
    let rows: Vec<(Uuid, Uuid)> = sqlx::query_as(open).bind(site.branch.0).fetch_all(db).await?;
    Ok(rows.into_iter().collect())
}

/// A door, and two machines with a reader each.
async fn furnish(site: &Site, place: &str) -> Result<Vec<Login>> {
    let mut readers = vec![site.reader("door").await?];
    for number in 1..3 {
        let code = format!("{place}-{number}");
        site.machines(std::slice::from_ref(&code)).await?;
        readers.push(site.reader_at(&format!("at-{code}"), &code).await?);
    }
    Ok(readers)
}

async fn tap(edge: &Edge, reader: &Login, member: u32) -> Result<()> {
    let mut connection = edge.connect(reader).await?;
    let credential = Credential::NfcUid { uid: card(member).into() };
    let payload = tap_json(TapId(Uuid::now_v7()), &credential, 0);
    connection.queue(&format!("gymwire/v1/readers/{}/tap", reader.user), &payload, 0, false);
    connection.flush().await?;
    connection.acks().await?;
    connection.close().await
}

fn card(member: u32) -> [u8; 7] {
    let [a, b, c, d] = member.to_be_bytes();
    [4, 1, 2, a, b, c, d]
}
