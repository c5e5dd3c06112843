//! Names of extended attributes: a prefix in system calls, an index on the disk.

use alloc::vec::Vec;
use rsext4::{XattrName, XattrNamespace};

/// Prefixes of names (or whole names), each with its index; ext4's documentation, "Extended Attributes".
const PREFIXES: [(&[u8], XattrNamespace); 6] = [
    (b"user.", XattrNamespace::User),
    (b"system.posix_acl_access", XattrNamespace::PosixAclAccess),
    (b"system.posix_acl_default", XattrNamespace::PosixAclDefault),
    (b"trusted.", XattrNamespace::Trusted),
    (b"security.", XattrNamespace::Security),
    (b"system.", XattrNamespace::System),
];

/// Namespace and rest of a full name; `None` if no namespace has this prefix.
pub fn split(name: &[u8]) -> Option<(XattrNamespace, &[u8])> {
    PREFIXES.iter().find_map(|&(prefix, namespace)| {
        let rest = name.strip_prefix(prefix)?;
        let whole = !prefix.ends_with(b".");
        (whole == rest.is_empty()).then_some((namespace, rest))
    })
}

/// Whether attributes there are access lists.
pub const fn is_acl(namespace: XattrNamespace) -> bool {
    matches!(
        namespace,
        XattrNamespace::PosixAclAccess | XattrNamespace::PosixAclDefault
    )
}

/// The full name with a NUL behind it, appended to `names`; nothing for namespaces without a prefix.
pub fn join(name: &XattrName, names: &mut Vec<u8>) {
    let known = PREFIXES
        .iter()
        .find(|(_, namespace)| *namespace == name.namespace);
    if let Some((prefix, _)) = known {
        names.extend_from_slice(prefix);
        names.extend_from_slice(&name.name);
        names.push(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_split_and_joined() {
        assert_eq!(split(b"user.a"), Some((XattrNamespace::User, &b"a"[..])));
        assert_eq!(
            split(b"system.posix_acl_access"),
            Some((XattrNamespace::PosixAclAccess, &b""[..]))
        );
        assert_eq!(
            split(b"system.x"),
            Some((XattrNamespace::System, &b"x"[..]))
        );
        assert_eq!(split(b"user."), None);
        assert_eq!(split(b"other.a"), None);
        let mut names = Vec::new();
        let name = |namespace, name: &[u8]| XattrName {
            namespace,
            name: name.to_vec(),
        };
        join(&name(XattrNamespace::PosixAclDefault, b""), &mut names);
        join(&name(XattrNamespace::Lustre, b"x"), &mut names);
        join(&name(XattrNamespace::User, b"b"), &mut names);
        assert_eq!(names, b"system.posix_acl_default\0user.b\0");
    }
}
