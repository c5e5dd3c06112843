//! The drivers that the tender carries: ELF files made by its build script, see `libos_abi::driver`.
//!
//! Which run needs which is decided by its disks; [`crate::space::module`] maps them.

use libos_abi::driver::DriverKind;

/// The driver's ELF file.
pub fn file(kind: DriverKind) -> &'static [u8] {
    match kind {
        DriverKind::Ext4 => include_bytes!(env!("LIBOS_TENDER_EXT4")),
    }
}
