//! How the JSON messages of `protocol` look in the API document; nothing else uses these.

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// An agent that wants to become an edge.
#[derive(Serialize, ToSchema)]
pub struct EnrollRequest {
    /// The one-time code that staff made.
    #[schema(example = "01AB-CDEF-GHJ")]
    pub code: String,
    /// The edge's Ed25519 public key, hex. Its private half never leaves the edge.
    #[schema(min_length = 64, max_length = 64)]
    pub public_key: String,
    /// Signature of `gymwire-enroll-v1` and the code by that key, hex.
    #[schema(min_length = 128, max_length = 128)]
    pub proof: String,
    /// The edge's host name.
    #[schema(max_length = 255)]
    pub hostname: String,
    /// The agent's version.
    #[schema(max_length = 255)]
    pub agent_version: String,
}

/// What the new edge is told.
#[derive(Serialize, ToSchema)]
pub struct EnrollAnswer {
    /// What the edge is called from now on.
    pub edge_id: Uuid,
    /// Whose it is.
    pub organization_id: Uuid,
    /// Where it stands.
    pub branch_id: Uuid,
    /// The branch's name.
    pub branch_name: String,
    /// The branch's number in short codes.
    pub site_no: u16,
    /// Public keys of the cloud.
    pub cloud_keys: Vec<EnrollKey>,
    /// Key under which card numbers are hashed in this organization, 32 bytes, hex. Secret.
    pub credential_key: String,
    /// Unix milliseconds now.
    pub now_ms: i64,
}

/// A public key of the cloud.
#[derive(Serialize, ToSchema)]
pub struct EnrollKey {
    /// Its number.
    pub key_id: u16,
    /// The key, hex.
    pub public: String,
}

/// The key that is to take the place of the edge's present one.
#[derive(Serialize, ToSchema)]
pub struct KeyAnnouncement {
    /// The next Ed25519 public key, hex.
    #[schema(min_length = 64, max_length = 64)]
    pub public_key: String,
    /// Signature by the present key, hex, of `gymwire-edge-key-v1` and the bytes of the edge's id, of the present and
    /// of the next public key.
    #[schema(min_length = 128, max_length = 128)]
    pub signature: String,
    /// Signature of the same by the next key, hex.
    #[schema(min_length = 128, max_length = 128)]
    pub proof: String,
}

/// A token.
#[derive(Serialize, ToSchema)]
pub struct TokenAnswer {
    /// To be sent as `Authorization: Bearer`.
    pub access_token: String,
    /// `Bearer`.
    pub token_type: String,
    /// Seconds it is good for.
    pub expires_in: u32,
    /// Unix milliseconds now.
    pub now_ms: i64,
}

/// The answer to a batch.
#[derive(Serialize, ToSchema)]
pub struct BatchAnswer {
    /// Everything up to here is in the cloud's database.
    pub acked_seq: u64,
}

/// The answer to a live state.
#[derive(Serialize, ToSchema)]
pub struct StateAnswer {
    /// Somebody looks at the floor now. If nobody does, samples are wanted once in a while only.
    pub watched: bool,
    /// Machines whose samples somebody waits for: they are wanted as soon as they come.
    pub followed: Vec<Uuid>,
}

/// Open commands.
#[derive(Serialize, ToSchema)]
pub struct Commands {
    /// In the order they were given.
    pub items: Vec<Command>,
    /// When this answer was made, in Unix milliseconds.
    pub now_ms: i64,
}

/// One order.
#[expect(clippy::struct_field_names, reason = "the names on the wire")]
#[derive(Serialize, ToSchema)]
pub struct Command {
    /// Which one.
    pub id: Uuid,
    /// Whom it is for; the edge itself if there is none.
    pub target: Option<Target>,
    /// What to do, e.g. `lock`.
    pub command: String,
    /// With what.
    #[schema(value_type = Object)]
    pub args: serde_json::Value,
    /// It is void this long after this answer was made.
    pub ttl_ms: u64,
}

/// A device of the branch.
#[derive(Serialize, ToSchema)]
pub struct Target {
    /// `machine`, `reader`, `bridge` or `observer`.
    pub kind: String,
    /// Its short name.
    pub code: String,
}

/// How a command ended.
#[derive(Serialize, ToSchema)]
pub struct CommandReport {
    /// `done`, `failed`, `expired` or `unknown`.
    pub outcome: String,
    /// In words.
    pub detail: Option<String>,
}
