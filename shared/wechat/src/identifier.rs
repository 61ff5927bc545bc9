//! How what names a person is written as text: in WeChat's answers, and inside a seal. Nowhere else is it, so the types
//! themselves cannot be serialized: who keeps one says so, with `#[serde(with = "…")]`.

/// An [`OpenId`](crate::OpenId), which must be there.
pub mod openid {
    use serde::de::{Deserialize as _, Deserializer, Error as _};
    use serde::ser::Serializer;

    use crate::OpenId;

    /// Writes it.
    ///
    /// # Errors
    ///
    /// The serializer's own.
    pub fn serialize<S: Serializer>(openid: &OpenId, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(openid.expose())
    }

    /// Reads it.
    ///
    /// # Errors
    ///
    /// The deserializer's own; also if the text has not the form of one.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<OpenId, D::Error> {
        OpenId::parse(String::deserialize(deserializer)?).ok_or_else(|| D::Error::custom("no openid"))
    }
}

/// A [`UnionId`](crate::UnionId), which may be missing. What is not of its form is none.
pub mod unionid {
    use serde::de::{Deserialize as _, Deserializer};
    use serde::ser::{Serialize as _, Serializer};

    use crate::UnionId;

    /// Writes it.
    ///
    /// # Errors
    ///
    /// The serializer's own.
    pub fn serialize<S: Serializer>(unionid: &Option<UnionId>, serializer: S) -> Result<S::Ok, S::Error> {
        unionid.as_ref().map(UnionId::expose).serialize(serializer)
    }

    /// Reads it; empty or null counts as absent.
    ///
    /// # Errors
    ///
    /// The deserializer's own.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<UnionId>, D::Error> {
        Ok(Option::<String>::deserialize(deserializer)?.and_then(UnionId::parse))
    }
}
