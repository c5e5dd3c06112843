//! Rules to a BPF program: `seccompiler` for numbers and arguments, behind the check of the origin.

use super::origin::{self, Origins};
use super::profile::{Comparison, Condition, DefaultAction, Rule, Width};
use crate::error::Error;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, sock_filter,
};
use std::collections::BTreeMap;

/// A filter, as the kernel takes it.
pub type Program = Vec<sock_filter>;

/// Compiles the rules; what they do not admit gets the default action.
///
/// # Errors
/// [`Error::Profile`] if `seccompiler` refuses a rule.
pub fn program(
    default: DefaultAction,
    rules: &[Rule],
    origins: &Origins,
) -> Result<Program, Error> {
    let mut program = origin::check(origins, u32::from(action(default)));
    program.extend(arguments_program(default, rules)?);
    Ok(program)
}

/// The part that looks at numbers and arguments.
///
/// # Errors
/// [`Error::Profile`].
pub fn arguments_program(default: DefaultAction, rules: &[Rule]) -> Result<Program, Error> {
    let filter = SeccompFilter::new(
        chains(rules)?,
        action(default),
        SeccompAction::Allow,
        TargetArch::x86_64,
    );
    let program: Result<BpfProgram, _> = filter.and_then(TryInto::try_into);
    program.map_err(refused)
}

/// The rules by number. A call whose rule has no condition has an empty chain, which is how
/// `seccompiler` spells "always"; a call without rules must have no chain at all.
fn chains(rules: &[Rule]) -> Result<BTreeMap<i64, Vec<SeccompRule>>, Error> {
    let mut chains: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
    for rule in rules {
        let chain = chains.entry(i64::from(rule.number)).or_default();
        if rule.conditions.is_empty() {
            continue;
        }
        let conditions: Result<Vec<_>, Error> = rule.conditions.iter().map(condition).collect();
        chain.push(SeccompRule::new(conditions?).map_err(refused)?);
    }
    Ok(chains)
}

fn condition(condition: &Condition) -> Result<SeccompCondition, Error> {
    let width = match condition.width {
        Width::Dword => SeccompCmpArgLen::Dword,
        Width::Qword => SeccompCmpArgLen::Qword,
    };
    let comparison = match condition.comparison {
        Comparison::Equal => SeccompCmpOp::Eq,
        Comparison::AtMost => SeccompCmpOp::Le,
    };
    SeccompCondition::new(condition.argument, width, comparison, condition.value).map_err(refused)
}

fn action(default: DefaultAction) -> SeccompAction {
    match default {
        DefaultAction::KillProcess => SeccompAction::KillProcess,
        DefaultAction::Trap => SeccompAction::Trap,
    }
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "the shape that map_err takes"
)]
fn refused(error: seccompiler::BackendError) -> Error {
    Error::Profile(error.to_string())
}
