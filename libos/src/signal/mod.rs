//! Signals: actions, masks, queues, delivery.
//!
//! [`ProcessSignals`] belongs to a process, [`ThreadSignals`] to a thread.

/// Signal actions and the signals pending for the process as a whole.
#[derive(Default)]
pub struct ProcessSignals {}

/// Mask, pending signals and alternate stack of one thread.
#[derive(Default)]
pub struct ThreadSignals {}
