//! Members: who may use which branch when, and what they are known by at a door. A `member_no` is given once and
//! never again; a card's number is kept only as a hash under the organization's key; every branch of the
//! organization is told of every change in the transaction that makes it. Staff see who has a right at one of their
//! branches, and who has none yet.

#![expect(unused_qualifications, reason = "utoipa's macro repeats the names of query types")]

mod block;
mod change;
mod collection;
mod credential;
mod credential_store;
mod credentials;
mod freeze;
pub mod import;
mod item;
mod list_store;
mod membership;
mod membership_store;
mod memberships;
mod model;
mod rights;
mod roster;
mod roster_store;
mod sight;
mod store;
mod value;
mod window;

pub use change::{
    add_credential, adopt_card, create, credentials, remove, revoke_credential, set_blocked,
    set_credential_enabled, update,
};
pub use credential::take_away as take_credential_away;
pub use credentials::{NewCredential, give as give_credential};
pub use membership_store::branches_now;
pub use model::{
    Credential, CredentialKind, Member, Membership, NewMember, Proof, Replace, Source, Terms,
};
pub use rights::{add_membership, change_membership, end_membership, memberships, set_frozen};
pub use roster::{as_told, tell_branch};
pub use roster_store::{hold, hold_alone};
pub use sight::member as visible;
pub use sight::of_caller;
pub use store::{by_id, by_number, of_user, set_user, without_account};
pub use value::{DisplayName, NotValid, PhoneKey, Reason, Reference, Uid};
pub use window::{AccessWindow, Day, TimeOfDay};

use crate::app::App;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(collection::list_members, collection::create_member))
        .routes(routes!(item::read_member, item::update_member, item::remove_member))
        .routes(routes!(block::block_member, block::unblock_member))
        .routes(routes!(memberships::list_memberships, memberships::create_membership))
        .routes(routes!(membership::replace_membership, membership::end_membership))
        .routes(routes!(freeze::freeze_membership, freeze::unfreeze_membership))
        .routes(routes!(credentials::list_credentials, credentials::create_credential))
        .routes(routes!(credential::update_credential, credential::revoke_credential))
}
