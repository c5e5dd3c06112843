//! `cargo libos run`: builds one program and runs its image.

use super::build::{self, Built};
use crate::{cli, tender};
use anyhow::{Result, bail};
use std::process::ExitCode;

/// Builds, then becomes the tender; the exit status is the program's.
///
/// # Errors
/// There is not one program to run, or it cannot be built or started.
pub fn perform(options: &cli::Run) -> Result<ExitCode> {
    let images = match build::build(&options.build)? {
        Ok(images) => images,
        Err(code) => return Ok(code),
    };
    let chosen = choose(&images)?;
    match tender::run(&chosen.image, &options.run, &options.args)? {}
}

/// The only image; or the only binary that its package prefers.
fn choose(images: &[Built]) -> Result<&Built> {
    let preferred =
        |built: &&Built| !built.example && built.default_run.as_ref() == Some(&built.name);
    match images {
        [only] => return Ok(only),
        [] => {
            bail!("expected a program to run, found none; select one with -p, --bin or --example")
        }
        _ => {}
    }
    let preferred: Vec<_> = images.iter().filter(preferred).collect();
    if let [only] = preferred[..] {
        return Ok(only);
    }
    let names: Vec<_> = images.iter().map(|built| built.name.as_str()).collect();
    bail!(
        "expected one program to run, found {}: {}; select one with -p, --bin or --example",
        names.len(),
        names.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built(name: &str, default_run: Option<&str>) -> Built {
        Built {
            name: name.into(),
            example: false,
            default_run: default_run.map(Into::into),
            image: format!("{name}.libos").into(),
        }
    }

    #[test]
    fn one_program_is_chosen_or_all_are_named() {
        assert_eq!(
            choose(&[built("a", None)])
                .map_err(drop)
                .expect("only one")
                .name,
            "a"
        );
        let two = [built("a", Some("b")), built("b", Some("b"))];
        assert_eq!(choose(&two).map_err(drop).expect("preferred").name, "b");
        let Err(error) = choose(&[built("a", None), built("b", None)]) else {
            panic!("two programs, none preferred");
        };
        assert!(error.to_string().contains("a, b"), "{error}");
        assert!(choose(&[]).is_err());
    }
}
