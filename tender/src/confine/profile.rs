//! The policy as data: rule templates with their reasons, expanded over the handles of a run.
//!
//! Main types: [`Profile`] (one of the two JSON files), [`Grant`] (a handle, as far as rules need it),
//! [`Rule`] (what is admitted, ready to be compiled and printed). A template that expands over handles
//! gives no rule at all where no handle has the right: then the call is not admitted.

use crate::error::Error;
use crate::handles::Handles;
use libos_abi::handle::Rights;
use libos_abi::hypercall::Hypercall;
use libos_abi::manifest::Mode;
use serde::{Deserialize, Serialize};

const STRICT: &str = include_str!("../../../seccomp-profiles/strict.json");
const COMPAT: &str = include_str!("../../../seccomp-profiles/compat.json");

/// What happens to a call that no rule admits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DefaultAction {
    /// `SECCOMP_RET_KILL_PROCESS`.
    KillProcess,
    /// `SECCOMP_RET_TRAP`: SIGSYS, which the libOS handles.
    Trap,
}

/// A profile file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// The mode of the images that it is for.
    pub mode: Mode,
    /// What happens to everything else.
    pub default_action: DefaultAction,
    /// Why.
    pub default_reason: &'static str,
    /// One template per call.
    pub rules: Vec<Template>,
}

/// What a profile admits of one call.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Template {
    /// The man page's name.
    pub call: &'static str,
    /// Which code of the libOS needs it, for what.
    pub reason: &'static str,
    /// One rule for each handle with this right: argument 0 is its descriptor.
    #[serde(default)]
    pub for_each_handle_with: Option<Right>,
    /// One rule for each value of an argument.
    #[serde(default)]
    pub one_of: Option<OneOf>,
    /// Conditions of every rule of this template.
    #[serde(default)]
    pub arguments: Vec<ArgumentTemplate>,
}

/// A right over which a template expands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Right {
    /// read(2).
    Read,
    /// write(2).
    Write,
    /// pread64(2).
    Pread,
    /// pwrite64(2).
    Pwrite,
}

impl Right {
    fn is_in(self, rights: Rights) -> bool {
        match self {
            Self::Read => rights.read,
            Self::Write => rights.write,
            Self::Pread => rights.pread,
            Self::Pwrite => rights.pwrite,
        }
    }
}

/// An argument with a closed list of values.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OneOf {
    /// Its position.
    pub argument: u8,
    /// The man page's name.
    pub name: &'static str,
    /// The list.
    pub values: Vec<NamedValue>,
}

/// A value of [`OneOf`].
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedValue {
    /// The header file's name.
    pub name: &'static str,
    /// The number.
    pub value: u32,
}

/// A condition on one argument.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArgumentTemplate {
    /// Its position.
    pub argument: u8,
    /// The man page's name.
    pub name: &'static str,
    /// How much of the register the kernel looks at.
    pub width: Width,
    /// The only legal value.
    #[serde(default)]
    pub equals: Option<u64>,
    /// The greatest legal value.
    #[serde(default)]
    pub at_most: Option<Bound>,
}

/// A bound that the run decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// How many handles may be waited for.
    PollableHandles,
}

/// How much of a register is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Width {
    /// The low 32 bits: what the kernel takes of an `int`.
    Dword,
    /// All 64.
    Qword,
}

/// A handle, as far as rules need it.
#[derive(Clone, Debug)]
pub struct Grant {
    /// Its name in listings.
    pub name: &'static str,
    /// Its descriptor.
    pub fd: u32,
    /// What may be done with it.
    pub rights: Rights,
}

/// One admitted form of a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rule {
    /// The call's number.
    pub number: u32,
    /// The call's name.
    pub call: &'static str,
    /// All of these must hold.
    pub conditions: Vec<Condition>,
    /// What it is for: the handle or the value.
    pub subject: &'static str,
    /// Which code needs it.
    pub reason: &'static str,
}

/// A condition on one argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Condition {
    /// Position.
    pub argument: u8,
    /// The man page's name.
    pub name: &'static str,
    /// How much is compared.
    pub width: Width,
    /// How.
    pub comparison: Comparison,
    /// With what.
    pub value: u64,
}

/// How an argument is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Comparison {
    /// `==`.
    Equal,
    /// `<=`, unsigned.
    AtMost,
}

impl Handles {
    /// The handles as grants.
    pub fn grants(&self) -> Vec<Grant> {
        let grant = |handle: &crate::handles::OpenHandle| {
            Some(Grant {
                name: handle.kind.name(),
                fd: u32::try_from(handle.fd).ok()?,
                rights: handle.kind.rights(),
            })
        };
        self.list.iter().filter_map(grant).collect()
    }
}

impl Profile {
    /// The profile of a mode.
    ///
    /// # Errors
    /// [`Error::Profile`] if the file built into the tender is malformed.
    pub fn of(mode: Mode) -> Result<Self, Error> {
        let text = match mode {
            Mode::Strict => STRICT,
            Mode::Compat => COMPAT,
        };
        serde_json::from_str(text).map_err(|error| Error::Profile(error.to_string()))
    }

    /// The rules of a run with these handles.
    ///
    /// # Errors
    /// [`Error::Profile`] if a template names a call that is not one of the seven.
    pub fn expand(&self, grants: &[Grant]) -> Result<Vec<Rule>, Error> {
        let mut rules = Vec::with_capacity(32);
        for template in &self.rules {
            rules.extend(template.expand(grants)?);
        }
        Ok(rules)
    }
}

impl Template {
    /// The call, if it is one of the seven.
    ///
    /// # Errors
    /// [`Error::Profile`].
    pub fn hypercall(&self) -> Result<Hypercall, Error> {
        let calls = Hypercall::ALL.into_iter();
        let mut calls = calls.filter(|call| call.name() == self.call);
        calls
            .next()
            .ok_or_else(|| Error::Profile(format!("{} is not one of the seven calls", self.call)))
    }

    fn expand(&self, grants: &[Grant]) -> Result<Vec<Rule>, Error> {
        let call = self.hypercall()?;
        let common = self.conditions(grants)?;
        let alternatives = self.alternatives(grants);
        let rules = alternatives.into_iter().map(|(condition, subject)| Rule {
            number: call.number(),
            call: call.name(),
            conditions: condition
                .into_iter()
                .chain(common.iter().copied())
                .collect(),
            subject,
            reason: self.reason,
        });
        Ok(rules.collect())
    }

    /// One entry for each rule, with the condition that tells it from the others.
    fn alternatives(&self, grants: &[Grant]) -> Vec<(Option<Condition>, &'static str)> {
        let equal = |argument, name: &'static str, value: u32| Condition {
            argument,
            name,
            width: Width::Dword,
            comparison: Comparison::Equal,
            value: u64::from(value),
        };
        match (self.for_each_handle_with, &self.one_of) {
            (Some(right), _) => grants
                .iter()
                .filter(|grant| right.is_in(grant.rights))
                .map(|grant| (Some(equal(0, "fd", grant.fd)), grant.name))
                .collect(),
            (None, Some(list)) => list
                .values
                .iter()
                .map(|named| {
                    let condition = equal(list.argument, list.name, named.value);
                    (Some(condition), named.name)
                })
                .collect(),
            (None, None) => vec![(None, "")],
        }
    }

    fn conditions(&self, grants: &[Grant]) -> Result<Vec<Condition>, Error> {
        let conditions = self
            .arguments
            .iter()
            .map(|argument| argument.condition(grants));
        conditions.collect()
    }
}

impl ArgumentTemplate {
    fn condition(&self, grants: &[Grant]) -> Result<Condition, Error> {
        let (comparison, value) = match (self.equals, self.at_most) {
            (Some(value), None) => (Comparison::Equal, value),
            (None, Some(Bound::PollableHandles)) => {
                let pollable = grants.iter().filter(|grant| grant.rights.poll);
                (Comparison::AtMost, pollable.count() as u64)
            }
            _ => {
                let message = format!("argument {} needs one of `equals` and `at_most`", self.name);
                return Err(Error::Profile(message));
            }
        };
        Ok(Condition {
            argument: self.argument,
            name: self.name,
            width: self.width,
            comparison,
            value,
        })
    }
}
