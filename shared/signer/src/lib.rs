//! Who signs: KMS, which never shows a key, or this process.
//!
//! `SIGNING_KEYS` is a list. **All keys are published, and the first one signs**, so that a key can be changed without
//! one refused token, however long a receiver keeps the set:
//!
//! ```text
//!   [A]      A signs
//!   [A, B]   B is published                wait a day: receivers keep the set for hours
//!   [B, A]   B signs, A still verifies     wait a day: the last of A's tokens is over
//!   [B]      A is gone
//! ```
//!
//! KMS is the default, since the template can then make the key: nobody ever holds it, and it cannot be carried away.
//! Keys in a secret, or in the environment of a machine without AWS, are signed with here.

mod local;
mod proof;

use std::collections::HashSet;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_kms::Client;
use aws_sdk_kms::config::timeout::TimeoutConfig;
use aws_sdk_kms::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{MessageType, SigningAlgorithmSpec};
use login::time::Timestamp;
use openid_connect::jwk::{KeyId, KeySet, PublicKey};
use openid_connect::jws::{SigningInput, Token, Type};
use secrets::{Secrets, SecretsError, SecretsSource};
use serde::Serialize;
use tokio::sync::OnceCell;

pub use local::LocalKeys;
pub use proof::{PROOF_KEPT, Proof};

/// How long one operation may take, the SDK's own retries included.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(2);
/// How long one attempt of it may take.
const ATTEMPT_TIMEOUT: Duration = Duration::from_millis(900);
/// How long keys from Secrets Manager are kept in memory; a step of a rotation takes a day.
const KEYS_KEPT: Duration = Duration::from_mins(15);
/// The most keys that are published: three are more than a rotation needs, and load balancers take ten.
const MOST_KEYS: usize = 3;

settings::declare! {
    SIGNING_KEYS, "ARNs of KMS keys separated by commas, the ARN of a Secrets Manager secret, or RSA private keys in PEM; at most three keys", "`arn:aws:kms:…:key/…`", ["", ""], ["The RSA keys that sign tokens: all are published, the first one signs. See [changing the key](openid.md#changing-the-key)", "签发 API 令牌的 RSA 签名密钥：全部公布，由第一个签名。见[更换签名密钥](openid.md#更换签名密钥)"];
}

/// Where the signing keys are.
#[derive(Debug, Clone)]
pub enum KeySource {
    /// In KMS, by their ARNs.
    Kms(Vec<String>),
    /// Private keys in PEM: in a secret, or given by the environment itself.
    Pem(SecretsSource<LocalKeys>),
}

impl KeySource {
    /// Whether one key stands there twice: a change that never comes about. What a secret in Secrets Manager holds is
    /// read later.
    #[must_use]
    pub fn repeats_a_key(&self) -> bool {
        match self {
            Self::Kms(arns) => {
                // Of a multi-Region key each replica has the same id, and is the same key.
                let ids = arns.iter().map(|arn| arn.rsplit('/').next().unwrap_or_default());
                repeats(ids.map(str::to_ascii_lowercase))
            }
            Self::Pem(SecretsSource::Inline(keys)) => repeats(keys.public().map(|key| key.id().to_string())),
            Self::Pem(SecretsSource::SecretsManager(_)) => false,
        }
    }

    /// Reads `SIGNING_KEYS`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if !text.starts_with("arn:") {
            return LocalKeys::parse(text).map(|keys| Self::Pem(SecretsSource::Inline(keys)));
        }
        let arns: Vec<String> = text.split(',').map(|arn| arn.trim().to_owned()).collect();
        let are_keys =
            arns.iter().all(|arn| arn.starts_with("arn:") && arn.contains(":kms:") && arn.contains(":key/"));
        match &arns[..] {
            [arn] if arn.contains(":secretsmanager:") => {
                Some(Self::Pem(SecretsSource::SecretsManager(arn.clone())))
            }
            _ => (are_keys && arns.len() <= MOST_KEYS).then_some(Self::Kms(arns)),
        }
    }
}

fn repeats(names: impl Iterator<Item = String>) -> bool {
    let mut seen = HashSet::new();
    !names.into_iter().all(|name| seen.insert(name))
}

/// Why nothing was signed, or no key shown. Names the cause, never a content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// KMS did not answer, or refused. Says which operation and KMS's code for it, such as `AccessDeniedException`,
    /// `DisabledException` or `ThrottlingException`.
    #[error("KMS: {operation} failed: {code}")]
    Unavailable {
        /// KMS's name of the operation.
        operation: &'static str,
        /// KMS's error code, or the SDK's word for what happened.
        code: String,
    },
    /// The secret with the keys could not be read.
    #[error("signing keys: {0}")]
    Secrets(#[from] SecretsError),
    /// What KMS calls a key is none that tokens can be verified with.
    #[error("a signing key is no RSA key of at least 2048 bits")]
    NotRsa,
    /// The claims are too long to be signed.
    #[error("the token would be too long")]
    TooLong,
    /// The cryptography refused, which it does for no input of ours.
    #[error("the key could not sign")]
    Refused,
}

/// The one place that signs.
#[derive(Debug)]
pub enum Signer {
    /// By KMS.
    Kms(Vec<KmsKey>),
    /// By this process.
    Local(Secrets<LocalKeys>),
}

/// A key in KMS. Its public half never changes, so it is fetched once.
#[derive(Debug)]
pub struct KmsKey {
    client: Client,
    arn: String,
    public: OnceCell<PublicKey>,
}

impl Signer {
    /// One that signs with the keys in `source`, reached as `aws` says. Calls nobody yet.
    #[must_use]
    pub fn new(source: KeySource, aws: &SdkConfig) -> Self {
        match source {
            KeySource::Pem(source) => Self::Local(Secrets::new(source, LocalKeys::parse, KEYS_KEPT, aws)),
            KeySource::Kms(arns) => {
                let timeouts = TimeoutConfig::builder()
                    .operation_timeout(OPERATION_TIMEOUT)
                    .operation_attempt_timeout(ATTEMPT_TIMEOUT)
                    .build();
                let settings = aws_sdk_kms::config::Builder::from(aws).timeout_config(timeouts);
                let client = Client::from_conf(settings.build());
                let key = |arn| KmsKey { client: client.clone(), arn, public: OnceCell::new() };
                Self::Kms(arns.into_iter().map(key).collect())
            }
        }
    }

    /// The public halves of all keys.
    ///
    /// # Errors
    ///
    /// [`Error`] if any of them cannot be had: a set that lacks a key would have good tokens refused.
    pub async fn keys(&self, now: Timestamp) -> Result<KeySet, Error> {
        match self {
            Self::Local(keys) => Ok(keys.get(now).await?.public().collect()),
            Self::Kms(keys) => {
                let mut public = Vec::new();
                for key in keys {
                    public.push(key.public().await?.clone());
                }
                Ok(public.into_iter().collect())
            }
        }
    }

    /// Why it signs with an old copy of its keys, if it does.
    #[must_use]
    pub fn unread(&self) -> Option<SecretsError> {
        match self {
            Self::Local(keys) => keys.unread(),
            Self::Kms(_) => None,
        }
    }

    /// Signs claims with the first key.
    ///
    /// # Errors
    ///
    /// [`Error`] if they cannot be signed. Nothing depends on it: a signature is worth nothing until it is sent.
    pub async fn sign<C: Serialize>(&self, kind: Type, claims: &C, now: Timestamp) -> Result<Token, Error> {
        let (input, signature) = self.signed(|key| SigningInput::new(key, kind, claims), now).await?;
        Ok(input.signed(&signature))
    }

    /// Signs with the first key what `input` makes of its name.
    async fn signed<I: AsRef<[u8]>>(
        &self,
        input: impl FnOnce(&KeyId) -> Option<I>,
        now: Timestamp,
    ) -> Result<(I, Vec<u8>), Error> {
        match self {
            Self::Local(keys) => {
                let keys = keys.get(now).await?;
                let input = input(&keys.first().public.id()).ok_or(Error::TooLong)?;
                let signature = keys.first().sign(input.as_ref()).ok_or(Error::Refused)?;
                Ok((input, signature))
            }
            Self::Kms(keys) => {
                let key = keys.first().ok_or(Error::Refused)?;
                let input = input(&key.public().await?.id()).ok_or(Error::TooLong)?;
                let signature = key.sign(input.as_ref()).await?;
                Ok((input, signature))
            }
        }
    }
}

impl KmsKey {
    async fn public(&self) -> Result<&PublicKey, Error> {
        let fetch = async || {
            let answer = self.client.get_public_key().key_id(&self.arn).send().await;
            let answer = answer.map_err(|error| unavailable("GetPublicKey", &error))?;
            let der = answer.public_key().map(Blob::as_ref).unwrap_or_default();
            PublicKey::from_spki(der).ok_or(Error::NotRsa)
        };
        self.public.get_or_try_init(fetch).await
    }

    /// The message as it is, not its digest: KMS takes up to 4096 bytes, and the role may sign nothing else.
    async fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        let sign =
            self.client.sign().key_id(&self.arn).message(Blob::new(message)).message_type(MessageType::Raw);
        let answer = sign.signing_algorithm(SigningAlgorithmSpec::RsassaPkcs1V15Sha256).send().await;
        let answer = answer.map_err(|error| unavailable("Sign", &error))?;
        answer.signature().map(|signature| signature.as_ref().to_vec()).ok_or(Error::Refused)
    }
}

fn unavailable<E: ProvideErrorMetadata, R>(operation: &'static str, error: &SdkError<E, R>) -> Error {
    Error::Unavailable { operation, code: aws_error::code(error).to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_in_one_place() {
        let key = "arn:aws:kms:us-east-1:123456789012:key/1b2c3d4e-0000-4000-8000-000000000000";
        let secret = "arn:aws-cn:secretsmanager:cn-north-1:123456789012:secret:keys-AbCdEf";
        let arns = |text: &str| match KeySource::parse(text) {
            Some(KeySource::Kms(arns)) => arns.len(),
            _ => 0,
        };
        assert_eq!(arns(key), 1);
        let [second, third] = ["2b2c", "3b2c"].map(|start| key.replace("1b2c", start));
        assert_eq!(arns(&format!("{key}, {second}, {third}")), 3);
        assert!(matches!(KeySource::parse(secret), Some(KeySource::Pem(SecretsSource::SecretsManager(_)))));
        for text in [
            "",
            "arn:",
            "alias/signing",
            &format!("{key},{key},{key},{key}"),
            &format!("{key},{secret}"),
            &format!("{secret},{secret}"),
            "arn:aws:kms:us-east-1:123456789012:alias/signing",
        ] {
            assert!(KeySource::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn a_key_stands_there_once() {
        let replica =
            |region: &str| format!("arn:aws:kms:{region}:123456789012:key/mrk-1234abcd12ab34cd56ef");
        let (here, there) = (replica("us-east-1"), replica("us-west-2"));
        let other = here.replace("1234abcd", "ffffabcd");
        for (text, repeats) in [
            (here.clone(), false),
            (format!("{here},{other}"), false),
            (format!("{here},{here}"), true),
            (format!("{here},{other}, {here}"), true),
            (format!("{here},{there}"), true),
            (format!("{here},{}", here.replace("abcd", "ABCD")), true),
        ] {
            assert_eq!(KeySource::parse(&text).unwrap().repeats_a_key(), repeats, "{text}");
        }
    }
}
