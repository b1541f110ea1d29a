//! The certificate and its key: read from PEM files, checked, and read again on SIGHUP.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use axum_server::tls_rustls::RustlsConfig;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem};

use crate::config::Config;

/// The TLS a listener speaks. Clones share the certificate, so a reload reaches every listener.
#[derive(Clone)]
pub struct Tls {
    certificate_file: PathBuf,
    key_file: PathBuf,
    pub(super) config: RustlsConfig,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("certificate_file", &self.certificate_file).finish_non_exhaustive()
    }
}

impl Tls {
    /// Reads what is configured; `None` when nothing is.
    ///
    /// # Errors
    /// A file cannot be read, holds something else, is a key that everybody can read, or the two do not belong
    /// together. The message names the file.
    pub fn load(config: &Config) -> anyhow::Result<Option<Self>> {
        let (Some(certificate_file), Some(key_file)) = (&config.tls_certificate_file, &config.tls_key_file)
        else {
            return Ok(None);
        };
        let server = server_config(certificate_file, key_file)?;
        Ok(Some(Self {
            certificate_file: certificate_file.clone(),
            key_file: key_file.clone(),
            config: RustlsConfig::from_config(Arc::new(server)),
        }))
    }

    /// Reads the files again for the connections to come.
    ///
    /// # Errors
    /// As [`Tls::load`]; the certificate from before stays in use.
    pub fn reload(&self) -> anyhow::Result<()> {
        let server = server_config(&self.certificate_file, &self.key_file)?;
        self.config.reload_from_config(Arc::new(server));
        Ok(())
    }
}

fn server_config(certificate_file: &Path, key_file: &Path) -> anyhow::Result<ServerConfig> {
    let chain = CertificateDer::pem_file_iter(certificate_file)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .with_context(|| format!("tls_certificate_file: cannot read {}", certificate_file.display()))?;
    if chain.is_empty() {
        bail!("tls_certificate_file: {} holds no certificate in PEM", certificate_file.display());
    }
    let key = private_key(key_file)?;
    // The provider is named, not taken from the process: which one is installed there is chance.
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut server = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .with_context(|| {
            let (certificate, key) = (certificate_file.display(), key_file.display());
            format!("tls_certificate_file and tls_key_file: {certificate} and {key} do not work together")
        })?;
    server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(server)
}

fn private_key(file: &Path) -> anyhow::Result<PrivateKeyDer<'static>> {
    let name = file.display();
    let mode = std::fs::metadata(file)
        .with_context(|| format!("tls_key_file: cannot read {name}"))?
        .permissions()
        .mode();
    if mode & 0o007 != 0 {
        bail!("tls_key_file: everybody on this machine can use {name}; run chmod o= {name}");
    }
    match PrivateKeyDer::from_pem_file(file) {
        Err(pem::Error::NoItemsFound) => {
            bail!(
                "tls_key_file: {name} holds no private key in PEM; an encrypted key must be decrypted first"
            )
        }
        key => key.with_context(|| format!("tls_key_file: cannot read {name}")),
    }
}
