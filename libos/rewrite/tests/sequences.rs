//! Short byte sequences, one property each, through the part of the crate that knows no ELF: planned,
//! emitted, written into a copy, and verified.

#![expect(
    clippy::single_range_in_vec_init,
    reason = "lists of one address range are meant"
)]

use libos_rewrite::{
    Claim, Facts, Kind, Layout, Reason, Redirection, Region, Text, check, redirect,
};

const CODE: u64 = 0x40_1000;
const DATA: u64 = 0x50_0000;
const STUBS: u64 = 0x60_0000;
const GATE: u64 = 0x70_0000;
const LAYOUT: Layout = Layout {
    stub_vaddr: STUBS,
    gate_vaddr: GATE,
};

const MOV_39: [u8; 5] = [0xb8, 39, 0, 0, 0];
const SYSCALL: [u8; 2] = [0x0f, 0x05];
const CMP: [u8; 6] = [0x48, 0x3d, 0x01, 0xf0, 0xff, 0xff];
const RET: [u8; 1] = [0xc3];

struct Case {
    code: Vec<u8>,
    data: Vec<u8>,
    functions: Vec<std::ops::Range<u64>>,
    entries: Vec<u64>,
}

struct Outcome {
    redirection: Redirection,
    patched: Vec<u8>,
}

/// One function over all of the code.
fn function(parts: &[&[u8]]) -> Case {
    let code = parts.concat();
    let end = CODE + u64::try_from(code.len()).unwrap();
    Case {
        code,
        data: Vec::new(),
        functions: vec![CODE..end],
        entries: vec![CODE],
    }
}

impl Case {
    fn run(&self) -> Outcome {
        let text = Text::new(vec![Region::new(CODE, &self.code).unwrap()]).unwrap();
        let facts = Facts {
            functions: self.functions.clone(),
            entries: self.entries.clone(),
            data: vec![Region::new(DATA, &self.data).unwrap()],
            addresses: vec![Region::new(DATA, &self.data).unwrap()],
            ..Facts::default()
        };
        let redirection = redirect(&text, &facts, LAYOUT).unwrap();
        let mut patched = self.code.clone();
        for patch in &redirection.patches {
            let start = usize::try_from(patch.vaddr - CODE).unwrap();
            patched[start..start + patch.bytes.len()].copy_from_slice(&patch.bytes);
        }
        let after = Text::new(vec![Region::new(CODE, &patched).unwrap()]).unwrap();
        let claim = Claim {
            original: &text,
            facts: &facts,
            patched: &after,
            stubs: &redirection.stubs,
            sites: &redirection.sites,
            layout: LAYOUT,
        };
        check(claim).unwrap();
        Outcome {
            redirection,
            patched,
        }
    }

    fn kinds(&self) -> Vec<Kind> {
        self.run()
            .redirection
            .sites
            .iter()
            .map(|site| site.kind)
            .collect()
    }
}

/// `jmp rel32` from an address.
fn jump(from: u64, to: u64) -> Vec<u8> {
    let distance = i32::try_from(to.wrapping_sub(from + 5).cast_signed()).unwrap();
    [&[0xe9][..], &distance.to_le_bytes()].concat()
}

/// `lea to(%rip),%rcx` at an address.
fn lea(at: u64, to: u64) -> Vec<u8> {
    let distance = i32::try_from(to.wrapping_sub(at + 7).cast_signed()).unwrap();
    [&[0x48, 0x8d, 0x0d][..], &distance.to_le_bytes()].concat()
}

#[test]
fn a_window_before_the_syscall_resumes_in_the_program() {
    let outcome = function(&[&MOV_39, &SYSCALL, &CMP, &RET]).run();
    let site = &outcome.redirection.sites[0];
    assert_eq!(site.window, CODE..CODE + 7);
    assert_eq!((site.syscall_vaddr, site.after), (CODE + 5, CODE + 7));
    assert_eq!((site.call_vaddr, site.resume_vaddr), (STUBS + 5, CODE + 7));
    let expected = [&jump(CODE, STUBS)[..], &[0xcc, 0xcc], &CMP, &RET].concat();
    assert_eq!(outcome.patched, expected);
    let stub = [
        &MOV_39[..],
        &lea(STUBS + 5, CODE + 7),
        &jump(STUBS + 12, GATE),
    ]
    .concat();
    assert_eq!(outcome.redirection.stubs, stub);
}

#[test]
fn a_window_behind_the_syscall_resumes_in_the_stub() {
    // Something jumps to the syscall itself, so that it must stay the first of its window.
    let outcome = function(&[&MOV_39, &SYSCALL, &CMP, &RET, &[0xeb, 0xf5]]).run();
    let site = &outcome.redirection.sites[0];
    assert_eq!(site.window, CODE + 5..CODE + 13);
    assert_eq!(site.resume_vaddr, STUBS + 12);
    let stub = [
        &lea(STUBS, STUBS + 12)[..],
        &jump(STUBS + 7, GATE),
        &CMP,
        &jump(STUBS + 18, CODE + 13),
    ];
    assert_eq!(outcome.redirection.stubs, stub.concat());
    assert_eq!(
        site.original_of(STUBS + 12),
        Some(CODE + 7),
        "the displaced cmp"
    );
    assert_eq!(
        site.original_of(STUBS + 18),
        Some(CODE + 13),
        "the jump back"
    );
    assert_eq!(
        site.original_of(STUBS + 7),
        Some(CODE + 5),
        "on the way into the gate"
    );
    assert_eq!(
        site.original_of(STUBS + 1),
        None,
        "the middle of an instruction"
    );
}

#[test]
fn a_syscall_that_is_entered_on_both_sides_has_no_room() {
    // jmp to the syscall, jmp right behind it, no free byte anywhere.
    let case = function(&[&MOV_39, &SYSCALL, &CMP, &RET, &[0xeb, 0xf5], &[0xeb, 0xf5]]);
    assert_eq!(case.kinds(), [Kind::Trapped(Reason::NoRoom)]);
    assert_eq!(case.run().patched, case.code, "nothing is changed");
}

#[test]
fn padding_behind_the_function_takes_an_island() {
    let case = function(&[
        &MOV_39,
        &SYSCALL,
        &CMP,
        &RET,
        &[0xeb, 0xf5],
        &[0xeb, 0xf5],
        &[0xcc; 8],
        &RET,
    ]);
    let outcome = case.run();
    let site = &outcome.redirection.sites[0];
    assert_eq!(site.kind, Kind::Island);
    assert_eq!(
        (site.window.clone(), site.resume_vaddr),
        (CODE + 5..CODE + 7, CODE + 7)
    );
    assert_eq!(site.islands, [CODE + 18..CODE + 23]);
    assert_eq!(outcome.patched[5..7], [0xeb, 11]);
    assert_eq!(outcome.patched[18..23], jump(CODE + 18, STUBS));
}

#[test]
fn padding_that_can_be_reached_is_no_island() {
    let nops = [0x90; 8];
    // Control falls through into it.
    let fall = function(&[
        &MOV_39,
        &SYSCALL,
        &CMP,
        &[0x74, 0xf8],
        &[0x74, 0xf4],
        &nops,
        &RET,
    ]);
    assert_eq!(
        fall.kinds(),
        [Kind::Trapped(Reason::NoRoom)],
        "fall-through"
    );
    // A branch leads to its first byte.
    let jumped = function(&[
        &MOV_39,
        &SYSCALL,
        &CMP,
        &[0x74, 4],
        &[0xeb, 0xf4],
        &[0xeb, 0xf4],
        &nops,
        &RET,
    ]);
    assert_eq!(jumped.kinds(), [Kind::Trapped(Reason::NoRoom)], "branch");
}

#[test]
fn a_conditional_jump_is_lengthened() {
    // syscall; jae +16; ret; …  entered at the syscall
    let case = function(&[
        &MOV_39,
        &SYSCALL,
        &[0x73, 16],
        &RET,
        &[0xeb, 0xf9],
        &[0x90; 13],
        &[0x31, 0xc0],
        &RET,
    ]);
    let outcome = case.run();
    let site = &outcome.redirection.sites[0];
    assert_eq!(site.window, CODE + 5..CODE + 10);
    let stub = &outcome.redirection.stubs;
    assert_eq!(stub[12..14], [0x0f, 0x83]);
    let distance = i32::from_le_bytes(stub[14..18].try_into().unwrap());
    assert_eq!(
        (STUBS + 18).wrapping_add_signed(distance.into()),
        CODE + 9 + 16
    );
    assert_eq!(stub[18..], RET, "a ret ends the stub without a jump back");
}

#[test]
fn displacements_relative_to_rip_are_adjusted() {
    // mov DATA(%rip),%eax; syscall   and the form with an immediate behind the displacement
    let relative = |at: u64| (i32::try_from(DATA - at).unwrap()).to_le_bytes();
    let load = [&[0x8b, 0x05][..], &relative(CODE + 6)].concat();
    let store = [&[0xc7, 0x05][..], &relative(CODE + 18), &[1, 2, 3, 4]].concat();
    let case = function(&[&load, &SYSCALL, &store, &SYSCALL, &RET]);
    let stubs = case.run().redirection.stubs;
    let first = i32::from_le_bytes(stubs[2..6].try_into().unwrap());
    assert_eq!((STUBS + 6).wrapping_add_signed(first.into()), DATA);
    let second = i32::from_le_bytes(stubs[34..38].try_into().unwrap());
    assert_eq!((STUBS + 42).wrapping_add_signed(second.into()), DATA);
    assert_eq!(stubs[38..42], [1, 2, 3, 4], "the immediate stays");
}

/// `lea to(%rip),%rsi` at an address.
fn lea_rsi(at: u64, to: u64) -> Vec<u8> {
    let mut bytes = lea(at, to);
    bytes[2] = 0x35;
    bytes
}

#[test]
fn the_address_behind_a_syscall_may_be_taken() {
    // The return point is named before the call, as code does that compares it with %rcx.
    let behind = CODE + 14;
    let outcome = function(&[&lea_rsi(CODE, behind), &MOV_39, &SYSCALL, &CMP, &RET]).run();
    let site = &outcome.redirection.sites[0];
    assert_eq!((site.kind, site.after), (Kind::Window, behind));
    assert_eq!(site.window, CODE + 7..behind, "the address itself stays");
    assert_eq!(site.resume_vaddr, behind);
    assert_eq!(outcome.patched[14..20], CMP);
    // The `lea` itself may lie in the window: it is moved, and still means the program's address.
    let behind = CODE + 9;
    let outcome = function(&[&lea_rsi(CODE, behind), &SYSCALL, &CMP, &RET]).run();
    let site = &outcome.redirection.sites[0];
    assert_eq!(
        (site.window.clone(), site.resume_vaddr),
        (CODE..behind, behind)
    );
    assert_eq!(outcome.redirection.stubs[..7], lea_rsi(STUBS, behind));
}

#[test]
fn a_taken_address_behind_a_syscall_is_not_swallowed() {
    // Nothing before the syscall can be displaced (the function begins there), and the address behind
    // it is taken: a window has no place, an island has.
    let body = [&SYSCALL[..], &CMP, &lea_rsi(CODE + 8, CODE + 2), &RET].concat();
    let crowded = function(&[&body]);
    assert_eq!(crowded.kinds(), [Kind::Trapped(Reason::NoRoom)]);
    assert_eq!(crowded.run().patched, crowded.code);
    let outcome = function(&[&body, &[0xcc; 8]]).run();
    let site = &outcome.redirection.sites[0];
    assert_eq!(
        (site.kind, site.window.clone()),
        (Kind::Island, CODE..CODE + 2)
    );
    assert_eq!(outcome.patched[2..16], body[2..16]);
}

#[test]
fn instructions_that_cannot_move_are_not_displaced() {
    let unmovable: [(&str, &[u8]); 5] = [
        ("call", &[0xe8, 0, 0, 0, 0]),
        ("loop", &[0xe2, 0xfe]),
        ("jrcxz", &[0xe3, 0xfe]),
        ("int3", &[0xcc]),
        ("xbegin", &[0xc7, 0xf8, 0, 0, 0, 0]),
    ];
    for (name, bytes) in unmovable {
        let kinds = function(&[bytes, &SYSCALL, bytes, &RET]).kinds();
        assert_eq!(kinds, [Kind::Trapped(Reason::NoRoom)], "{name}");
    }
}

#[test]
fn legacy_entries_are_refused() {
    assert_eq!(
        function(&[&MOV_39, &[0xcd, 0x80], &RET]).kinds(),
        [Kind::Trapped(Reason::Int80)]
    );
    assert_eq!(
        function(&[&MOV_39, &[0x0f, 0x34], &RET]).kinds(),
        [Kind::Trapped(Reason::Sysenter)]
    );
    assert_eq!(
        function(&[&MOV_39, &[0xcd, 0x03], &RET]).kinds(),
        [],
        "another interrupt"
    );
}

#[test]
fn a_byte_pair_inside_an_instruction_is_dismissed() {
    let outcome = function(&[&[0xb8, 0x0f, 0x05, 0, 0], &RET]).run();
    assert!(outcome.redirection.sites.is_empty());
    assert_eq!(outcome.redirection.dismissed.inside_instruction, 1);
}

#[test]
fn a_byte_pair_between_functions_is_dismissed_unless_control_comes_there() {
    let mut case = function(&[&MOV_39, &CMP, &CMP, &RET, &MOV_39, &SYSCALL, &RET]);
    case.functions = vec![CODE..CODE + 18];
    let outcome = case.run();
    assert!(outcome.redirection.sites.is_empty());
    assert_eq!(outcome.redirection.dismissed.not_code, 1);
    case.entries.push(CODE + 18);
    assert_eq!(case.kinds(), [Kind::Window], "now it is an entry");
}

#[test]
fn a_branch_into_an_instruction_that_hides_a_syscall_is_ambiguous() {
    // mov $0xc3050f,%eax ; ret ; jmp to the second byte of the mov: syscall; ret
    let case = function(&[&[0xb8, 0x0f, 0x05, 0xc3, 0x00], &RET, &[0xeb, 0xf9]]);
    assert_eq!(case.kinds(), [Kind::Trapped(Reason::Ambiguous)]);
}

#[test]
fn data_that_leads_into_a_window_forbids_it() {
    let sites = |data: &[u8], lea_to: Option<u64>, entries: &[u64]| {
        let at = CODE;
        let base = lea_to.map_or(vec![0x90; 7], |to| {
            let distance = i32::try_from(to.wrapping_sub(at + 7).cast_signed()).unwrap();
            [&[0x48, 0x8d, 0x05][..], &distance.to_le_bytes()].concat()
        });
        let mut case = function(&[&base, &MOV_39, &SYSCALL, &CMP, &RET]);
        case.data = data.to_vec();
        case.entries.extend(entries);
        case.run().redirection.sites[0].window.start
    };
    let syscall = CODE + 12;
    let distance = u32::try_from(i64::try_from(syscall).unwrap() - i64::try_from(DATA).unwrap());
    assert!(distance.is_err(), "the table stands behind the code");
    let distance = i32::try_from(syscall.wrapping_sub(DATA).cast_signed())
        .unwrap()
        .to_le_bytes();
    assert_eq!(sites(&[], None, &[]), CODE + 7, "nothing forbids it");
    assert_eq!(
        sites(&syscall.to_le_bytes(), None, &[]),
        syscall,
        "a code pointer"
    );
    assert_eq!(
        sites(&distance, Some(DATA), &[]),
        syscall,
        "a table of distances"
    );
    assert_eq!(
        sites(&distance, None, &[]),
        CODE + 7,
        "the same value without a base"
    );
    assert_eq!(sites(&[], None, &[syscall]), syscall, "a landing pad");
}

#[test]
fn a_label_is_a_base_where_the_function_can_jump_to_what_it_computes() {
    let jump_rax: &[u8] = &[0xff, 0xe0];
    let leave: &[u8] = &[0xe9, 0xf0, 0xff, 0xff, 0x7f];
    let window = |end: &[u8]| {
        let base = [0x48, 0x8d, 0x05, 0, 0, 0, 0];
        let mut case = function(&[&base, &MOV_39, &SYSCALL, &CMP, end]);
        case.data = 5u32.to_le_bytes().to_vec();
        case.run().redirection.sites[0].window.start
    };
    let (label, syscall) = (CODE + 7, CODE + 12);
    assert_eq!(
        window(jump_rax),
        syscall,
        "a table of distances from the label"
    );
    assert_eq!(window(leave), syscall, "a thunk may jump for it");
    assert_eq!(window(&RET), label, "any 5 in the data");
}

#[test]
fn two_calls_in_a_row_have_separate_windows() {
    let outcome = function(&[&MOV_39, &SYSCALL, &MOV_39, &SYSCALL, &RET]).run();
    let windows: Vec<_> = outcome
        .redirection
        .sites
        .iter()
        .map(|site| site.window.clone())
        .collect();
    assert_eq!(windows, [CODE..CODE + 7, CODE + 7..CODE + 14]);
}

#[test]
fn a_prefixed_syscall_is_one() {
    let outcome = function(&[&MOV_39, &[0x48], &SYSCALL, &RET]).run();
    let site = &outcome.redirection.sites[0];
    assert_eq!(
        (site.syscall_vaddr, site.window.clone()),
        (CODE + 6, CODE..CODE + 8)
    );
}

#[test]
fn a_layout_out_of_reach_is_an_error() {
    let code = [&MOV_39[..], &SYSCALL, &RET].concat();
    let text = Text::new(vec![Region::new(CODE, &code).unwrap()]).unwrap();
    let facts = Facts {
        functions: vec![CODE..CODE + 8],
        ..Facts::default()
    };
    for layout in [
        Layout {
            stub_vaddr: CODE + (3 << 30),
            gate_vaddr: GATE,
        },
        Layout {
            stub_vaddr: STUBS,
            gate_vaddr: STUBS + (3 << 30),
        },
        Layout {
            stub_vaddr: u64::MAX - 3,
            gate_vaddr: GATE,
        },
    ] {
        let error = redirect(&text, &facts, layout).unwrap_err();
        assert!(
            error.to_string().contains("within 2 GiB"),
            "{layout:?}: {error}"
        );
    }
}

#[test]
fn an_island_may_stand_in_what_a_window_leaves() {
    // syscall; syscall; xor %eax,%eax; je +16: the second one's window leaves five bytes.
    let case = function(&[
        &SYSCALL,
        &SYSCALL,
        &[0x31, 0xc0],
        &[0x0f, 0x84, 0x10, 0, 0, 0],
    ]);
    let outcome = case.run();
    let sites = &outcome.redirection.sites;
    assert_eq!((sites[0].kind, sites[1].kind), (Kind::Island, Kind::Window));
    assert_eq!(sites[1].window, CODE + 2..CODE + 12);
    assert_eq!(sites[0].islands, [CODE + 7..CODE + 12]);
    assert_eq!(outcome.patched[7..12], jump(CODE + 7, STUBS));
}

#[test]
fn bytes_of_a_second_decoding_stay() {
    // jmp leads to the last byte of `mov`, from which the first syscall's bytes decode differently.
    let case = function(&[
        &[0xeb, 0x07],
        &[0xcc; 7],
        &MOV_39,
        &SYSCALL,
        &SYSCALL,
        &[0xeb, 0xf9],
    ]);
    assert_eq!(case.kinds()[0], Kind::Trapped(Reason::Ambiguous));
    assert_eq!(case.run().patched[9..16], case.code[9..16]);
}
