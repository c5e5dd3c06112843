//! Confinement: what the process gives up before it enters the image.
//!
//! - [`privileges`]: capabilities, groups, the way back to them.
//! - [`profile`]: the policy as data (`seccomp-profiles/*.json`), and its expansion over a run's handles.
//! - [`origin`]: the part of the filter that looks at where a call comes from.
//! - [`filter`]: rules to a BPF program.
//! - [`disassemble`], [`print`]: the same program, for an auditor.
//!
//! Descriptors are closed by [`crate::handles`], which knows which to keep; the filter is put in force
//! by [`crate::launch`], because nothing may follow it.

pub mod disassemble;
pub mod filter;
pub mod origin;
pub mod print;
pub mod privileges;
pub mod profile;

use crate::error::Error;
use crate::handles::Handles;
use crate::image::Image;
use crate::vdso::Vdso;
use filter::Program;
use origin::{Origins, Window};
use profile::Profile;

pub use print::print_filter;

/// The filter of a run: the mode's profile over these handles, from these addresses.
///
/// # Errors
/// [`Error::Profile`].
pub fn compile(image: &Image, bias: u64, handles: &Handles, vdso: Vdso) -> Result<Program, Error> {
    let profile = Profile::of(image.manifest.mode)?;
    let rules = profile.expand(&handles.grants())?;
    filter::program(profile.default_action, &rules, &origins(image, bias, vdso)?)
}

/// Where the seven calls may come from: the libOS's hypercall code; for the clock the vDSO too, whose
/// code enters the kernel if the host's clock source changes while the image runs.
fn origins(image: &Image, bias: u64, vdso: Vdso) -> Result<Origins, Error> {
    let code = image.manifest.layout.hypercall;
    let hypercall = Window::new(code.start.wrapping_add(bias), code.len)
        .ok_or_else(|| Error::Profile("hypercall code that crosses a multiple of 4 GiB".into()))?;
    Ok(Origins {
        hypercall,
        vdso: Window::new(vdso.start, vdso.len),
    })
}
