//! The manifest: what an image is and what it asks for, kept as JSON in its ELF note.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How calls that were not redirected at build time are treated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Every site was redirected; anything else kills the process.
    #[default]
    Strict,
    /// A stray call traps and is served by the libOS.
    Compat,
}

/// A half-open range of link-time addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Range {
    /// First address.
    pub start: u64,
    /// Length in bytes.
    pub len: u64,
}

/// Where the parts of the image lie, in link-time addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layout {
    /// The application's segments.
    pub app: Range,
    /// The libOS's segments.
    pub libos: Range,
    /// The code that executes host system calls.
    pub hypercall: Range,
    /// The handler of every host signal.
    pub signal_entry: u64,
    /// The gate, where stubs jump to.
    pub gate: u64,
    /// The stubs.
    pub stubs: Range,
    /// The site table, an array of [`crate::image::Site`].
    pub sites: Range,
    /// The application's ELF file; its end may be compressed, see [`crate::image::PackedFile`].
    pub app_file: Range,
    /// The root file system, an EROFS image without compression; length 0 if there is none.
    pub rootfs: Range,
}

/// The application's own ELF header, as far as its start needs it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct App {
    /// Whether it may be moved (static-pie).
    pub relocatable: bool,
    /// Link-time address of the entry point.
    pub entry: u64,
    /// Link-time address of the program headers; 0 if no segment holds them.
    pub phdr: u64,
    /// Number of program headers.
    pub phnum: u64,
}

/// How many `syscall` instructions were found and what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SiteCounts {
    /// Instructions found.
    pub found: u64,
    /// Redirected through a window of whole instructions.
    pub window: u64,
    /// Redirected through a short jump to an island.
    pub island: u64,
    /// Left in place; compat mode only.
    pub trapped: u64,
}

/// A device that the image asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Device {
    /// Name by which the command line attaches a host object to it.
    pub name: String,
    /// Kind of device.
    pub kind: String,
}

/// Which network a program gets if the run does not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Network {
    /// None but loopback.
    None,
    /// The user-mode network.
    User,
}

/// The manifest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`crate::ABI_VERSION`] of the libOS in the image.
    pub abi_version: u32,
    /// The program's name.
    pub name: String,
    /// The path that `/proc/self/exe` names; also `argv[0]` unless the run says otherwise.
    pub exe_path: String,
    /// See [`Mode`].
    pub mode: Mode,
    /// Arguments used if the run gives none (without `argv[0]`).
    #[serde(default)]
    pub args: Vec<String>,
    /// Environment; the run may add and replace.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Working directory.
    pub cwd: String,
    /// Host name.
    pub hostname: String,
    /// Memory limit in bytes, if the run gives none.
    pub memory: u64,
    /// Devices beyond the console.
    #[serde(default)]
    pub devices: Vec<Device>,
    /// The network, if the run names none; absent for the tender's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<Network>,
    /// Published ports as `[ADDRESS:]HOST:GUEST[/udp]`, if the run names none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub publish: Vec<String>,
    /// Where things are.
    pub layout: Layout,
    /// The application.
    pub app: App,
    /// What the rewriter did.
    pub sites: SiteCounts,
}

impl Manifest {
    /// The manifest as it stands in the note.
    ///
    /// # Errors
    /// Those of the JSON writer; none for values that came from `from_json`.
    pub fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(self)
    }

    /// Reads a note's descriptor.
    ///
    /// # Errors
    /// What is malformed, missing or unknown, with line and column.
    pub fn from_json(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_survives_its_json_form() {
        let manifest = Manifest {
            name: "hello".into(),
            mode: Mode::Compat,
            ..Default::default()
        };
        let json = manifest.to_json().expect("plain data");
        assert_eq!(Manifest::from_json(&json).expect("just written"), manifest);
    }

    #[test]
    fn an_unknown_key_is_named() {
        let error = Manifest::from_json(br#"{"abi_version":1,"colour":"red"}"#).unwrap_err();
        assert!(error.to_string().contains("colour"), "{error}");
    }
}
