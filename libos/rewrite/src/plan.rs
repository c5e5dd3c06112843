//! Decides, as data, how each gate is redirected.
//!
//! Main function: [`plan`]; what it yields is in [`crate::action`]. First every gate gets its own window of at least five
//! bytes of whole, movable instructions where one exists; [`crate::island`] serves the others with a
//! short jump. Nothing is written here: [`crate::apply`] does.

use alloc::vec::Vec;
use core::ops::Range;

use crate::action::{Action, Planned};
use crate::displace::Decoded;
use crate::encoding::JUMP_LEN;
use crate::error::Reason;
use crate::find::{Gate, GateKind, Listing};
use crate::island;
use crate::text::Text;

/// Plans all gates, which must be in the order of their addresses.
#[must_use]
pub fn plan(text: &Text<'_>, listing: &Listing, gates: &[Gate]) -> Vec<Planned> {
    let mut planned = Vec::with_capacity(gates.len());
    let mut floor = 0;
    for &gate in gates {
        let action = match refusal(&gate) {
            Some(reason) => Action::Trap(reason),
            None => Windows {
                text,
                listing,
                floor,
            }
            .find(&gate)
            .map_or(Action::Trap(Reason::NoRoom), Action::Window),
        };
        floor = match &action {
            Action::Window(window) => window.end,
            _ => gate.after,
        };
        planned.push(Planned { gate, action });
    }
    island::place(text, listing, &mut planned);
    planned
}

fn refusal(gate: &Gate) -> Option<Reason> {
    match gate.kind {
        GateKind::Int80 => Some(Reason::Int80),
        GateKind::Sysenter => Some(Reason::Sysenter),
        GateKind::Syscall => gate.ambiguous.then_some(Reason::Ambiguous),
    }
}

struct Windows<'t, 'a> {
    text: &'t Text<'a>,
    listing: &'t Listing,
    /// End of the window before: this one must not begin before it.
    floor: u64,
}

impl Windows<'_, '_> {
    /// A window that ends with the gate if there is one, else one that goes on behind it.
    fn find(&self, gate: &Gate) -> Option<Range<u64>> {
        let window = self.candidate(gate)?;
        (!self.listing.contested.contains(self.text, window.start)).then_some(window)
    }

    fn candidate(&self, gate: &Gate) -> Option<Range<u64>> {
        if self.entered(gate.start + 1..gate.after) || gate.start < self.floor {
            return None;
        }
        let mut start = gate.start;
        while gate.after - start < JUMP_LEN {
            let Some(previous) = self.previous(start) else {
                return self.extend(start, gate.after).map(|end| start..end);
            };
            start = previous;
        }
        Some(start..gate.after)
    }

    /// Start of the instruction before `start`, if it can be moved and nothing leads to `start`.
    fn previous(&self, start: u64) -> Option<u64> {
        const LONGEST: u64 = 15;
        if self.entered(start..start + 1) {
            return None;
        }
        let lowest = start.saturating_sub(LONGEST).max(self.floor);
        let previous = (lowest..start)
            .rev()
            .find(|&at| self.listing.starts.contains(self.text, at))?;
        let decoded = Decoded::at(self.text, previous)?;
        let movable = decoded.form().is_some() && !decoded.ends_flow();
        (movable && decoded.end() == start && !self.entered(previous + 1..start))
            .then_some(previous)
    }

    /// End of a window from `start` that also takes the instructions from `end` on.
    fn extend(&self, start: u64, mut end: u64) -> Option<u64> {
        while end - start < JUMP_LEN {
            if self.entered(end..end + 1) || !self.listing.starts.contains(self.text, end) {
                return None;
            }
            let decoded = Decoded::at(self.text, end)?;
            decoded.form()?;
            if self.entered(end + 1..decoded.end()) {
                return None;
            }
            end = decoded.end();
            if decoded.ends_flow() {
                return self.pad(start, end);
            }
        }
        Some(end)
    }

    /// Behind an instruction that ends the flow, padding may fill up the window.
    fn pad(&self, start: u64, end: u64) -> Option<u64> {
        let needed = end.max(start + JUMP_LEN);
        if needed == end {
            return Some(end);
        }
        let padding = &self.listing.padding;
        let run = &padding[padding.binary_search_by_key(&end, |run| run.start).ok()?];
        (needed <= run.end && !self.entered(end..needed)).then_some(needed)
    }

    fn entered(&self, range: Range<u64>) -> bool {
        self.listing.targets.first_in(self.text, range).is_some()
    }
}
