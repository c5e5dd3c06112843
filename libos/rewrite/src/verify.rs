//! Checks a rewritten program against the original, by reading both again.
//!
//! Main type: [`Claim`]; what is found missing is a [`Violation`]. Nothing of the plan is trusted: the sites in the output are
//! claims, and each is proved from the bytes. [`check`] works on addresses; the crate root calls it for
//! files. What is proved:
//!
//! 1. outside windows and islands no byte changed, and these do not overlap;
//! 2. every window jumps to its stub, directly or by way of its islands, and the rest of it is `int3`;
//! 3. every stub is: the displaced instructions, `lea RESUME(%rip),%rcx`, `jmp GATE`, the displaced
//!    instructions behind the syscall, and a jump to the window's end;
//! 4. no branch in the rewritten program leads into a window or an island;
//! 5. every gate of the original is a site, and the gates left in the code are the trapped sites.

use alloc::vec::Vec;
use core::ops::Range;

use iced_x86::{FlowControl, Instruction};

use crate::displace::Decoded;
use crate::encoding::{INT3, JUMP_LEN};
use crate::find::{Facts, Listing, branch_target, gate_kind, sweep};
use crate::flow;
use crate::reach;
use crate::site::{Kind, Layout, Site};
use crate::text::{Region, Text};
use crate::violation::Violation;

/// What is to be proved.
#[derive(Clone, Copy)]
pub struct Claim<'t, 'a> {
    /// The code before.
    pub original: &'t Text<'a>,
    /// What is known about it.
    pub facts: &'t Facts<'a>,
    /// The code after.
    pub patched: &'t Text<'a>,
    /// The stubs.
    pub stubs: &'t [u8],
    /// The sites.
    pub sites: &'t [Site],
    /// Where stubs and gate stand.
    pub layout: Layout,
}

/// Proves a claim.
///
/// # Errors
/// The first [`Violation`].
pub fn check(claim: Claim<'_, '_>) -> Result<(), Violation> {
    let mut before = sweep(claim.original, claim.facts);
    flow::add_data_targets(claim.original, claim.facts, &mut before);
    let patches = patched_ranges(&claim)?;
    check_sites(&claim, &before)?;
    let stubs = Region::new(claim.layout.stub_vaddr, claim.stubs).ok_or(Violation::Structure)?;
    let stubs = Text::new(Vec::from([stubs])).map_err(|_| Violation::Structure)?;
    for site in claim
        .sites
        .iter()
        .filter(|site| !matches!(site.kind, Kind::Trapped(_)))
    {
        check_jumps(claim.patched, site)?;
        StubWalk {
            claim: &claim,
            stubs: &stubs,
            at: site.stub_vaddr,
        }
        .check(site)?;
    }
    check_after(&claim, &patches, &before)
}

/// Windows and islands, sorted, each in the code and none overlapping another.
pub(crate) fn patched_ranges(claim: &Claim<'_, '_>) -> Result<Vec<Range<u64>>, Violation> {
    let mut ranges: Vec<Range<u64>> = claim
        .sites
        .iter()
        .flat_map(|site| site.islands.iter().chain([&site.window]))
        .filter(|range| !range.is_empty())
        .cloned()
        .collect();
    ranges.sort_unstable_by_key(|range| range.start);
    for range in &ranges {
        claim
            .original
            .slice(range)
            .ok_or(Violation::Patch(range.start))?;
    }
    // What one window leaves behind its jump may be the island of another site: then it lies inside.
    for pair in ranges.windows(2) {
        let inside_tail = pair[0].end > pair[1].start;
        if inside_tail && pair[1].start < pair[0].start + JUMP_LEN {
            return Err(Violation::Patch(pair[1].start));
        }
    }
    Ok(ranges)
}

fn check_sites(claim: &Claim<'_, '_>, before: &Listing) -> Result<(), Violation> {
    let gates = reach::judge(claim.original, claim.facts, before).gates;
    if gates.len() != claim.sites.len() {
        return Err(Violation::SiteCount {
            expected: gates.len(),
            found: claim.sites.len(),
        });
    }
    for (gate, site) in gates.iter().zip(claim.sites) {
        let trapped = matches!(site.kind, Kind::Trapped(_));
        let held = trapped || site.window.start <= gate.start && gate.after <= site.window.end;
        if gate.after != site.after || !held {
            return Err(Violation::NotAGate(site.syscall_vaddr));
        }
    }
    Ok(())
}

/// From the window over the islands to the stub.
fn check_jumps(patched: &Text<'_>, site: &Site) -> Result<(), Violation> {
    let mut hop = site.window.clone();
    for next in site
        .islands
        .iter()
        .map(|island| island.start)
        .chain([site.stub_vaddr])
    {
        let jump = Decoded::at(patched, hop.start).ok_or(Violation::Jump(hop.start))?;
        if jump.instruction.flow_control() != FlowControl::UnconditionalBranch
            || branch_target(&jump.instruction) != Some(next)
            || jump.end() > hop.end
        {
            return Err(Violation::Jump(hop.start));
        }
        let Some(island) = site.islands.iter().find(|island| island.start == next) else {
            break;
        };
        hop = island.clone();
    }
    Ok(())
}

struct StubWalk<'t, 'c, 'a> {
    claim: &'t Claim<'c, 'a>,
    stubs: &'t Text<'t>,
    at: u64,
}

impl<'t> StubWalk<'t, '_, '_> {
    fn check(mut self, site: &Site) -> Result<(), Violation> {
        // A prefixed gate begins before its last two bytes.
        let gate = self.displaced(site.window.start, site.syscall_vaddr)?;
        let gate = Decoded::at(self.claim.original, gate).ok_or(Violation::NotAGate(gate))?;
        self.expect(gate_kind(&gate.instruction).is_some() && gate.end() == site.after)?;
        self.expect(self.at == site.call_vaddr)?;
        let lea = self.next()?;
        self.expect(
            lea.bytes.starts_with(&[0x48, 0x8d, 0x0d])
                && lea.instruction.ip_rel_memory_address() == site.resume_vaddr,
        )?;
        self.jump_to(self.claim.layout.gate_vaddr)?;
        if site.after == site.window.end {
            return self.expect(site.resume_vaddr == site.after);
        }
        self.expect(self.at == site.resume_vaddr)?;
        self.displaced_behind(site)
    }

    /// Instructions equal to the original ones from `start` on; the address of the gate.
    fn displaced(&mut self, start: u64, syscall: u64) -> Result<u64, Violation> {
        let mut vaddr = start;
        loop {
            let original =
                Decoded::at(self.claim.original, vaddr).ok_or(Violation::NotAGate(vaddr))?;
            if original.end() > syscall {
                return Ok(vaddr);
            }
            self.same(&original.instruction)?;
            vaddr = original.end();
        }
    }

    fn displaced_behind(mut self, site: &Site) -> Result<(), Violation> {
        let mut vaddr = site.after;
        while vaddr < site.window.end {
            let original =
                Decoded::at(self.claim.original, vaddr).ok_or(Violation::Stub(self.at))?;
            self.same(&original.instruction)?;
            if original.ends_flow() {
                return Ok(());
            }
            vaddr = original.end();
        }
        self.expect(vaddr == site.window.end)?;
        self.jump_to(vaddr)
    }

    /// Whether the next instruction does what the original does, wherever each stands.
    fn same(&mut self, original: &Instruction) -> Result<(), Violation> {
        let at = self.at;
        let moved = self.next()?.instruction;
        let same = match branch_target(original) {
            None => moved == *original,
            Some(target) => {
                branch_target(&moved) == Some(target)
                    && moved.flow_control() == original.flow_control()
                    && moved.mnemonic() == original.mnemonic()
            }
        };
        let allowed = original.flow_control() != FlowControl::Call && gate_kind(original).is_none();
        if same && allowed {
            Ok(())
        } else {
            Err(Violation::Stub(at))
        }
    }

    fn jump_to(&mut self, target: u64) -> Result<(), Violation> {
        let jump = self.next()?;
        self.expect(jump.bytes[0] == 0xe9 && branch_target(&jump.instruction) == Some(target))
    }

    fn next(&mut self) -> Result<Decoded<'t>, Violation> {
        let decoded = Decoded::at(self.stubs, self.at).ok_or(Violation::Stub(self.at))?;
        self.at = decoded.end();
        Ok(decoded)
    }

    fn expect(&self, holds: bool) -> Result<(), Violation> {
        if holds {
            Ok(())
        } else {
            Err(Violation::Stub(self.at))
        }
    }
}

/// Reads the rewritten code: what is left in it, and where it leads.
fn check_after(
    claim: &Claim<'_, '_>,
    patches: &[Range<u64>],
    before: &Listing,
) -> Result<(), Violation> {
    let after = sweep(claim.patched, claim.facts);
    for gate in reach::judge(claim.patched, claim.facts, &after).gates {
        // The instruction itself: a prefix before it may be the last byte of a jump that was written,
        // and changes nothing (`f3` before a trapped `syscall`).
        let opcode = gate.after - 2;
        let near = patches.partition_point(|patch| patch.end <= opcode);
        let written = patches
            .get(near)
            .is_some_and(|patch| patch.start < gate.after);
        let site = claim
            .sites
            .binary_search_by_key(&gate.after, |site| site.after);
        let trapped = |index: usize| matches!(claim.sites[index].kind, Kind::Trapped(_));
        // Elsewhere the bytes are the original's, in which the pair was judged to be no gate; where
        // code is hostile, the jumps that were written can shift that judgement.
        if written || site.is_ok_and(|index| !trapped(index)) {
            return Err(Violation::GateLeft(gate.start));
        }
    }
    for patch in patches {
        let entered = before
            .targets
            .first_in(claim.original, patch.start + 1..patch.end);
        if let Some(vaddr) = entered {
            return Err(Violation::Entered(vaddr));
        }
    }
    check_fill(claim, patches)
}

/// In each patched range only jumps and `int3`.
fn check_fill(claim: &Claim<'_, '_>, patches: &[Range<u64>]) -> Result<(), Violation> {
    for patch in patches {
        let mut vaddr = patch.start;
        while vaddr < patch.end {
            let decoded = Decoded::at(claim.patched, vaddr).ok_or(Violation::Jump(vaddr))?;
            let jump = decoded.instruction.flow_control() == FlowControl::UnconditionalBranch;
            if !jump && decoded.bytes != [INT3] {
                return Err(Violation::Jump(vaddr));
            }
            vaddr = decoded.end();
        }
    }
    Ok(())
}
