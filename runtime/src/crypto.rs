//! The one crypto library of the process.

use crate::Error;

/// Makes aws-lc-rs the provider of every TLS client and server. The first line of each `main`: clients built before
/// it would panic for want of a provider.
pub fn install() -> Result<(), Error> {
    rustls::crypto::aws_lc_rs::default_provider().install_default().map_err(|_| Error::CryptoProvider)
}
