//! Checks certificates of devices while they shake hands: by the branch's roots, then by the book.

use super::book::Counting;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};
use std::sync::Arc;
use tokio::sync::watch;

/// A verifier that also knows what was revoked.
#[derive(Debug)]
pub struct ByTheBook {
    pub roots: Arc<dyn ClientCertVerifier>,
    pub counting: watch::Receiver<Counting>,
}

impl ClientCertVerifier for ByTheBook {
    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.roots.verify_client_cert(end_entity, intermediates, now)?;
        if !self.counting.borrow().allows(end_entity) {
            return Err(CertificateError::Revoked.into());
        }
        Ok(verified)
    }

    fn offer_client_auth(&self) -> bool {
        self.roots.offer_client_auth()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.roots.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.roots.root_hint_subjects()
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.roots.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.roots.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.roots.supported_verify_schemes()
    }
}
