//! Secrets: where they are, and how they are fetched and re-read.
//!
//! App secrets, the tokens of a third-party platform, which change more often, and signing keys are kept the same way.
//! They are fetched when first needed, not at start: a function whose secrets cannot be had for the moment still starts
//! and answers. They are kept for a quarter of an hour, and read anew at once when WeChat says that the secret is
//! wrong, so that a rotation needs no deployment. A copy that is older is used on while Secrets Manager is away: most
//! likely it is still right, and if it is not, WeChat says so. Why it is used is kept for the log
//! ([`Secrets::unread`]): a role that lost its permission is found before the last process that has a copy ends.
//!
//! To wait for Secrets Manager in vain costs a login two seconds, and the next one would wait no less. So its silence
//! is remembered for a moment by a process that has no copy too; what it says at once is not, and who has just put the
//! secret in is logged in.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use aws_sdk_secretsmanager::config::timeout::TimeoutConfig;
use aws_sdk_secretsmanager::error::SdkError;
use aws_sdk_secretsmanager::operation::get_secret_value::GetSecretValueError;
use settings::{Settings, Wrong};
use thiserror::Error;

use login::time::Timestamp;
use wechat::{AppId, AppSecret, ComponentAccessToken};

/// How long app secrets are kept in memory.
const SECRETS_KEPT: Duration = Duration::from_mins(15);
/// How long the tokens of third-party platforms are kept; they live two hours and are replaced before.
const COMPONENT_TOKENS_KEPT: Duration = Duration::from_mins(2);

/// How long Secrets Manager may take to answer, the SDK's own retries included.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(2);
/// How long one attempt may take.
const ATTEMPT_TIMEOUT: Duration = Duration::from_millis(900);

/// For how long a copy is used on, once Secrets Manager gave no answer, before it is asked again: each question costs a
/// login two seconds.
const PAUSE: Duration = Duration::from_secs(30);
/// For how long nobody asks again, with a copy or without, once Secrets Manager was waited for in vain.
const SILENCE: Duration = Duration::from_secs(5);

/// Where secrets are.
#[derive(Debug, Clone)]
pub enum SecretsSource<T> {
    /// In the Secrets Manager secret of this ARN; of what is kept by appid, the text is a JSON object.
    SecretsManager(String),
    /// Given by the environment itself, for a machine without AWS.
    Inline(T),
}

/// Secrets by appid, each of which can be of one kind only.
#[derive(Debug, Clone)]
pub struct ByAppId<T>(HashMap<AppId, T>);

/// The app secrets.
pub type AppSecrets = ByAppId<AppSecret>;
/// The tokens of third-party platforms.
pub type ComponentTokens = ByAppId<ComponentAccessToken>;

/// A kind of secret that is kept by appid.
pub trait Kept: Clone {
    /// Why there is nothing to use where there is none.
    const MISSING: SecretsError;

    /// Takes the text as the secret it is.
    fn new(text: String) -> Self;
}

impl Kept for AppSecret {
    const MISSING: SecretsError = SecretsError::Missing;

    fn new(text: String) -> Self {
        Self::new(text)
    }
}

impl Kept for ComponentAccessToken {
    const MISSING: SecretsError = SecretsError::NoComponentToken;

    fn new(text: String) -> Self {
        Self::new(text)
    }
}

/// Why there is no secret to use. Names the cause, never a content.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SecretsError {
    /// Secrets Manager did not answer, or said no. Holds its error code, such as `AccessDeniedException`,
    /// `ResourceNotFoundException` or `ThrottlingException`, or the SDK's word for what happened.
    #[error("the secret could not be read: {0}")]
    Unavailable(String),
    /// What Secrets Manager holds cannot be read as what it should be.
    #[error("the secret does not hold what it should")]
    Malformed,
    /// There is no secret for this app.
    #[error("there is no app secret for this appid")]
    Missing,
    /// There is no token of the third-party platform that acts for this app.
    #[error("there is no component_access_token for this third-party platform")]
    NoComponentToken,
}

settings::declare! {
    APP_SECRETS_ARN, ARN, "`arn:aws:secretsmanager:…`", ["", ""], ["Secrets Manager secret, JSON `{\"appid\":\"secret\"}`. Read when first needed, kept for 15 minutes", "Secrets Manager 密钥，内容为 JSON `{\"appid\":\"AppSecret\"}`。首次用到时读取，在内存中保留 15 分钟"];
    APP_SECRETS, BY_APPID, "`{\"wx0123456789abcdef\":\"…\"}`", ["", ""], ["The same JSON itself, for a machine without AWS. Setting both is an error", "直接写 JSON，供没有 AWS 的环境使用。两项不可同时设置"];
    COMPONENT_TOKENS_ARN, ARN, "`arn:aws:secretsmanager:…`", ["none", "无"], ["Needed with a third-party platform: Secrets Manager secret, JSON `{\"appid\":\"component_access_token\"}`. Kept for 2 minutes", "有第三方平台时必填：Secrets Manager 密钥，内容为 JSON `{\"appid\":\"component_access_token\"}`，在内存中保留 2 分钟"];
    COMPONENT_TOKENS, BY_APPID, "`{\"wx00112233445566ff\":\"…\"}`", ["none", "无"], ["The same JSON itself, instead. Setting both is an error", "改为直接写 JSON。两项不可同时设置"];
}

const ARN: &str = "the ARN of a Secrets Manager secret";
const BY_APPID: &str = "a JSON object of secrets by appid";

impl SecretsSource<AppSecrets> {
    /// Reads where the app secrets are, which must be said.
    ///
    /// # Errors
    ///
    /// [`Wrong`] if it is not said, is said twice or is wrong; each is noted.
    pub fn of_apps(settings: &mut Settings<'_>) -> Result<Self, Wrong> {
        let source =
            settings.one_of_two((&APP_SECRETS_ARN, Self::arn), (&APP_SECRETS, Self::inline), true)?;
        source.ok_or(Wrong)
    }
}

impl SecretsSource<ComponentTokens> {
    /// Reads where the tokens of third-party platforms are, if there are any.
    ///
    /// # Errors
    ///
    /// [`Wrong`] if it is said twice or is wrong; each is noted.
    pub fn of_components(settings: &mut Settings<'_>) -> Result<Option<Self>, Wrong> {
        settings.one_of_two((&COMPONENT_TOKENS_ARN, Self::arn), (&COMPONENT_TOKENS, Self::inline), false)
    }
}

impl<T: Kept> SecretsSource<ByAppId<T>> {
    fn arn(text: &str) -> Option<Self> {
        (text.starts_with("arn:") && text.contains(":secretsmanager:"))
            .then(|| Self::SecretsManager(text.to_owned()))
    }

    fn inline(text: &str) -> Option<Self> {
        ByAppId::parse(text).map(Self::Inline)
    }
}

impl<T: Kept> ByAppId<T> {
    /// Reads a JSON object of secrets by appid. The blanks that are copied along with a secret are not part of it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let secrets: HashMap<String, String> = serde_json::from_str(text).ok()?;
        let mut kept = HashMap::new();
        for (app, secret) in secrets {
            let (app, secret) = (AppId::parse(app.trim())?, secret.trim());
            if !secret.is_empty() {
                kept.insert(app, T::new(secret.to_owned()));
            }
        }
        Some(Self(kept))
    }

    /// The secret of an app, or of a third-party platform.
    ///
    /// # Errors
    ///
    /// [`Kept::MISSING`] if there is none, or an empty one.
    pub fn of(&self, app: &AppId) -> Result<T, SecretsError> {
        self.0.get(app).cloned().ok_or(T::MISSING)
    }
}

/// Secrets as a process holds them.
#[derive(Debug)]
pub struct Secrets<T> {
    source: SecretsSource<T>,
    parse: fn(&str) -> Option<T>,
    lifetime: Duration,
    client: Option<aws_sdk_secretsmanager::Client>,
    kept: Mutex<Option<(T, Timestamp)>>,
    failed: Mutex<Option<Failed>>,
}

/// The last question to Secrets Manager that gave no secret.
#[derive(Debug, Clone)]
struct Failed {
    at: Timestamp,
    /// What it came to.
    error: SecretsError,
    /// Whether it was waited for in vain.
    is_silence: bool,
}

impl Secrets<AppSecrets> {
    /// The app secrets in `source`. Reads nothing yet.
    #[must_use]
    pub fn of_apps(source: SecretsSource<AppSecrets>, aws: &aws_config::SdkConfig) -> Self {
        Self::new(source, ByAppId::parse, SECRETS_KEPT, aws)
    }
}

impl Secrets<ComponentTokens> {
    /// The tokens of third-party platforms in `source`. Reads nothing yet.
    #[must_use]
    pub fn of_components(source: SecretsSource<ComponentTokens>, aws: &aws_config::SdkConfig) -> Self {
        Self::new(source, ByAppId::parse, COMPONENT_TOKENS_KEPT, aws)
    }
}

impl<T: Clone> Secrets<T> {
    /// What `parse` makes of the text in `source`, kept for `lifetime`. Reads nothing yet.
    #[must_use]
    pub fn new(
        source: SecretsSource<T>,
        parse: fn(&str) -> Option<T>,
        lifetime: Duration,
        aws: &aws_config::SdkConfig,
    ) -> Self {
        let timeouts = TimeoutConfig::builder()
            .operation_timeout(OPERATION_TIMEOUT)
            .operation_attempt_timeout(ATTEMPT_TIMEOUT)
            .build();
        let client = matches!(source, SecretsSource::SecretsManager(_)).then(|| {
            let settings = aws_sdk_secretsmanager::config::Builder::from(aws).timeout_config(timeouts);
            aws_sdk_secretsmanager::Client::from_conf(settings.build())
        });
        Self { source, parse, lifetime, client, kept: Mutex::new(None), failed: Mutex::new(None) }
    }

    /// The secrets, from memory if they were read lately or cannot be read now.
    ///
    /// # Errors
    ///
    /// [`SecretsError`] if they cannot be read, or are not what they should be.
    pub async fn get(&self, now: Timestamp) -> Result<T, SecretsError> {
        let kept = lock(&self.kept).clone();
        let is_paused = lock(&self.failed).as_ref().is_some_and(|failed| now < failed.at.plus(PAUSE));
        match kept {
            Some((secrets, read_at)) if now < read_at.plus(self.lifetime) => Ok(secrets),
            Some((secrets, _)) if is_paused => Ok(secrets),
            Some((secrets, _)) => match self.read(now).await {
                Err(SecretsError::Unavailable(_)) => Ok(secrets),
                read => read,
            },
            None => self.read(now).await,
        }
    }

    /// The secrets, read anew whatever is in memory, unless Secrets Manager was waited for in vain a moment ago.
    ///
    /// # Errors
    ///
    /// [`SecretsError`] if they cannot be read, or are not what they should be.
    pub async fn read(&self, now: Timestamp) -> Result<T, SecretsError> {
        let failed = lock(&self.failed).clone();
        if let Some(Failed { at, error, is_silence: true }) = failed
            && now < at.plus(SILENCE)
        {
            return Err(error);
        }
        let read = self.fetch(now).await;
        if let Ok(secrets) = &read {
            *lock(&self.kept) = Some((secrets.clone(), now));
        }
        read
    }

    /// Notes that a caller gave Secrets Manager up, whose own time was over sooner, and says so as [`Self::read`]
    /// would.
    pub fn give_up(&self, now: Timestamp) -> SecretsError {
        let error = SecretsError::Unavailable("Timeout".to_owned());
        *lock(&self.failed) = Some(Failed { at: now, error: error.clone(), is_silence: true });
        error
    }

    /// Why the copy in memory is an old one, if it is: what the last question to Secrets Manager came to that was asked
    /// after the copy was read.
    #[must_use]
    pub fn unread(&self) -> Option<SecretsError> {
        let read_at = lock(&self.kept).as_ref().map(|(_, read_at)| *read_at)?;
        lock(&self.failed).as_ref().filter(|failed| failed.at > read_at).map(|failed| failed.error.clone())
    }

    async fn fetch(&self, now: Timestamp) -> Result<T, SecretsError> {
        let secrets = match (&self.source, &self.client) {
            (SecretsSource::Inline(secrets), _) => secrets.clone(),
            (SecretsSource::SecretsManager(arn), Some(client)) => {
                let answer = client.get_secret_value().secret_id(arn).send().await;
                let answer = answer.map_err(|error| self.unavailable(&error, now))?;
                answer.secret_string().and_then(self.parse).ok_or(SecretsError::Malformed)?
            }
            (SecretsSource::SecretsManager(_), None) => {
                return Err(SecretsError::Unavailable("NoClient".to_owned()));
            }
        };
        Ok(secrets)
    }

    fn unavailable<R>(&self, error: &SdkError<GetSecretValueError, R>, now: Timestamp) -> SecretsError {
        let is_silence = match error {
            SdkError::TimeoutError(_) => true,
            SdkError::DispatchFailure(failure) => failure.is_timeout(),
            _ => false,
        };
        let error = SecretsError::Unavailable(aws_error::code(error).to_owned());
        *lock(&self.failed) = Some(Failed { at: now, error: error.clone(), is_silence });
        error
    }
}

/// A panic elsewhere leaves at worst an old copy, which is what a copy is for.
fn lock<T>(kept: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    kept.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_read_by_appid_and_never_printed() {
        let secrets =
            AppSecrets::parse(r#"{"wx0000000000000aaa":"canary","wx0000000000000bbb":""}"#).unwrap();
        let app = |text| AppId::parse(text).unwrap();
        assert_eq!(secrets.of(&app("wx0000000000000aaa")).unwrap().expose(), "canary");
        assert_eq!(secrets.of(&app("wx0000000000000bbb")).unwrap_err(), SecretsError::Missing);
        assert_eq!(secrets.of(&app("wx0000000000000ccc")).unwrap_err(), SecretsError::Missing);
        let tokens = ComponentTokens::parse(r#"{"wx0000000000000aaa":"canary"}"#).unwrap();
        assert_eq!(tokens.of(&app("wx0000000000000aaa")).unwrap().expose(), "canary");
        assert_eq!(tokens.of(&app("wx0000000000000ccc")).unwrap_err(), SecretsError::NoComponentToken);
        assert!(!format!("{secrets:?}").contains("canary"));
        let copied = AppSecrets::parse(r#"{"wx0000000000000aaa ":" canary\n"}"#).unwrap();
        assert_eq!(copied.of(&app("wx0000000000000aaa")).unwrap().expose(), "canary");
    }

    #[test]
    fn fail_on_anything_else() {
        for text in ["", "[]", "\"canary\"", r#"{"app":"x"}"#, r#"{"wx0000000000000aaa":1}"#] {
            assert!(AppSecrets::parse(text).is_none(), "{text}");
        }
    }
}
