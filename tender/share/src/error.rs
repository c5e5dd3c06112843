//! Why a shared folder could not be started.
//!
//! One variant per step that failed; [`StartError::advice`] says what to try.

use std::io;
use std::path::PathBuf;

/// The step that failed.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// There is nothing at the path, or no way to it.
    #[error("shared folder: expected a folder or a file at {}, found: {source}", path.display())]
    Open {
        /// The path.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// What is there cannot be shared.
    #[error("shared folder: expected a folder or a regular file at {}, found {found}", path.display())]
    Kind {
        /// The path.
        path: PathBuf,
        /// What is there.
        found: &'static str,
    },
    /// The caller may not use it.
    #[error("shared folder: expected that you may {needs} {}, found: {source}", path.display())]
    Access {
        /// The path.
        path: PathBuf,
        /// Which rights are needed.
        needs: &'static str,
        /// Why not.
        source: io::Error,
    },
    /// The helper could not be made.
    #[error("shared folder: {0}")]
    Helper(#[from] libos_helper::StartError),
}

impl StartError {
    /// What the user can do about it.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Open { .. } => "make the folder (mkdir -p), or check the path",
            Self::Kind { .. } => {
                "share the folder that it is in: devices, fifos and sockets of the host are not served"
            }
            Self::Access { .. } => {
                "another folder, or other permissions: `ls -ld` shows them; the helper has your rights and no more"
            }
            Self::Helper(error) => error.advice(),
        }
    }
}
