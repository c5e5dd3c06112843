//! The profile as a BPF program.

use super::profile::{self, Argument, Form, Profile, Rule};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch,
};
use std::collections::BTreeMap;
use std::io;

/// Compiles the profile.
///
/// # Errors
/// That a rule is malformed.
pub fn program(profile: &Profile) -> io::Result<BpfProgram> {
    let mut chains: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
    for rule in &profile.rules {
        chains.insert(profile::number(&rule.call)?, chain(rule)?);
    }
    let profile::DefaultAction::KillProcess = profile.default_action;
    let (kill, allow) = (SeccompAction::KillProcess, SeccompAction::Allow);
    let filter = SeccompFilter::new(chains, kill, allow, TargetArch::x86_64);
    filter.and_then(TryInto::try_into).map_err(io::Error::other)
}

/// An empty chain is how `seccompiler` spells "always".
fn chain(rule: &Rule) -> io::Result<Vec<SeccompRule>> {
    rule.forms.iter().map(form).collect()
}

fn form(form: &Form) -> io::Result<SeccompRule> {
    let conditions: io::Result<Vec<_>> = form.arguments.iter().map(condition).collect();
    SeccompRule::new(conditions?).map_err(io::Error::other)
}

fn condition(argument: &Argument) -> io::Result<SeccompCondition> {
    let (width, equals) = (SeccompCmpArgLen::Dword, u64::from(argument.equals));
    SeccompCondition::new(argument.argument, width, SeccompCmpOp::Eq, equals)
        .map_err(io::Error::other)
}

/// Puts the program in force, for good.
///
/// # Errors
/// That of seccomp(2).
pub fn apply(program: &BpfProgram) -> io::Result<()> {
    seccompiler::apply_filter(program).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_compiles() {
        let text = r#"{"role": "test", "default_action": "kill_process", "default_reason": "", "rules": [
            {"call": "write", "reason": "a reason that can be read by people"},
            {"call": "fcntl", "reason": "a reason that can be read by people", "forms": [
                {"name": "F_GETFD", "arguments": [{"argument": 1, "name": "cmd", "equals": 1}]}]}]}"#;
        let profile = Profile::parse(text).expect("valid JSON");
        let program = program(&profile).expect("valid rules");
        assert!(program.len() > 6, "{}", program.len());
    }
}
