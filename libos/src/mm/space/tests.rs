//! The address space over host memory: single operations, then random ones against a model that
//! knows each page.

use super::map::{MapRequest, Placement, StackHint};
use super::protect::Locked;
use super::remap::{Old, Target};
use super::*;
use crate::mm::testing::{Random, Region};
use crate::mm::vma::VmaFlags;

const P: usize = PAGE_SIZE;
/// Pages of the model's area for mappings.
const PAGES: usize = 96;
const BRK_PAGES: usize = 16;

struct World {
    space: AddressSpace,
    /// Keeps the memory.
    _region: Region,
    base: usize,
}

/// An address space over `PAGES` pages at `base`, the break area behind them, then a stack slot zone
/// (2 slots of 16 pages, the lowest 2 the guard).
fn world_with(limit: usize, app_pages: usize) -> World {
    // Reserved, not touched.
    let region = Region::new((app_pages + 1024) * P);
    let base = region.start;
    let budget = Box::leak(Box::new(Budget::new(limit)));
    let mut space = AddressSpace::new(budget);
    let brk = base + app_pages * P;
    let zone = brk + BRK_PAGES * P;
    // SAFETY: parts of the region, which lives as long as the space.
    unsafe {
        space.set_up(&Parts {
            app: Extent::new(base, brk),
            brk: Extent::new(brk, zone),
            exec: Extent::default(),
            pages: Extent::default(),
            stack: Extent::default(),
            zones: &[StackZone {
                base: zone as u64,
                stride: 16 * P as u64,
                guard: 2 * P as u64,
                count: 2,
            }],
            segments: &[],
        });
    }
    World {
        space,
        _region: region,
        base,
    }
}

fn world() -> World {
    world_with(usize::MAX, PAGES)
}

fn request(pages: usize, prot: Prot, placement: Placement) -> MapRequest {
    MapRequest {
        len: pages * P,
        prot,
        placement,
        flags: VmaFlags::empty(),
        backing: Backing::Anonymous,
        stack: StackHint::No,
    }
}

impl World {
    fn map(&mut self, pages: usize, prot: Prot) -> Result<Extent> {
        let request = request(pages, prot, Placement::Hint(0));
        self.space.map(&request).map(|(extent, _)| extent)
    }

    fn fixed(&mut self, page: usize, pages: usize, prot: Prot) -> Result<Extent> {
        let placement = Placement::Fixed(self.base + page * P);
        let request = request(pages, prot, placement);
        self.space.map(&request).map(|(extent, _)| extent)
    }

    fn pages(&self, start: usize, end: usize) -> Extent {
        Extent::new(self.base + start * P, self.base + end * P)
    }

    fn check(&mut self, page: usize, access: Access) -> bool {
        self.space.check(self.base + page * P, P, access).is_ok()
    }
}

fn write(address: usize, value: u8) {
    // SAFETY: an address in the test's region.
    unsafe { *(address as *mut u8) = value };
}

fn read(address: usize) -> u8 {
    // SAFETY: an address in the test's region.
    unsafe { *(address as *const u8) }
}

#[test]
fn what_is_mapped_is_zero_and_accessible_and_no_more() {
    let mut world = world();
    let extent = world.map(4, Prot::RW).expect("room");
    assert_eq!(read(extent.start), 0);
    assert_eq!(
        world.space.check(extent.start, 4 * P, Access::Write),
        Ok(())
    );
    let beyond = world.space.check(extent.start, 4 * P + 1, Access::Read);
    assert_eq!(beyond, Err(Errno::EFAULT));
    let wraps = world.space.check(usize::MAX, 2, Access::Read);
    assert_eq!(wraps, Err(Errno::EFAULT));
    assert_eq!(
        world
            .space
            .accessible_len(extent.end - 10, 50, Access::Read),
        10
    );
}

#[test]
fn a_check_follows_every_change_at_once() {
    let mut world = world();
    world.fixed(0, 4, Prot::RW).expect("room");
    assert!(world.check(1, Access::Write));
    world
        .space
        .protect(world.pages(1, 2), Prot::READ)
        .expect("mapped");
    assert!(!world.check(1, Access::Write));
    assert!(world.check(1, Access::Read));
    world
        .space
        .protect(world.pages(1, 2), Prot::empty())
        .expect("mapped");
    assert!(!world.check(1, Access::Read));
    assert!(world.check(2, Access::Read));
    world.space.unmap(world.pages(2, 3));
    assert!(!world.check(2, Access::Read));
}

#[test]
fn fixed_mappings_replace_or_refuse() {
    let mut world = world();
    world.fixed(4, 4, Prot::RW).expect("room");
    write(world.base + 5 * P, 9);
    let twice = request(2, Prot::RW, Placement::FixedNoReplace(world.base + 5 * P));
    assert_eq!(world.space.map(&twice).err(), Some(Errno::EEXIST));
    world.fixed(5, 1, Prot::RW).expect("replaces");
    assert_eq!(read(world.base + 5 * P), 0);
    let odd = request(1, Prot::RW, Placement::Fixed(world.base + 1));
    assert_eq!(world.space.map(&odd).err(), Some(Errno::EINVAL));
    let outside = request(1, Prot::RW, Placement::Fixed(P));
    assert_eq!(world.space.map(&outside).err(), Some(Errno::ENOMEM));
    let high = request(1, Prot::RW, Placement::Fixed(usize::MAX & !(P - 1)));
    assert_eq!(world.space.map(&high).err(), Some(Errno::ENOMEM));
}

#[test]
fn a_hint_is_honoured_if_free() {
    let mut world = world();
    let hint = world.base + 40 * P;
    let first = request(2, Prot::RW, Placement::Hint(hint + 5));
    assert_eq!(world.space.map(&first).expect("room").0.start, hint);
    assert_ne!(world.space.map(&first).expect("room").0.start, hint);
}

#[test]
fn nothing_becomes_executable() {
    let mut world = world();
    let text = request(1, Prot::READ | Prot::EXEC, Placement::Hint(0));
    assert_eq!(world.space.map(&text).err(), Some(Errno::EACCES));
    world.fixed(0, 2, Prot::RW).expect("room");
    let refused = world
        .space
        .protect(world.pages(0, 1), Prot::READ | Prot::EXEC);
    assert_eq!(refused, Err(Errno::EACCES));
}

#[test]
fn a_stack_lies_on_a_guard_that_stays() {
    let mut world = world();
    let mut stack = request(10, Prot::empty(), Placement::Hint(0));
    stack.stack = StackHint::Likely;
    let (extent, _) = world.space.map(&stack).expect("a slot");
    assert!(!world.space.app().covers(extent));
    let whole = world.space.protect(extent, Prot::RW);
    assert_eq!(whole, Err(Errno::ENOMEM), "the lowest page faults for ever");
    let above = Extent::new(extent.start + P, extent.end);
    assert_eq!(world.space.protect(above, Prot::RW), Ok(()));
    write(above.start, 1);
    // Both slots, then ordinary memory.
    let (second, _) = world.space.map(&stack).expect("a slot");
    let (third, _) = world.space.map(&stack).expect("memory");
    assert!(!world.space.app().covers(second));
    assert!(world.space.app().covers(third));
    // Freed in two steps, taken again, and zero.
    world.space.unmap(Extent::new(extent.start, above.start));
    world.space.unmap(above);
    let (again, _) = world.space.map(&stack).expect("a slot");
    assert_eq!(again, extent);
    assert_eq!(read(above.start), 0);
}

#[test]
fn what_lies_below_a_stack_pointer_is_dead_with_its_guard() {
    let mut world = world();
    let mut stack = request(10, Prot::empty(), Placement::Fixed(world.base + 4 * P));
    stack.flags = VmaFlags::STACK;
    world.space.map(&stack).expect("room");
    world.fixed(3, 1, Prot::RW).expect("a stranger below");
    world
        .space
        .protect(world.pages(5, 14), Prot::RW)
        .expect("mapped");
    let pointer = world.base + 13 * P + 100;
    let dead = |start, end| world.space.is_dead_stack(world.pages(start, end), pointer);
    assert!(dead(4, 10), "with the guard");
    assert!(dead(6, 13));
    assert!(!dead(3, 10), "the stranger is alive");
    assert!(!dead(6, 14), "so is what is above the pointer");
    assert!(
        !world
            .space
            .is_dead_stack(world.pages(4, 10), world.base + 3 * P)
    );
}

#[test]
fn the_memory_limit_refuses_what_would_be_touched() {
    // Far apart, because other tests run in this process and use memory too.
    let host = crate::mm::host::resident_bytes().expect("statm");
    let gib = |gib: usize| (gib << 30) / P;
    let mut world = world_with(host + (4 << 30), gib(20));
    world.space.budget.resample();
    assert_eq!(world.map(gib(6), Prot::RW), Err(Errno::ENOMEM));
    world
        .map(gib(6), Prot::empty())
        .expect("no access, no cost");
    let mut reserve = request(gib(6), Prot::RW, Placement::Hint(0));
    reserve.flags = VmaFlags::NORESERVE;
    world.space.map(&reserve).expect("not counted");
    world.map(gib(2), Prot::RW).expect("fits");
    // After a refusal everything is as before.
    assert_eq!(world.space.vmas().mapped(), 14 << 30);
}

#[test]
fn no_more_is_mapped_than_the_resource_limit_allows() {
    let mut world = world();
    world.space.set_limit(8 * P);
    world.fixed(0, 6, Prot::RW).expect("below");
    assert_eq!(world.map(3, Prot::empty()), Err(Errno::ENOMEM));
    world.fixed(1, 6, Prot::RW).expect("only one page is new");
    let start = world.space.set_break(0).0;
    assert_eq!(world.space.set_break(start + 2 * P).0, start, "unchanged");
    assert_eq!(world.space.set_break(start + P).0, start + P);
    let grown = world
        .space
        .remap(world.pages(0, 7), 8 * P, Target::Anywhere, Old::Unmap);
    assert_eq!(grown.err(), Some(Errno::ENOMEM));
}

#[test]
fn the_break_moves_and_comes_back_zero() {
    let mut world = world();
    let start = world.space.set_break(0).0;
    assert_eq!(start, world.base + PAGES * P);
    let end = start + 3 * P + 5;
    assert_eq!(world.space.set_break(end).0, end);
    write(end - 1, 7);
    assert_eq!(world.space.set_break(start + P).0, start + P);
    assert!(world.space.check(end - 1, 1, Access::Read).is_err());
    assert_eq!(world.space.set_break(end).0, end);
    assert_eq!(read(end - 1), 0);
    let too_far = start + (BRK_PAGES + 1) * P;
    assert_eq!(world.space.set_break(too_far).0, end, "unchanged");
    assert_eq!(world.space.set_break(start - 1).0, end, "unchanged");
}

#[test]
fn remap_grows_in_place_or_moves_with_its_contents() {
    let mut world = world();
    let extent = world.fixed(10, 2, Prot::RW).expect("room");
    write(extent.start, 1);
    write(extent.start + P, 2);
    let grown = world
        .space
        .remap(extent, 4 * P, Target::InPlace, Old::Unmap)
        .expect("room behind");
    assert_eq!(grown.extent, world.pages(10, 14));
    world.fixed(14, 1, Prot::READ).expect("room");
    let blocked = world
        .space
        .remap(grown.extent, 6 * P, Target::InPlace, Old::Unmap);
    assert_eq!(blocked.err(), Some(Errno::ENOMEM));
    let moved = world
        .space
        .remap(grown.extent, 6 * P, Target::Anywhere, Old::Unmap)
        .expect("room elsewhere")
        .extent;
    assert_eq!((read(moved.start), read(moved.start + P)), (1, 2));
    assert_eq!(read(moved.end - 1), 0);
    assert!(!world.check(10, Access::Read), "the old place is gone");
    let kept = world
        .space
        .remap(moved, moved.len(), Target::Anywhere, Old::Keep)
        .expect("room")
        .extent;
    assert_eq!((read(kept.start), read(moved.start)), (1, 0));
    let gap = world
        .space
        .remap(world.pages(80, 82), P, Target::Anywhere, Old::Unmap);
    assert_eq!(gap.err(), Some(Errno::EFAULT));
}

#[test]
fn locked_memory_keeps_its_contents() {
    let mut world = world();
    world.fixed(0, 2, Prot::RW).expect("room");
    let extent = world.pages(0, 1);
    world.space.set_locked(extent, Locked::Yes).expect("mapped");
    assert_eq!(world.space.locked_bytes(), P);
    assert_eq!(world.space.discard(extent).err(), Some(Errno::EINVAL));
    world.space.set_locked(extent, Locked::No).expect("mapped");
    assert!(world.space.discard(extent).is_ok());
    let gap = world.space.set_locked(world.pages(1, 3), Locked::Yes);
    assert_eq!(gap, Err(Errno::ENOMEM));
}

#[test]
fn pages_mapped_twice_are_unmapped_twice() {
    let mut world = world();
    // The break area plays the file's pages: no operation of this test touches it.
    let extent = Extent::new(world.base + PAGES * P, world.base + (PAGES + 4) * P);
    let mut vma = Vma::anonymous(extent.end, Prot::READ);
    vma.flags = VmaFlags::SHARED;
    world.space.map_pages(extent, &vma).expect("room");
    let upper = Extent::new(extent.start + 2 * P, extent.end);
    world.space.map_pages(upper, &vma).expect("room");
    world.space.unmap(extent);
    let check = |world: &mut World, at| world.space.check(at, P, Access::Read).is_ok();
    assert!(!check(&mut world, extent.start));
    assert!(check(&mut world, upper.start), "still mapped once");
    world.space.unmap(upper);
    assert!(!check(&mut world, upper.start));
}

/// What the model knows of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Page {
    prot: Prot,
    value: u8,
}

type Model = [Option<Page>; PAGES];

fn verify(world: &mut World, model: &Model, step: &str) {
    for (index, page) in model.iter().enumerate() {
        let readable = page.is_some_and(|page| page.prot.readable());
        let writable = page.is_some_and(|page| page.prot.contains(Prot::WRITE));
        assert_eq!(
            world.check(index, Access::Read),
            readable,
            "{step}: {index}"
        );
        assert_eq!(
            world.check(index, Access::Write),
            writable,
            "{step}: {index}"
        );
        if let Some(page) = page {
            let address = world.base + index * P;
            assert_eq!(read(address), page.value, "{step}: page {index}");
            assert_eq!(read(address + P - 1), page.value, "{step}: page {index}");
        }
    }
    let mapped = model.iter().flatten().count() * P;
    assert_eq!(world.space.vmas().mapped(), mapped, "{step}");
}

fn fill(world: &World, model: &mut Model, index: usize, value: u8) {
    if let Some(page) = &mut model[index]
        && page.prot.contains(Prot::WRITE)
    {
        page.value = value;
        let address = world.base + index * P;
        // SAFETY: a page of the region.
        unsafe { core::ptr::write_bytes(address as *mut u8, value, P) };
    }
}

fn random_range(random: &mut Random) -> (usize, usize) {
    let start = random.below(PAGES);
    (start, (start + 1 + random.below(20)).min(PAGES))
}

fn run_against_model(seed: u64) {
    const PROTS: [Prot; 4] = [Prot::RW, Prot::RW, Prot::READ, Prot::empty()];
    let mut world = world();
    let mut model: Model = [None; PAGES];
    let mut random = Random::new(seed);
    for step in 0..400 {
        let (start, end) = random_range(&mut random);
        let prot = PROTS[random.below(4)];
        let fresh = Some(Page { prot, value: 0 });
        let extent = world.pages(start, end);
        let name = match random.below(7) {
            0 => {
                if let Ok(extent) = world.map(end - start, prot) {
                    let first = (extent.start - world.base) / P;
                    for page in &mut model[first..first + end - start] {
                        assert_eq!(*page, None, "handed out twice");
                        *page = fresh;
                    }
                } else {
                    let free = model.windows(end - start);
                    let mut fitting = free.filter(|run| run.iter().all(Option::is_none));
                    assert!(fitting.next().is_none(), "refused though it fits");
                }
                "map"
            }
            1 => {
                world
                    .fixed(start, end - start, prot)
                    .expect("inside the area");
                model[start..end].fill(fresh);
                "fixed"
            }
            2 => {
                world.space.unmap(extent);
                model[start..end].fill(None);
                "unmap"
            }
            3 => {
                let until = (start..end).find(|&at| model[at].is_none()).unwrap_or(end);
                let result = world.space.protect(extent, prot);
                assert_eq!(result.is_ok(), until == end);
                model[start..until]
                    .iter_mut()
                    .flatten()
                    .for_each(|page| page.prot = prot);
                "protect"
            }
            4 => {
                let whole = model[start..end].iter().all(Option::is_some);
                assert_eq!(world.space.discard(extent).is_ok(), whole);
                let mapped = model[start..end].iter_mut().flatten();
                mapped.for_each(|page| page.value = 0);
                "discard"
            }
            5 => {
                remap_step(&mut world, &mut model, &mut random, extent);
                "remap"
            }
            _ => {
                let value = u8::try_from(1 + random.below(255)).expect("a byte");
                (start..end).for_each(|at| fill(&world, &mut model, at, value));
                "write"
            }
        };
        verify(
            &mut world,
            &model,
            &std::format!("seed {seed} step {step} {name}"),
        );
    }
}

/// A random mremap, taken over into the model from where it says the mapping is now.
fn remap_step(world: &mut World, model: &mut Model, random: &mut Random, old: Extent) {
    let len = (1 + random.below(20)) * P;
    let target = match random.below(3) {
        0 => Target::InPlace,
        1 => Target::Anywhere,
        _ => {
            let page = random.below(PAGES - len / P);
            Target::Fixed(world.base + page * P)
        }
    };
    let Ok(remapped) = world.space.remap(old, len, target, Old::Unmap) else {
        return;
    };
    let index = |address: usize| (address - world.base) / P;
    let (from, to) = (index(old.start), index(remapped.extent.start));
    let pages: Vec<_> = model[from..index(old.end)].to_vec();
    let first = pages[0].expect("remap wants a mapping");
    model[from..index(old.end)].fill(None);
    for at in 0..len / P {
        let new = Some(Page {
            prot: first.prot,
            value: 0,
        });
        model[to + at] = pages.get(at).copied().unwrap_or(new);
    }
}

#[test]
fn random_operations_agree_with_the_model() {
    (1..=60).for_each(run_against_model);
}
