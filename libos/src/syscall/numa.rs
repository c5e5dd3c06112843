//! Memory policies (mbind(2), …) of a machine with one node.

use alloc::vec::Vec;

use libos_abi::PAGE_SIZE;

use crate::errno::{Errno, Result, SysResult};
use crate::mm::with_space;
use crate::syscall::memory::pages_of;
use crate::user::UserPtr;

// From include/uapi/linux/mempolicy.h.
const MPOL_DEFAULT: u32 = 0;
const MPOL_PREFERRED: u32 = 1;
const MPOL_LOCAL: u32 = 4;
const MPOL_MAX: u32 = 7;
/// MPOL_F_STATIC_NODES, MPOL_F_RELATIVE_NODES, MPOL_F_NUMA_BALANCING.
const MODE_FLAGS: u32 = 7 << 13;
/// MPOL_MF_STRICT, MPOL_MF_MOVE, MPOL_MF_MOVE_ALL.
const BIND_FLAGS: u32 = 7;
/// MPOL_F_NODE, MPOL_F_ADDR.
const GET_FLAGS: u32 = 3;
const MPOL_F_MEMS_ALLOWED: u32 = 4;

/// A memory policy for the one node that there is.
fn check_policy(mode: u32, nodes: UserPtr<u64>, max_node: usize) -> Result<()> {
    let mode = mode & !MODE_FLAGS;
    let known = mode < MPOL_MAX;
    let words = max_node.saturating_sub(1).div_ceil(64);
    if !known || words > PAGE_SIZE / size_of::<u64>() {
        return Err(Errno::EINVAL);
    }
    let wanted = if nodes.is_null() {
        Vec::new()
    } else {
        nodes.read_vec(words)?
    };
    let foreign = wanted.iter().enumerate().any(|(index, &word)| {
        let own = u64::from(index == 0);
        word & !own != 0
    });
    let empty = wanted.iter().all(|&word| word == 0);
    let takes_none = mode == MPOL_DEFAULT || mode == MPOL_LOCAL;
    let may_be_empty = takes_none || mode == MPOL_PREFERRED;
    if foreign || (empty && !may_be_empty) || (takes_none && !empty) {
        return Err(Errno::EINVAL);
    }
    Ok(())
}

/// See mbind(2). There is one node.
pub fn mbind(
    address: UserPtr<u8>,
    len: usize,
    mode: u32,
    nodes: UserPtr<u64>,
    max_node: usize,
    flags: u32,
) -> SysResult {
    if flags & !BIND_FLAGS != 0 {
        return Err(Errno::EINVAL);
    }
    let extent = pages_of(address, len, Errno::EINVAL)?;
    check_policy(mode, nodes, max_node)?;
    with_space(|space| space.require(extent, Errno::EFAULT, |_| true))
        .map_err(|_| Errno::EFAULT)?;
    Ok(0)
}

/// See get_mempolicy(2). The policy is the default one, the node is 0.
pub fn get_mempolicy(
    mode: UserPtr<i32>,
    nodes: UserPtr<u64>,
    max_node: usize,
    _address: UserPtr<u8>,
    flags: u32,
) -> SysResult {
    let allowed = flags & MPOL_F_MEMS_ALLOWED != 0;
    if flags & !(GET_FLAGS | MPOL_F_MEMS_ALLOWED) != 0 || (allowed && flags != MPOL_F_MEMS_ALLOWED)
    {
        return Err(Errno::EINVAL);
    }
    if let Some(mode) = mode.non_null() {
        mode.write(0)?;
    }
    if let Some(nodes) = nodes.non_null() {
        let words = max_node.div_ceil(64);
        if words == 0 || words > PAGE_SIZE / size_of::<u64>() {
            return Err(Errno::EINVAL);
        }
        for index in 0..words {
            nodes
                .element(index)?
                .write(u64::from(allowed && index == 0))?;
        }
    }
    Ok(0)
}

/// See set_mempolicy(2). There is one node.
pub fn set_mempolicy(mode: u32, nodes: UserPtr<u64>, max_node: usize) -> SysResult {
    check_policy(mode, nodes, max_node)?;
    Ok(0)
}
