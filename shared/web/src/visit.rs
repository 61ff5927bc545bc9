//! For whom a page is made.

use std::sync::Arc;

use crate::imprint::Imprint;
use crate::language::Language;
use crate::request::{CorrelationId, Request};
use crate::words::Labels;

/// What every page needs to know: in which language it speaks, of which site, and by which name the log knows the
/// visit.
#[derive(Debug, Clone)]
pub struct Visit {
    /// The language of the page.
    pub language: Language,
    /// The site it is part of.
    pub imprint: Arc<Imprint>,
    /// The id to show, where one is shown.
    pub id: CorrelationId,
}

impl Visit {
    /// The visit that a request is.
    #[must_use]
    pub fn of(request: &Request) -> Self {
        Self {
            language: Language::of(request.headers()),
            imprint: Imprint::of(request),
            id: CorrelationId::of(request),
        }
    }

    /// What a name and a photo are for, as the site says or else by default.
    #[must_use]
    pub fn purpose(&self) -> &str {
        self.imprint.consent_purpose.as_deref().unwrap_or(Labels::of(self.language).consent_purpose)
    }
}
