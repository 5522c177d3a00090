//! What every page works with.

use super::accounts::Accounts;
use super::floor_page::Gallery;
use super::members::Index;
use super::notes::Notes;
use super::recent::Recent;
use super::work::Works;
use crate::access::Access;
use crate::floor::Floor;
use crate::front_door::tls::Tls;
use crate::ops::actions::Actions;
use crate::ops::status::Watched;
use protocol::ids::MemberId;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Parts of the agent that the staff page shows and asks.
pub struct Parts {
    /// Who may sign in.
    pub accounts: Accounts,
    /// The agent's state.
    pub watched: Watched,
    /// What the command line may ask for, too.
    pub actions: Actions,
    /// Roster, settings, credentials.
    pub access: Access,
    /// Who is in, which machine is whose.
    pub floor: Floor,
    /// The branch's certificates.
    pub tls: Tls,
    /// MQTT without TLS is open to the network.
    pub has_open_mqtt: bool,
}

/// Handle that handlers are given; clones share it.
#[derive(Clone)]
pub struct Staff(Arc<Inner>);

/// The parts, and what the page itself keeps.
pub struct Inner {
    /// Who may sign in.
    pub accounts: Accounts,
    /// The agent's state.
    pub watched: Watched,
    /// What the command line may ask for, too.
    pub actions: Actions,
    /// Roster, settings, credentials.
    pub access: Access,
    /// MQTT without TLS is open to the network.
    pub has_open_mqtt: bool,
    /// Who is in, which machine is whose.
    pub floor: Floor,
    /// The branch's certificates.
    pub tls: Tls,
    /// Names of members, for the search.
    pub index: Index,
    /// What takes longer than a page.
    pub works: Works,
    /// Words for the next page.
    pub notes: Notes,
    /// What happened lately.
    pub recent: Recent,
    /// The floor as it is told.
    pub gallery: Gallery,
    /// Ends what streams.
    pub stop: CancellationToken,
}

impl Staff {
    /// Over the parts.
    pub fn new(parts: Parts) -> Self {
        let Parts { accounts, watched, actions, access, floor, tls, has_open_mqtt } = parts;
        Self(Arc::new(Inner {
            accounts,
            watched,
            actions,
            access,
            floor,
            tls,
            has_open_mqtt,
            index: Index::default(),
            works: Works::default(),
            notes: Notes::default(),
            recent: Recent::default(),
            gallery: Gallery::default(),
            stop: CancellationToken::new(),
        }))
    }
}

impl Inner {
    /// What a member is called, as the roster says now.
    pub fn name_of(&self, member: MemberId) -> String {
        let member = self.watched.registry.roster().read().member(member);
        member.map_or_else(|| "A former member".to_owned(), |member| member.display_name)
    }
}

impl std::ops::Deref for Staff {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}
