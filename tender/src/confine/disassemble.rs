//! A BPF program as text: one line an instruction, with the names of fields, calls and answers.
//!
//! Only the instructions that filters of this tender consist of; others are shown as numbers.

use super::origin::{code, offset};
use libos_abi::hypercall::Hypercall;
use seccompiler::sock_filter;

/// Lines such as `  12: if nr != 1 goto 20   ; write`.
pub fn disassemble(program: &[sock_filter]) -> Vec<String> {
    let mut loaded = String::from("A");
    let lines = program.iter().enumerate().map(|(index, instruction)| {
        if instruction.code == code::LOAD {
            loaded = field(instruction.k);
        }
        format!("{index:4}: {}", text(index, instruction, &loaded))
    });
    lines.collect()
}

fn text(index: usize, instruction: &sock_filter, loaded: &str) -> String {
    let sock_filter { code, jt, jf, k } = *instruction;
    match code {
        code::LOAD => format!("load {}", field(k)),
        code::AND => format!("and {k:#x}"),
        code::RETURN => format!("return {}", answer(k)),
        code::JUMP => format!("goto {}", index + 1 + k as usize),
        code::JUMP_EQUAL => branch(index, [jt, jf], loaded, ["==", "!="], k),
        code::JUMP_GREATER => branch(index, [jt, jf], loaded, [">", "<="], k),
        code::JUMP_GREATER_EQUAL => branch(index, [jt, jf], loaded, [">=", "<"], k),
        _ => format!("code {code:#x} jt {jt} jf {jf} k {k:#x}"),
    }
}

/// A conditional jump, told so that what falls through is left out.
fn branch(index: usize, [jt, jf]: [u8; 2], loaded: &str, [yes, no]: [&str; 2], k: u32) -> String {
    let target = |distance: u8| index + 1 + usize::from(distance);
    let value = value(loaded, k);
    match (jt, jf) {
        (0, _) => format!("if {loaded} {no} {value} goto {}", target(jf)),
        (_, 0) => format!("if {loaded} {yes} {value} goto {}", target(jt)),
        _ => format!(
            "if {loaded} {yes} {value} goto {} else {}",
            target(jt),
            target(jf)
        ),
    }
}

fn value(loaded: &str, k: u32) -> String {
    let call = Hypercall::ALL.into_iter().find(|call| call.number() == k);
    match (loaded, call) {
        ("nr", Some(call)) => format!("{k} ({})", call.name()),
        ("arch", _) if k == AUDIT_ARCH_X86_64 => format!("{k:#x} (x86-64)"),
        _ if k < 1024 => k.to_string(),
        _ => format!("{k:#x}"),
    }
}

/// `AUDIT_ARCH_X86_64` of `linux/audit.h`.
const AUDIT_ARCH_X86_64: u32 = 0xc000_003e;

fn field(position: u32) -> String {
    match position {
        offset::NUMBER => "nr".into(),
        offset::ARCH => "arch".into(),
        offset::ADDRESS_LOW => "ip.low".into(),
        offset::ADDRESS_HIGH => "ip.high".into(),
        offset::ARGUMENTS..64 => {
            let argument = (position - offset::ARGUMENTS) / 8;
            let half = if position.is_multiple_of(8) {
                "low"
            } else {
                "high"
            };
            format!("args[{argument}].{half}")
        }
        _ => format!("data[{position}]"),
    }
}

fn answer(k: u32) -> String {
    match k {
        libc::SECCOMP_RET_ALLOW => "allow".into(),
        libc::SECCOMP_RET_KILL_PROCESS => "kill_process".into(),
        libc::SECCOMP_RET_TRAP => "trap".into(),
        _ => format!("{k:#x}"),
    }
}

/// Runs a program over the words of a `struct seccomp_data`, as the kernel would; for tests.
#[cfg(test)]
pub fn run_for_test(program: &[sock_filter], data: &[u32]) -> u32 {
    let (mut index, mut accumulator) = (0, 0);
    loop {
        let sock_filter { code, jt, jf, k } = program[index];
        let jump = |condition: bool| usize::from(if condition { jt } else { jf });
        index += 1 + match code {
            code::LOAD => {
                accumulator = data[k as usize / 4];
                0
            }
            code::AND => {
                accumulator &= k;
                0
            }
            code::JUMP => k as usize,
            code::JUMP_EQUAL => jump(accumulator == k),
            code::JUMP_GREATER => jump(accumulator > k),
            code::JUMP_GREATER_EQUAL => jump(accumulator >= k),
            code::RETURN => return k,
            _ => panic!("instruction {code:#x} at {index}"),
        };
    }
}
