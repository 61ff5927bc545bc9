//! A key that signs tokens, made on this machine. None is committed: what is in a repository is no secret.

use std::sync::OnceLock;

use getrandom::SysRng;
use rsa::{
    PrivateKey,
    pkcs8::{EncodePrivateKey as _, LineEnding},
};

use crate::{Failure, Result};

/// The length of a key, in bits: that of the key which the template has KMS make.
const BITS: usize = 2048;

/// A new private key, in PEM. Takes part of a second.
pub fn generate() -> Result<String> {
    let failed =
        |error: &dyn std::fmt::Display| Failure::new(format!("no signing key could be made: {error}"));
    let key = PrivateKey::new(&mut SysRng, BITS).map_err(|error| failed(&error))?;
    let pem = key.to_pkcs8_pem(LineEnding::LF).map_err(|error| failed(&error))?;
    Ok(pem.as_str().to_owned())
}

/// The key of this process's tests: one is enough for all of them.
pub fn of_this_process() -> Result<&'static str> {
    static KEY: OnceLock<String> = OnceLock::new();
    if let Some(key) = KEY.get() {
        return Ok(key);
    }
    let key = generate()?;
    Ok(KEY.get_or_init(|| key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_one_key_and_another_is_another() {
        let key = of_this_process().unwrap();
        assert!(key.starts_with("-----BEGIN PRIVATE KEY-----\n"));
        assert_eq!(of_this_process().unwrap(), key);
        assert_ne!(generate().unwrap(), key);
    }
}
