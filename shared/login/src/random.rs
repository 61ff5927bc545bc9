//! Randomness, at the edge. Pure modules take the bytes; functions and the store fetch them here.

use ring::rand::{SecureRandom as _, SystemRandom};

/// `N` bytes from the operating system's cryptographic source.
///
/// # Panics
///
/// If the operating system has no randomness to give. There is no safe way to go on without.
#[must_use]
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    #[expect(clippy::expect_used, reason = "no login may go on with predictable secrets")]
    SystemRandom::new().fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}
