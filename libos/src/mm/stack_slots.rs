//! Slots for thread stacks whose lowest page really faults.
//!
//! The tender laid out zones of slots, each with an inaccessible low end. A mapping that is going to
//! be a thread's stack is placed so that its own lowest page, which the C library keeps as the
//! guard, is an inaccessible one. When all slots of a fitting size are taken, a stack lies in
//! ordinary memory and its guard is bookkeeping only.

use alloc::vec::Vec;

use libos_abi::PAGE_SIZE;
use libos_abi::boot::StackZone;

use crate::mm::extent::Extent;

/// All slots.
#[derive(Default)]
pub struct StackSlots {
    /// Smallest slots first.
    zones: Vec<Zone>,
}

/// Equal slots.
struct Zone {
    base: usize,
    stride: usize,
    guard: usize,
    count: usize,
    /// Free slots; the one that was freed last is taken first.
    free: Vec<usize>,
}

impl Zone {
    fn extent(&self) -> Extent {
        Extent::new(self.base, self.base + self.stride * self.count)
    }

    /// What a mapping in slot `index` can occupy: the highest guard page and everything above.
    fn usable(&self, index: usize) -> Extent {
        let start = self.base + index * self.stride;
        Extent::new(start + self.guard - PAGE_SIZE, start + self.stride)
    }
}

impl StackSlots {
    /// No slot.
    pub const fn new() -> Self {
        Self { zones: Vec::new() }
    }

    /// Adds the tender's zones. Those without slots or guards are left out.
    pub fn add(&mut self, zones: &[StackZone]) {
        let size = |value: u64| usize::try_from(value).unwrap_or(0);
        for zone in zones.iter().filter(|zone| zone.guard > 0 && zone.count > 0) {
            let count = size(zone.count);
            let stride = size(zone.stride);
            let place = self.zones.partition_point(|other| other.stride <= stride);
            let new = Zone {
                base: size(zone.base),
                stride,
                guard: size(zone.guard),
                count,
                free: (0..count).rev().collect(),
            };
            self.zones.insert(place, new);
        }
    }

    /// Takes a slot for a mapping of `len` bytes, its lowest page included, which will fault.
    pub fn take(&mut self, len: usize) -> Option<Extent> {
        let zone = self
            .zones
            .iter_mut()
            .find(|zone| zone.usable(0).len() >= len && !zone.free.is_empty())?;
        let index = zone.free.pop()?;
        let start = zone.usable(index).start;
        Some(Extent::new(start, start + len))
    }

    /// The usable part of the slot that contains `address`.
    pub fn slot_at(&self, address: usize) -> Option<Extent> {
        let zone = self.zone_at(address)?;
        let usable = zone.usable((address - zone.base) / zone.stride);
        usable.contains(address).then_some(usable)
    }

    /// Gives the slot that contains `address` back.
    pub fn release(&mut self, address: usize) {
        let zones = self.zones.iter_mut();
        let Some(zone) = zones
            .into_iter()
            .find(|zone| zone.extent().contains(address))
        else {
            return;
        };
        let index = (address - zone.base) / zone.stride;
        if !zone.free.contains(&index) {
            zone.free.push(index);
        }
    }

    /// Whether `extent` includes a page that can't be accessed.
    pub fn has_guard(&self, extent: Extent) -> bool {
        self.zones.iter().any(|zone| {
            let part = zone.extent().intersection(extent);
            !part.is_empty() && {
                let offset = (part.start - zone.base) % zone.stride;
                offset < zone.guard || offset + part.len() > zone.stride
            }
        })
    }

    fn zone_at(&self, address: usize) -> Option<&Zone> {
        self.zones
            .iter()
            .find(|zone| zone.extent().contains(address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const P: u64 = PAGE_SIZE as u64;

    fn slots() -> StackSlots {
        let zone = |base, stride, count| StackZone {
            base,
            stride,
            guard: 16 * P,
            count,
        };
        let mut slots = StackSlots::new();
        slots.add(&[zone(1 << 30, 528 * P, 2), zone(2 << 30, 80 * P, 1)]);
        slots
    }

    fn size(pages: usize) -> usize {
        pages * PAGE_SIZE
    }

    #[test]
    fn the_lowest_page_is_the_highest_guard_page() {
        let mut slots = slots();
        let stack = slots.take(size(513)).expect("a slot");
        assert_eq!(stack.start, (1 << 30) + size(15));
        assert_eq!(stack.end, (1 << 30) + size(528));
        assert!(slots.has_guard(stack));
        assert!(!slots.has_guard(Extent::new(stack.start + size(1), stack.end)));
        assert_eq!(slots.slot_at(stack.start + 5), Some(stack));
    }

    #[test]
    fn small_stacks_take_small_slots_first() {
        let mut slots = slots();
        let starts: Vec<usize> = (0..3)
            .map(|_| slots.take(size(40)).expect("a slot").start >> 29)
            .collect();
        assert_eq!(starts, [4, 2, 2]);
        assert_eq!(slots.take(size(40)), None, "all taken");
    }

    #[test]
    fn a_released_slot_is_taken_again() {
        let mut slots = slots();
        let first = slots.take(size(513)).expect("a slot");
        slots.take(size(513)).expect("a slot");
        slots.release(first.start);
        slots.release(first.start);
        assert_eq!(slots.take(size(513)), Some(first));
        assert_eq!(slots.take(size(513)), None, "not released twice");
        assert_eq!(slots.take(size(600)), None, "too long for any");
    }
}
