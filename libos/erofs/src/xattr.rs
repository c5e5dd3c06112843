//! Extended attributes of an inode.

use crate::format::{Fields, XATTR_HEADER, XATTR_PREFIXES, part};
use crate::inode::Inode;
use crate::{Damaged, Result};

/// Takes an extended attribute: the prefix of its name, the rest of it, the value.
pub type VisitXattr<'v, 'a> = dyn FnMut(&'static [u8], &'a [u8], &'a [u8]) + 'v;

impl<'a> Inode<'a> {
    /// Calls `visit` with each extended attribute.
    ///
    /// # Errors
    /// They lie outside of the image, or a prefix is unknown.
    pub fn xattrs(&self, visit: &mut VisitXattr<'_, 'a>) -> Result<()> {
        if self.xattrs_len == 0 {
            return Ok(());
        }
        let all = self.image.part(self.xattrs, self.xattrs_len)?;
        let shared_len = usize::from(all[4]) * 4;
        let (_, behind) = all.split_at(XATTR_HEADER.try_into().unwrap_or(0));
        let (shared, mut own) = behind
            .split_at_checked(shared_len)
            .ok_or(Damaged("erofs: expected shared attributes, found the end"))?;
        for id in shared.chunks_exact(4) {
            visit_one(self.image.shared_xattr(id.u32(0))?, visit)?;
        }
        while !own.is_empty() {
            let len = visit_one(own, visit)?;
            own = own.get(len.next_multiple_of(4)..).unwrap_or(&[]);
        }
        Ok(())
    }
}

/// Visits the attribute at the beginning of `bytes`; returns its length.
fn visit_one<'a>(bytes: &'a [u8], visit: &mut VisitXattr<'_, 'a>) -> Result<usize> {
    let header = part(bytes, 0, 4)?;
    let name_len = usize::from(header[0]);
    let value_len = usize::from(header.u16(2));
    let name = part(bytes, 4, name_len as u64)?;
    let value = part(bytes, 4 + name_len as u64, value_len as u64)?;
    let prefix = XATTR_PREFIXES.iter().find(|known| known.0 == header[1]);
    let prefix = prefix.ok_or(Damaged("erofs: expected a known prefix of an attribute"))?;
    visit(prefix.1, name, value);
    Ok(4 + name_len + value_len)
}
