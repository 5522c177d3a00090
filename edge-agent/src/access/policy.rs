//! Settings and keys as decisions need them, read once per change of the registry and not per tap.

use crate::registry::Registry;
use crate::registry::identity::Enrolment;
use protocol::access::BranchSettings;
use protocol::access::settings::SETTING_KEYS;
use protocol::credential::qr::QrKey;
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::watch;
use zeroize::Zeroizing;

/// What holds for taps now.
pub struct Policy {
    /// What staff have set, the keys of cards among it.
    pub settings: BranchSettings,
    /// Public keys of the cloud.
    pub code_keys: Vec<QrKey>,
    /// Hashes numbers of cards.
    pub credential_key: Zeroizing<[u8; 32]>,
    /// Short number of the branch; 0 while it is not enrolled.
    pub site_no: u16,
}

/// The policy, kept in step with the registry; clones share it.
#[derive(Clone)]
pub struct Policies(Arc<Inner>);

struct Inner {
    registry: Registry,
    changed: watch::Receiver<u64>,
    /// Of which change of the registry, and the policy.
    last: RwLock<Option<(u64, Arc<Policy>)>>,
}

impl Policies {
    pub fn new(registry: Registry) -> Self {
        let changed = registry.changed();
        Self(Arc::new(Inner { registry, changed, last: RwLock::default() }))
    }

    /// The policy now.
    pub fn current(&self) -> Arc<Policy> {
        let change = *self.0.changed.borrow();
        let known = self.0.last.read().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, policy)) = known.as_ref()
            && *of == change
        {
            return Arc::clone(policy);
        }
        drop(known);
        let policy = Arc::new(Policy::read(&self.0.registry));
        let mut last = self.0.last.write().unwrap_or_else(PoisonError::into_inner);
        *last = Some((change, Arc::clone(&policy)));
        policy
    }
}

impl Policy {
    fn read(registry: &Registry) -> Self {
        let mut settings = BranchSettings::default();
        for key in SETTING_KEYS {
            let Some(value) = registry.setting(key) else { continue };
            if let Err(error) = settings.set(key, &value) {
                tracing::error!(%error, "a setting of the branch is not used");
            }
        }
        let enrolled = registry.enrolled();
        let enrolment = enrolled.as_ref().map(|enrolled| &enrolled.enrolment);
        let keys = enrolment.map(Enrolment::cloud_keys).unwrap_or_default();
        let site_no = enrolment.map_or(settings.site_no, |enrolment| enrolment.answer.site_no);
        Self {
            settings,
            code_keys: keys.iter().filter_map(QrKey::of).collect(),
            credential_key: Zeroizing::new(registry.credential_key()),
            site_no,
        }
    }
}
