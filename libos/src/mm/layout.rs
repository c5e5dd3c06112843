//! How the region is divided. Addresses only: nothing is touched here.

use crate::mm::extent::{Extent, page_floor};
use crate::mm::kernel_stack::KERNEL_STACK_SIZE;

/// The least region that can be divided, in bytes.
#[expect(clippy::cast_possible_truncation, reason = "1 GiB fits into a word")]
pub const LEAST: usize = libos_abi::boot::LEAST_MEMORY as usize;

/// Most addresses for libOS stacks: 65,536 threads.
const MOST_KERNEL_STACKS: usize = (1 << 16) * KERNEL_STACK_SIZE;

/// The parts, in order of address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The libOS's heap.
    pub heap: Extent,
    /// Stacks of threads inside the libOS.
    pub kernel_stacks: Extent,
    /// File data.
    pub pages: Extent,
    /// Where the application's break moves.
    pub brk: Extent,
    /// Everything else that the application maps.
    pub app: Extent,
}

impl Layout {
    /// Divides `region`; `None` if it is shorter than [`LEAST`].
    pub fn divide(region: Extent) -> Option<Self> {
        if region.len() < LEAST {
            return None;
        }
        let sixteenth = page_floor(region.len() / 16);
        let mut next = region.start;
        let mut part = |len: usize| {
            let extent = Extent::new(next, next + len);
            next = extent.end;
            extent
        };
        Some(Self {
            heap: part(sixteenth),
            kernel_stacks: part(sixteenth.min(MOST_KERNEL_STACKS)),
            pages: part(4 * sixteenth),
            brk: part(sixteenth),
            app: Extent::new(next, page_floor(region.end)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_cover_the_region_in_order() {
        let region = Extent::new(1 << 40, 2 << 40);
        let layout = Layout::divide(region).expect("large enough");
        let parts = [
            layout.heap,
            layout.kernel_stacks,
            layout.pages,
            layout.brk,
            layout.app,
        ];
        assert_eq!(parts[0].start, region.start);
        assert!(parts.windows(2).all(|pair| pair[0].end == pair[1].start));
        assert_eq!(parts[4].end, region.end);
        assert!(layout.app.len() > region.len() / 2);
        assert_eq!(layout.kernel_stacks.len(), MOST_KERNEL_STACKS);
    }

    #[test]
    fn a_region_that_is_too_small_is_refused() {
        assert_eq!(Layout::divide(Extent::new(0, LEAST - 1)), None);
        assert!(Layout::divide(Extent::new(0, LEAST)).is_some());
    }
}
