//! A certificate and its key, for those who want the simulator over HTTPS.

use std::sync::Arc;

use tokio_rustls::rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};

/// What [`Simulator::serve_tls`](crate::Simulator::serve_tls) needs, from a certificate chain and its key in PEM.
pub fn tls_config(certificates: &[u8], key: &[u8]) -> Result<Arc<ServerConfig>, String> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(certificates)
        .collect::<Result<_, _>>()
        .map_err(|cause| format!("the certificate is no PEM: {cause}"))?;
    if chain.is_empty() {
        return Err("there is no certificate in the PEM".to_owned());
    }
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|cause| format!("the key is no PEM: {cause}"))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|cause| cause.to_string())?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|cause| format!("the certificate and the key do not fit: {cause}"))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
