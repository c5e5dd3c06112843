//! From the gate to the handler and back.

use crate::syscall::table;

/// Serves one call: the value for `%rax`, negative for an error.
pub fn dispatch(number: u64, registers: &[u64; 6]) -> i64 {
    match table::call(number, registers) {
        Ok(value) => i64::try_from(value).unwrap_or(i64::MAX),
        Err(errno) => -i64::from(errno.number()),
    }
}
