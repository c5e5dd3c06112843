//! Why a folder cannot be shared: what was expected, what was found, what to try.

/// The step that failed.
#[derive(Debug, thiserror::Error)]
pub enum ShareError {
    /// A value of the option makes no sense.
    #[error("--volume {option}: {key}: expected {expected}, found {found}")]
    Value {
        /// The option's value, as typed.
        option: String,
        /// Which part of it.
        key: &'static str,
        /// What it takes.
        expected: &'static str,
        /// What was given.
        found: String,
    },
    /// Two options want the same place, or places inside each other.
    #[error("--volume {option}: {key}: expected {expected}, found that of --volume {other}")]
    Overlap {
        /// The later option.
        option: String,
        /// The earlier one.
        other: String,
        /// Which part of them.
        key: &'static str,
        /// What was expected.
        expected: &'static str,
        /// What to try.
        advice: &'static str,
    },
    /// The path cannot be made absolute.
    #[error("--volume {option}: expected a path that exists, found: {source}")]
    Path {
        /// The option's value, as typed.
        option: String,
        /// Why not.
        source: std::io::Error,
    },
    /// A host call failed.
    #[error("--volume: expected {call} to succeed, found: {source}")]
    System {
        /// The call and what it was for.
        call: &'static str,
        /// Its error.
        source: std::io::Error,
    },
    /// The file server did not start.
    #[error("--volume {option}: {source}")]
    Start {
        /// The option's value, as typed.
        option: String,
        /// Why not.
        source: libos_share::StartError,
    },
}

impl ShareError {
    /// What the user can do about it.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Value { .. } => {
                "HOST:GUEST[:ro], such as --volume ./data:/data; see `--volume` in docs/usage.md"
            }
            Self::Overlap { advice, .. } => advice,
            Self::Path { .. } => "make the folder first (mkdir -p): nothing is made for you",
            Self::System { .. } => {
                "strace -f shows the call; a container's own filter may refuse it"
            }
            Self::Start { source, .. } => source.advice(),
        }
    }
}
