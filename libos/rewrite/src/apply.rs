//! Carries out a plan: stubs, and the bytes that change in the code.
//!
//! Main types: [`Patch`] and [`Emitted`]. Works on addresses; who holds the bytes (a file, live
//! memory) writes the patches. A stub is:
//!
//! ```text
//! displaced instructions before the syscall
//! lea RESUME(%rip),%rcx
//! jmp GATE
//! RESUME: displaced instructions behind it, jmp to the window's end   (where there are any)
//! ```
//!
//! Without instructions behind the syscall, RESUME is the address after it in the program itself.
//! It is `jmp`, not `call`: a `call` would write below %rsp, where leaf functions keep data.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

use crate::action::{Action, Planned};
use crate::displace::{Decoded, emit, emit_jump, emit_lea_rcx};
use crate::encoding::{INT3, JUMP_LEN, LEA_LEN, SHORT_LEN};
use crate::error::Error;
use crate::site::{Kind, Layout, Moved, Site};
use crate::text::{Text, to_u64};

/// Stubs begin at multiples of this, in bytes: instruction fetch works in aligned blocks.
const STUB_ALIGN: usize = 16;

/// New bytes for an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patch {
    /// Address of the first byte.
    pub vaddr: u64,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// What carrying out a plan yields.
#[derive(Debug, Clone, Default)]
pub struct Emitted {
    /// Changes to the code, to be written in this order: that of their addresses. An island may
    /// stand in the `int3` tail of a window before it.
    pub patches: Vec<Patch>,
    /// Bytes to place at [`Layout::stub_vaddr`], readable and executable.
    pub stubs: Vec<u8>,
    /// One for each planned gate, in the same order; `symbol` is not filled in.
    pub sites: Vec<Site>,
}

/// Emits the stubs and the patches of a plan.
///
/// # Errors
/// [`Error::OutOfReach`] where the layout is too far from the code, or wraps around.
pub fn apply(text: &Text<'_>, plan: &[Planned], layout: Layout) -> Result<Emitted, Error> {
    let mut emitted = Emitted::default();
    for planned in plan {
        let site = emitted.site(text, planned, layout)?;
        emitted.sites.push(site);
    }
    emitted.patches.sort_by_key(|patch| patch.vaddr);
    let start = layout.stub_vaddr;
    match start.checked_add(to_u64(emitted.stubs.len())) {
        Some(_) => Ok(emitted),
        None => Err(Error::OutOfReach { from: start, to: 0 }),
    }
}

impl Emitted {
    fn site(&mut self, text: &Text<'_>, planned: &Planned, layout: Layout) -> Result<Site, Error> {
        let gate = &planned.gate;
        let alone = gate.start..gate.after;
        match &planned.action {
            Action::Trap(reason) => Ok(Site {
                syscall_vaddr: gate.after - 2,
                after: gate.after,
                window: gate.start..gate.start,
                islands: Vec::new(),
                kind: Kind::Trapped(*reason),
                stub_vaddr: 0,
                call_vaddr: 0,
                resume_vaddr: gate.after,
                moved: Vec::new(),
                symbol: None::<String>,
            }),
            Action::Window(window) => {
                let site = self.stub(text, planned, window, layout)?;
                self.long_jump(window, site.stub_vaddr)?;
                Ok(Site {
                    kind: Kind::Window,
                    ..site
                })
            }
            Action::Island(hops) => {
                let site = self.stub(text, planned, &alone, layout)?;
                let mut from = alone;
                for hop in hops {
                    self.short_jump(&from, hop.start)?;
                    from = hop.clone();
                }
                self.long_jump(&from, site.stub_vaddr)?;
                Ok(Site {
                    islands: hops.clone(),
                    ..site
                })
            }
        }
    }

    fn stub(
        &mut self,
        text: &Text<'_>,
        planned: &Planned,
        window: &Range<u64>,
        layout: Layout,
    ) -> Result<Site, Error> {
        let gate = &planned.gate;
        let base = layout.stub_vaddr;
        self.stubs
            .resize(self.stubs.len().next_multiple_of(STUB_ALIGN), INT3);
        let stub_vaddr = self.position(layout);
        let mut moved = Vec::new();
        self.displace(text, window.start..gate.start, layout, &mut moved)?;
        let call_vaddr = self.position(layout);
        let behind = gate.after..window.end;
        let resume_vaddr = if behind.is_empty() {
            gate.after
        } else {
            call_vaddr.wrapping_add(LEA_LEN + JUMP_LEN)
        };
        emit_lea_rcx(resume_vaddr, base, &mut self.stubs)?;
        emit_jump(layout.gate_vaddr, base, &mut self.stubs)?;
        if !behind.is_empty() && !self.displace(text, behind, layout, &mut moved)? {
            moved.push(Moved {
                stub_vaddr: self.position(layout),
                vaddr: window.end,
            });
            emit_jump(window.end, base, &mut self.stubs)?;
        }
        Ok(Site {
            syscall_vaddr: gate.after - 2,
            after: gate.after,
            window: window.clone(),
            islands: Vec::new(),
            kind: Kind::Island,
            stub_vaddr,
            call_vaddr,
            resume_vaddr,
            moved,
            symbol: None,
        })
    }

    /// Moves the instructions of a range into the stub; tells whether the last one ends the flow.
    fn displace(
        &mut self,
        text: &Text<'_>,
        range: Range<u64>,
        layout: Layout,
        moved: &mut Vec<Moved>,
    ) -> Result<bool, Error> {
        let mut vaddr = range.start;
        while vaddr < range.end {
            // The planner has decoded and classified the same bytes; text that changed under it
            // shows up here, and is reported like any other malformed code.
            let changed = Error::Malformed {
                what: "code",
                detail: "a planned window does not decode",
            };
            let decoded = Decoded::at(text, vaddr).ok_or(changed.clone())?;
            let form = decoded.form().ok_or(changed)?;
            moved.push(Moved {
                stub_vaddr: self.position(layout),
                vaddr,
            });
            emit(&decoded, form, layout.stub_vaddr, &mut self.stubs)?;
            if decoded.ends_flow() {
                return Ok(true);
            }
            vaddr = decoded.end();
        }
        Ok(false)
    }

    fn position(&self, layout: Layout) -> u64 {
        layout.stub_vaddr.wrapping_add(to_u64(self.stubs.len()))
    }

    fn long_jump(&mut self, place: &Range<u64>, target: u64) -> Result<(), Error> {
        let mut bytes = Vec::new();
        emit_jump(target, place.start, &mut bytes)?;
        self.patch(place, bytes);
        Ok(())
    }

    fn short_jump(&mut self, place: &Range<u64>, target: u64) -> Result<(), Error> {
        let from = place.start.wrapping_add(SHORT_LEN);
        let distance = i8::try_from(target.wrapping_sub(from).cast_signed())
            .map_err(|_| Error::OutOfReach { from, to: target })?;
        self.patch(place, vec![0xeb, distance.to_le_bytes()[0]]);
        Ok(())
    }

    fn patch(&mut self, place: &Range<u64>, mut bytes: Vec<u8>) {
        let len = usize::try_from(place.end - place.start).unwrap_or(bytes.len());
        bytes.resize(len.max(bytes.len()), INT3);
        self.patches.push(Patch {
            vaddr: place.start,
            bytes,
        });
    }
}
