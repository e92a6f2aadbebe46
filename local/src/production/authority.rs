//! A certificate authority that nobody but these tests trusts.

use anyhow::{Context, Result};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

pub(super) struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// What a server shows: its chain and the key to it.
pub(super) struct Identity {
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) key: PrivateKeyDer<'static>,
}

impl Authority {
    pub(super) fn new(name: &str) -> Result<Self> {
        let key = KeyPair::generate().context("make the key of the authority")?;
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key).context("sign the authority's certificate")?;
        Ok(Self { pem: certificate.pem(), issuer: Issuer::new(params, key) })
    }

    pub(super) fn pem(&self) -> &str {
        &self.pem
    }

    pub(super) fn certify(&self, name: &str) -> Result<Identity> {
        let key = KeyPair::generate().with_context(|| format!("make a key for {name}"))?;
        let params = CertificateParams::new(vec![name.to_owned()]).with_context(|| format!("certify {name}"))?;
        let certificate = params.signed_by(&key, &self.issuer).with_context(|| format!("certify {name}"))?;
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        Ok(Identity { chain: vec![certificate.der().clone()], key })
    }
}
