//! The attacker (`data/attacker.c`) as an image, and a way to run it under the tender.

use super::builder::{ET_DYN, ET_EXEC, ImageBuilder, PAGE, R, W, X};
use goblin::elf::Elf;
use goblin::elf::program_header::PT_LOAD;
use libos_abi::manifest::{App, Layout, Mode, Range};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A directory with the attacker's images.
pub struct Attacker {
    directory: tempfile::TempDir,
}

impl Attacker {
    /// Compiles it.
    pub fn build() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let attacker = Self { directory };
        attacker.compile("dyn.elf", &["-fPIE", "-static-pie"]);
        attacker.image("dyn.elf", "strict", Mode::Strict, ET_DYN);
        attacker.image("dyn.elf", "compat", Mode::Compat, ET_DYN);
        attacker
    }

    /// Compiles it for fixed addresses as well.
    pub fn build_fixed(&self) -> PathBuf {
        self.compile(
            "exec.elf",
            &["-fno-pie", "-static", "-Wl,-Ttext-segment=0x400000"],
        );
        self.image("exec.elf", "fixed", Mode::Strict, ET_EXEC)
    }

    /// The image for a mode.
    pub fn path(&self, mode: Mode) -> PathBuf {
        self.directory.path().join(match mode {
            Mode::Strict => "strict",
            Mode::Compat => "compat",
        })
    }

    /// The directory that it lies in.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    fn compile(&self, output: &str, flags: &[&str]) {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/attacker.c");
        let status = Command::new("gcc")
            .args([
                "-O1",
                "-ffreestanding",
                "-fno-stack-protector",
                "-fcf-protection=none",
                "-nostdlib",
            ])
            .args(["-Wl,-z,noexecstack,-z,separate-code,--build-id=none"])
            .args(flags)
            .arg(source)
            .arg("-o")
            .arg(self.directory.path().join(output))
            .status();
        assert!(status.expect("gcc is needed for this test").success());
    }

    /// The compiled program's segments as the libOS's, beside an application of one instruction.
    fn image(&self, program: &str, name: &str, mode: Mode, kind: u16) -> PathBuf {
        let bytes = std::fs::read(self.directory.path().join(program)).expect("just compiled");
        let elf = Elf::parse(&bytes).expect("gcc's output");
        let mut image = ImageBuilder::new(kind);
        let mut end = 0;
        let mut start = u64::MAX;
        for load in elf
            .program_headers
            .iter()
            .filter(|header| header.p_type == PT_LOAD)
        {
            let data = bytes[load.file_range()].to_vec();
            let flags = load.p_flags & (R | W | X);
            image.load(load.p_vaddr, flags, data, load.p_memsz);
            start = start.min(load.p_vaddr);
            end = load.p_vaddr + load.p_memsz;
        }
        let app = image.load(end.next_multiple_of(PAGE) + PAGE, R | X, vec![0xc3; 16], 16);
        let symbol = |name: &str| {
            let mut symbols = elf.syms.iter();
            let found = symbols.find(|symbol| elf.strtab.get_at(symbol.st_name) == Some(name));
            found.unwrap_or_else(|| panic!("no symbol {name}")).st_value
        };
        let hypercall = symbol("libos_hypercall_start");
        image.entry = elf.entry;
        image.manifest.mode = mode;
        image.manifest.layout = Layout {
            app: Range {
                start: app,
                len: 16,
            },
            libos: Range {
                start,
                len: end - start,
            },
            hypercall: Range {
                start: hypercall,
                len: symbol("libos_hypercall_end") - hypercall,
            },
            signal_entry: symbol("libos_signal_entry"),
            gate: symbol("libos_gate"),
            ..Layout::default()
        };
        image.manifest.app = App {
            relocatable: kind == ET_DYN,
            entry: app,
            phdr: 0,
            phnum: 0,
        };
        let path = self.directory.path().join(name);
        std::fs::write(&path, image.build()).expect("a writable temporary directory");
        path
    }
}

/// The tender, as a program.
pub fn tender() -> &'static str {
    env!("CARGO_BIN_EXE_tender-under-test")
}

/// Runs `image` with `words` as its arguments.
pub fn run(options: &[&str], image: &Path, words: &[&str]) -> Output {
    Command::new(tender())
        .arg("run")
        .args(options)
        .arg(image)
        .arg("--")
        .args(words)
        .stdin(Stdio::null())
        .output()
        .expect("the tender starts")
}
