//! The heap over a region of host memory.

use super::*;
use crate::mm::testing::{Random, Region};

fn heap(region: &Region, limit: usize) -> Heap {
    let budget = Box::leak(Box::new(Budget::new(limit)));
    let mut heap = Heap::new(budget);
    // SAFETY: the region outlives the heap in every test.
    unsafe { heap.set_range(region.start, region.start + region.len) };
    heap
}

fn layout(size: usize, align: usize) -> Layout {
    Layout::from_size_align(size, align).expect("a valid layout")
}

#[test]
fn every_size_has_the_smallest_class_that_holds_it() {
    for size in 1..=SLAB_MAX {
        let class = class_of(layout(size, 8)).expect("small");
        assert!(CLASS_SIZES[class] >= size, "{size}");
        assert!(class == 0 || CLASS_SIZES[class - 1] < size, "{size}");
    }
    assert_eq!(class_of(layout(SLAB_MAX + 1, 8)), None);
    assert_eq!(class_of(layout(64, 64)), None, "talc aligns");
}

#[test]
fn without_a_range_every_request_fails() {
    static BUDGET: Budget = Budget::new(usize::MAX);
    let mut heap = Heap::new(&BUDGET);
    // SAFETY: sizes are not 0.
    unsafe {
        assert!(heap.allocate(layout(16, 8)).is_null());
        assert!(heap.allocate(layout(1 << 20, 8)).is_null());
    }
}

#[test]
fn a_freed_block_is_the_next_one_handed_out() {
    let region = Region::new(8 << 20);
    let mut heap = heap(&region, usize::MAX);
    // SAFETY: blocks are freed once, with their layout.
    unsafe {
        let first = heap.allocate(layout(40, 8));
        heap.deallocate(first, layout(40, 8));
        assert_eq!(heap.allocate(layout(48, 8)), first, "same class");
    }
}

#[test]
fn blocks_never_overlap_and_keep_their_bytes() {
    struct Block {
        ptr: *mut u8,
        layout: Layout,
        fill: u8,
    }
    let region = Region::new(64 << 20);
    let mut heap = heap(&region, usize::MAX);
    let mut random = Random::new(7);
    let mut live: Vec<Block> = Vec::new();
    let verify = |block: &Block| {
        // SAFETY: a live block of this size.
        let bytes = unsafe { core::slice::from_raw_parts(block.ptr, block.layout.size()) };
        assert!(bytes.iter().all(|&byte| byte == block.fill));
    };
    for round in 0..20_000 {
        let fill = u8::try_from(round % 251).expect("below 256");
        if live.len() < 200 && random.below(5) < 3 {
            let magnitude = 1 + random.below(16);
            let size = 1 + random.below(1 << magnitude);
            let layout = layout(size, 1 << random.below(8));
            // SAFETY: not 0.
            let ptr = unsafe { heap.allocate(layout) };
            assert!(!ptr.is_null());
            assert_eq!(ptr as usize % layout.align(), 0);
            // SAFETY: the new block has `size` bytes.
            unsafe { ptr.write_bytes(fill, size) };
            live.push(Block { ptr, layout, fill });
        } else if !live.is_empty() {
            let index = random.below(live.len());
            verify(&live[index]);
            let new_size = 1 + random.below(4096);
            let block = &mut live[index];
            // SAFETY: a live block with its layout.
            if unsafe { heap.resize_in_place(block.ptr, block.layout, new_size) } {
                block.layout = layout(new_size, block.layout.align());
                block.fill = fill;
                // SAFETY: the block has `new_size` bytes now.
                unsafe { block.ptr.write_bytes(fill, new_size) };
            } else {
                let block = live.swap_remove(index);
                // SAFETY: as above; it is forgotten after this.
                unsafe { heap.deallocate(block.ptr, block.layout) };
            }
        }
    }
    live.iter().for_each(verify);
}

#[test]
fn the_arena_grows_by_steps_and_stops_at_its_end() {
    let region = Region::new(64 << 20);
    let mut heap = heap(&region, usize::MAX);
    // SAFETY: not 0.
    unsafe {
        assert!(!heap.allocate(layout(16, 8)).is_null());
        assert_eq!(heap.claimed(), STEP);
        assert!(heap.allocate(layout(region.len, 8)).is_null());
        assert!(!heap.allocate(layout(400 << 10, 8)).is_null());
        assert_eq!(heap.claimed(), 3 * STEP);
    }
}

#[test]
fn beyond_the_limit_only_small_requests_are_served_and_not_for_ever() {
    let region = Region::new(64 << 20);
    let mut heap = heap(&region, 0);
    // SAFETY: not 0.
    unsafe {
        assert!(heap.allocate(layout(1 << 20, 8)).is_null());
        let mut served = 0;
        while !heap.allocate(layout(1000, 8)).is_null() {
            served += 1000;
        }
        assert!((EMERGENCY / 2..=EMERGENCY).contains(&served), "{served}");
    }
}
