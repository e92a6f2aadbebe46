use std::error::Error;

pub(super) type BoxError = Box<dyn Error + Send + Sync>;

#[derive(Debug, thiserror::Error)]
pub enum GoogleError {
    #[error("get the AWS credentials that sign for Google")]
    NoCredentials(#[source] BoxError),
    /// A human must change something before another try can succeed.
    #[error("{what}: refused with {status}: {told}{advice}")]
    Refused {
        what: String,
        status: u16,
        /// What Google says.
        told: String,
        /// Empty, or what to look at.
        advice: String,
    },
    /// No answer, or a bad moment of Google's: to be tried again.
    #[error("{what}")]
    Unavailable { what: String, source: BoxError },
}

impl GoogleError {
    pub fn is_permanent(&self) -> bool {
        matches!(self, Self::Refused { .. })
    }

    /// What a caller knows of a refusal that this crate does not.
    #[must_use]
    pub fn with_advice(mut self, of: impl FnOnce(u16) -> String) -> Self {
        if let Self::Refused { status, advice, .. } = &mut self {
            let text = of(*status);
            *advice = if text.is_empty() { text } else { format!("; {text}") };
        }
        self
    }
}
