//! Values that must not leak: a redacted `Debug`, no `Display`, no `Serialize`, no `PartialEq`.

/// Declares a text secret.
macro_rules! text_secret {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Clone)]
        pub struct $name(String);

        impl $name {
            /// Takes the text as the secret it is.
            #[must_use]
            pub const fn new(secret: String) -> Self {
                Self(secret)
            }

            /// The text itself: for the wire and for sealing, never for a log.
            #[must_use]
            pub fn expose(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str(concat!(stringify!($name), "([redacted])"))
            }
        }
    };
}

pub(crate) use text_secret;
