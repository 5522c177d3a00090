//! What members present in tests: cards that prove themselves, codes, phones. Its keys are those of [`SUN_KEYS`].

use aes::Aes128;
use aes::cipher::{Block, BlockEncrypt as _, KeyInit as _};
use cmac::{Cmac, Mac};
use ed25519_dalek::SigningKey;
use p256::ecdsa;
use protocol::credential::hce::HceChallenge;
use protocol::credential::qr::{self, QrPayload};
use protocol::credential::{Credential, uid_hash};
use protocol::ids::{BranchId, CredentialId, EdgeId, MemberId, OrganizationId};
use protocol::sync::changes::Change;
use protocol::sync::enroll::{EnrollAnswer, EnrollKey};
use protocol::sync::roster::{CredentialKind, CredentialRecord, Member, Membership, RosterItem};
use uuid::Uuid;

/// The setting `sun_keys` that fits.
pub const SUN_KEYS: &str = r#"{"meta":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","file_master":"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb","diversify":"none"}"#;
/// A card with a number only, and one that proves itself.
pub const PLAIN_UID: [u8; 4] = [0xDE, 0xC0, 0xDE, 0x01];
pub const SUN_UID: [u8; 7] = [4, 0xC0, 0xFF, 0xEE, 5, 6, 7];
pub const MEMBER_NO: u64 = 42;
pub const SITE_NO: u16 = 7;
pub const CREDENTIAL_KEY: [u8; 32] = [5; 32];

/// What an NTAG 424 DNA says when it is read for the n-th time.
pub fn sun(counter: u32) -> Credential {
    let [c0, c1, c2, _] = counter.to_le_bytes();
    let [u0, u1, u2, u3, u4, u5, u6] = SUN_UID;
    let plain = [0xC7, u0, u1, u2, u3, u4, u5, u6, c0, c1, c2, 1, 2, 3, 4, 5];
    let mut picc_data = Block::<Aes128>::from(plain);
    Aes128::new(&[0xAA; 16].into()).encrypt_block(&mut picc_data);
    let vector = [0x3C, 0xC3, 0, 1, 0, 0x80, u0, u1, u2, u3, u4, u5, u6, c0, c1, c2];
    let session = mac(&[0xBB; 16], &vector);
    let full = mac(&session, &[]);
    let cmac = std::array::from_fn(|n| full[2 * n + 1]);
    Credential::Sun { picc_data: picc_data.into(), enc: None, cmac }
}

fn mac(key: &[u8; 16], input: &[u8]) -> [u8; 16] {
    let mut mac = <Cmac<Aes128> as Mac>::new(key.into());
    mac.update(input);
    mac.finalize().into_bytes().into()
}

/// What the cloud said when the branch was enrolled.
pub fn enrolled() -> EnrollAnswer {
    let public = hex::encode(cloud_key().verifying_key().as_bytes());
    EnrollAnswer {
        edge_id: EdgeId(Uuid::from_u128(1)),
        organization_id: OrganizationId(Uuid::from_u128(2)),
        branch_id: BranchId(Uuid::from_u128(3)),
        branch_name: "Nordend".to_owned(),
        site_no: SITE_NO,
        cloud_keys: vec![EnrollKey { key_id: 1, public }],
        credential_key: hex::encode(CREDENTIAL_KEY),
        now_ms: 0,
    }
}

/// The cloud's key with number 1.
pub fn cloud_key() -> SigningKey {
    SigningKey::from_bytes(&[9; 32])
}

/// A code of the cloud that is good for a minute.
pub fn code(key: &SigningKey, kid: u16, iat_s: u32, nonce: u32) -> Credential {
    let nonce = nonce.to_be_bytes();
    let payload =
        QrPayload { kid, site_no: 0, member_no: MEMBER_NO, iat_s, ttl: 12, scope: 0, nonce };
    Credential::Qr { code: qr::sign(&payload, key) }
}

/// The key of the member's phone.
pub fn phone_key() -> ecdsa::SigningKey {
    ecdsa::SigningKey::from_slice(&[7; 32]).expect("a key")
}

/// The phone's answer to a nonce.
pub fn phone(nonce: [u8; 16], site_no: u16) -> Credential {
    let (token, signature) = HceChallenge { nonce, site_no }.answer(MEMBER_NO, &phone_key());
    Credential::Hce { nonce: nonce.into(), token: token.into(), signature: signature.into() }
}

/// A member with every kind of credential, as the cloud tells.
pub fn roster(credential_key: &[u8; 32]) -> Vec<Change> {
    let phone = phone_key().verifying_key().to_encoded_point(true).as_bytes().to_vec();
    let kinds = [
        CredentialKind::NfcUid { uid_hash: uid_hash(credential_key, &PLAIN_UID) },
        CredentialKind::Sun { uid_hash: uid_hash(credential_key, &SUN_UID) },
        CredentialKind::Phone { public_key: phone },
    ];
    let credentials = (100_u128..).zip(kinds).map(|(id, kind)| credential(id, 1, kind).change());
    [member(1, MEMBER_NO).change()].into_iter().chain(credentials).collect()
}

pub fn member(id: u128, member_no: u64) -> RosterItem {
    let membership = Membership {
        here: true,
        valid_from_ms: 0,
        valid_until_ms: None,
        frozen: false,
        windows: Vec::new(),
    };
    RosterItem::Member(Member {
        id: MemberId(Uuid::from_u128(id)),
        member_no,
        display_name: "Ada".to_owned(),
        blocked: None,
        memberships: vec![membership],
    })
}

pub fn credential(id: u128, member: u128, kind: CredentialKind) -> RosterItem {
    let (id, member) = (CredentialId(Uuid::from_u128(id)), MemberId(Uuid::from_u128(member)));
    RosterItem::Credential(CredentialRecord { id, member, kind, enabled: true })
}
