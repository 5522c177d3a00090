//! What a credential proves by itself: signatures and MACs, on the task of the connection that brought it, so that
//! nobody else waits for the arithmetic.

use super::policy::Policy;
use super::{Access, Proof};
use protocol::access::Reason;
use protocol::credential::hce::{self, HceChallenge, HceError};
use protocol::credential::qr::{self, QrError};
use protocol::credential::sun;
use protocol::credential::{Credential, uid_hash};
use protocol::ids::DeviceId;

impl Access {
    /// Checks a credential that was presented at a reader.
    pub fn prove(&self, reader: DeviceId, credential: &Credential) -> Proof {
        let policy = self.policies.current();
        let proven = match credential {
            Credential::NfcUid { .. } => Ok(Proof::Number),
            Credential::Sun { picc_data, enc, cmac } => {
                card(&policy, picc_data, enc.as_deref(), *cmac)
            }
            Credential::Qr { code } => self.code(&policy, code),
            Credential::Hce { nonce, token, signature } => {
                self.phone(&policy, reader, nonce, token, signature)
            }
        };
        proven.unwrap_or_else(Proof::Nothing)
    }

    fn code(&self, policy: &Policy, code: &str) -> Result<Proof, Reason> {
        let accepted = qr::accept(code, &policy.code_keys, policy.site_no, self.clock.trusted());
        accepted.map(Proof::Code).map_err(|error| match error {
            QrError::Format | QrError::Version(_) => Reason::UnknownCard,
            QrError::UnknownKey(_) | QrError::Signature => Reason::BadSignature,
            QrError::OtherSite(_) => Reason::WrongBranch,
            QrError::NotYet | QrError::Expired => Reason::CodeExpired,
        })
    }

    /// The nonce first: whoever sends answers that nobody asked for costs no curve arithmetic.
    fn phone(
        &self,
        policy: &Policy,
        reader: DeviceId,
        nonce: &[u8],
        token: &[u8],
        signature: &[u8],
    ) -> Result<Proof, Reason> {
        let member_no = hce::claimed_member(token).map_err(|_| Reason::UnknownCard)?;
        let nonce: [u8; 16] = nonce.try_into().map_err(|_| Reason::Replayed)?;
        if !self.nonces.is_open(reader, &nonce, self.clock.mono_ms()) {
            return Err(Reason::Replayed);
        }
        let phones = {
            let view = self.registry.roster().read();
            let member = view.by_number(member_no).ok_or(Reason::UnknownCard)?;
            view.phones(member).to_vec()
        };
        let challenge = HceChallenge { nonce, site_no: policy.site_no };
        let mut flaw = Reason::UnknownCard;
        for phone in phones {
            match hce::verify(&challenge, token, signature, &phone.public_key) {
                Ok(member_no) => {
                    return Ok(Proof::Phone { credential: phone.credential, member_no, nonce });
                }
                Err(HceError::Token) => return Err(Reason::UnknownCard),
                Err(HceError::Key | HceError::Signature) => flaw = Reason::BadSignature,
            }
        }
        Err(flaw)
    }
}

fn card(
    policy: &Policy,
    picc_data: &[u8; 16],
    enc: Option<&[u8]>,
    cmac: [u8; 8],
) -> Result<Proof, Reason> {
    let keys = policy.settings.sun_keys.as_ref().ok_or(Reason::UnknownCard)?;
    let tap = sun::verify(keys, picc_data, enc, cmac).map_err(|_| Reason::BadSignature)?;
    let uid_hash = uid_hash(&policy.credential_key, &tap.uid);
    Ok(Proof::Card { uid_hash, counter: tap.counter })
}
