//! `libos-tender filter`: the rules and the program that an image would run under.
//!
//! Shown for a run without options but `--net`, `-p`, `--volume` and `--block`, at the image's link-time addresses: a run draws a
//! random base, and each option that opens a handle adds that handle's rules. Nothing is opened for it.

use super::filter::{self, Program};
use super::profile::{Comparison, Condition, DefaultAction, Profile, Rule, Width};
use super::{disassemble, origins};
use crate::cli::FilterConfig;
use crate::error::Error;
use crate::handles::Handles;
use crate::image::Image;
use crate::net;
use crate::run;
use crate::vdso::Vdso;
use serde::Serialize;

/// Everything that is printed.
#[derive(Serialize)]
struct Listing {
    mode: libos_abi::manifest::Mode,
    default_action: DefaultAction,
    default_reason: &'static str,
    /// First address and length of the only code that the seven calls are admitted from.
    hypercall_code: (u64, u64),
    rules: Vec<Rule>,
    program: Vec<String>,
}

/// Prints the filter of an image.
///
/// # Errors
/// Those of reading the image.
pub fn print_filter(config: &FilterConfig) -> Result<(), Error> {
    let (_file, image) = run::open_image(&config.image)?;
    let interfaces = net::plan(&config.net, &image.manifest)?.specs.len();
    let listing = Listing::of(
        &image,
        &Handles::typical(interfaces, config.volumes.len(), &config.disks),
    )?;
    if config.json {
        let json = serde_json::to_string_pretty(&listing);
        println!(
            "{}",
            json.map_err(|error| Error::Profile(error.to_string()))?
        );
    } else {
        print!("{}", listing.text());
    }
    Ok(())
}

impl Listing {
    fn of(image: &Image, handles: &Handles) -> Result<Self, Error> {
        let profile = Profile::of(image.manifest.mode)?;
        let rules = profile.expand(&handles.grants())?;
        let origins = origins(image, 0, Vdso::default())?;
        let program: Program = filter::program(profile.default_action, &rules, &origins)?;
        let code = image.manifest.layout.hypercall;
        Ok(Self {
            mode: profile.mode,
            default_action: profile.default_action,
            default_reason: profile.default_reason,
            hypercall_code: (code.start, code.len),
            rules,
            program: disassemble::disassemble(&program),
        })
    }

    fn text(&self) -> String {
        let (start, len) = self.hypercall_code;
        let mut text = format!(
            "default: {:?}\n  {}\norigin: only code at {start:#x}..{:#x} of the image \
             (clock_gettime: the vDSO too)\nrules:\n",
            self.default_action,
            self.default_reason,
            start + len,
        );
        let mut reason = "";
        for rule in &self.rules {
            if rule.reason != reason {
                reason = rule.reason;
                text += &format!("  # {reason}\n");
            }
            text += &format!("  {}\n", rule_text(rule));
        }
        text += "program:\n";
        for line in &self.program {
            text += &format!("  {line}\n");
        }
        text
    }
}

fn rule_text(rule: &Rule) -> String {
    let conditions: Vec<String> = rule.conditions.iter().map(condition_text).collect();
    let subject = match rule.subject {
        "" => String::new(),
        subject => format!("  ; {subject}"),
    };
    format!("{}({}){subject}", rule.call, conditions.join(", "))
}

fn condition_text(condition: &Condition) -> String {
    let comparison = match condition.comparison {
        Comparison::Equal => "==",
        Comparison::AtMost => "<=",
    };
    let width = match condition.width {
        Width::Dword => "",
        Width::Qword => " (64 bits)",
    };
    format!("{} {comparison} {}{width}", condition.name, condition.value)
}
