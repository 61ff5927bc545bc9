//! Things by name in a setting that is JSON.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};

/// A JSON object of things by name, none of which stands there twice: of two that do, JSON's readers keep the last
/// without a word ([RFC 8259 §4](https://www.rfc-editor.org/rfc/rfc8259#section-4)).
#[derive(Debug)]
pub struct Named<T>(pub Vec<(String, T)>);

impl<T> Default for Named<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Named<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Object<T> {
            type Value = Named<T>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Named<T>, A::Error> {
                let mut named: Vec<(String, T)> = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, T>()? {
                    if named.iter().any(|(known, _)| *known == name) {
                        return Err(A::Error::custom("duplicate name"));
                    }
                    named.push((name, value));
                }
                Ok(Named(named))
            }
        }
        deserializer.deserialize_map(Object(PhantomData))
    }
}
