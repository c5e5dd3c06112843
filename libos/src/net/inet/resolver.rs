//! `/etc/resolv.conf`, `/etc/hosts` and `/etc/hostname`, as docker has it: a program with a network
//! finds files that fit it, whatever its image brought along; one without finds its image's own.
//!
//! - [`init`] writes them at start; [`settle`] writes them anew when DHCP or a router told of name
//!   servers or addresses, unless the program has changed them since.
//! - [`resolv_conf`] and [`hosts`] make the texts.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;
use core::net::IpAddr;

use libos_abi::boot::BootInfo;
use libos_net::config::InterfaceId;
use libos_net::owner::Learnt;

use super::address::is_link_local;
use super::host;
use super::interfaces;
use crate::errno::{Errno, Result};
use crate::fs;
use crate::fs::file::{Io, OpenFlags};
use crate::fs::inode::FileType;
use crate::fs::vfs::open::{HowToOpen, open};
use crate::fs::vfs::walk::{Follow, Walker};
use crate::fs::vfs::{Credentials, Path, names};
use crate::sorted_map::SortedMap;
use crate::sync::SpinLock;
use crate::user::{Dest, Source};

/// The files, in the order of [`State::written`].
const PATHS: [&[u8]; 3] = [b"/etc/resolv.conf", b"/etc/hosts", b"/etc/hostname"];

/// Most servers that a resolver asks (`MAXNS`).
const MOST_SERVERS: usize = 3;

/// The longest of these files that is looked at, in bytes.
const LONGEST: usize = 64 * 1024;

struct State {
    /// What the boot information says.
    dns: Vec<IpAddr>,
    search: Vec<String>,
    hostname: String,
    /// What each interface learnt.
    learnt: SortedMap<InterfaceId, Learnt>,
    /// What the files held when they were written last; none if the network has nothing to say.
    written: [Option<Vec<u8>>; PATHS.len()],
    is_stale: bool,
}

static STATE: SpinLock<State> = SpinLock::new(State {
    dns: Vec::new(),
    search: Vec::new(),
    hostname: String::new(),
    learnt: SortedMap::new(),
    written: [const { None }; PATHS.len()],
    is_stale: false,
});

/// Writes the files, if there is a network.
pub fn init(info: &'static BootInfo) {
    // SAFETY: the tender's arrays and texts stay mapped and unchanged.
    let (dns, search) = unsafe { (info.dns.as_slice(), info.dns_search.as_slice()) };
    {
        let mut state = STATE.lock();
        state.dns = dns.iter().filter_map(host::address).collect();
        state.search = search.iter().map(|domain| host::text(*domain)).collect();
        state.hostname = host::text(info.hostname);
        state.is_stale = host::has_interfaces();
    }
    settle();
}

/// Notes what an interface learnt; called with the stack locked.
pub fn configured(interface: InterfaceId, learnt: &Learnt) {
    let mut state = STATE.lock();
    state.learnt.insert(interface, learnt.clone());
    state.is_stale = true;
}

/// Writes the files if something changed; called with the stack unlocked.
pub fn settle() {
    let (dns, search, hostname) = {
        let mut state = STATE.lock();
        if !core::mem::replace(&mut state.is_stale, false) {
            return;
        }
        let (dns, search) = state.merged();
        (dns, search, state.hostname.clone())
    };
    let addresses: Vec<_> = interfaces::all()
        .iter()
        .filter(|interface| !interface.is_loopback())
        .flat_map(|interface| interface.addresses.iter().map(|network| network.address))
        .filter(|address| !is_link_local(*address))
        .collect();
    // Without a name server there is nothing to say that the image's file does not say better.
    let resolv = (!dns.is_empty()).then(|| resolv_conf(&dns, &search));
    let texts = [
        resolv,
        Some(hosts(&hostname, &addresses)),
        Some(alloc::format!("{hostname}\n").into_bytes()),
    ];
    let root = fs::root();
    for (index, text) in texts.into_iter().enumerate() {
        let Some(text) = text else {
            continue;
        };
        let before = STATE.lock().written[index].clone();
        if update(&root, PATHS[index], before.as_deref(), &text).is_ok() {
            STATE.lock().written[index] = Some(text);
        }
    }
}

impl State {
    /// Name servers and domains: those of the boot information first, each once.
    fn merged(&self) -> (Vec<IpAddr>, Vec<String>) {
        let (mut dns, mut search) = (self.dns.clone(), self.search.clone());
        for learnt in self.learnt.values() {
            for server in &learnt.dns {
                if !dns.contains(server) {
                    dns.push(*server);
                }
            }
            for domain in &learnt.search {
                if !search.contains(domain) {
                    search.push(domain.clone());
                }
            }
        }
        (dns, search)
    }
}

/// The text of `/etc/resolv.conf` (resolv.conf(5)).
pub fn resolv_conf(dns: &[IpAddr], search: &[String]) -> Vec<u8> {
    let mut out = String::new();
    for server in dns.iter().take(MOST_SERVERS) {
        let _ = writeln!(out, "nameserver {server}");
    }
    let fits =
        |domain: &&String| !domain.is_empty() && domain.bytes().all(|byte| byte.is_ascii_graphic());
    let domains: Vec<&str> = search.iter().filter(fits).map(String::as_str).collect();
    if !domains.is_empty() {
        let _ = writeln!(out, "search {}", domains.join(" "));
    }
    out.into_bytes()
}

/// The text of `/etc/hosts` (hosts(5)): loopback, the usual groups, and `hostname` at `addresses`.
pub fn hosts(hostname: &str, addresses: &[IpAddr]) -> Vec<u8> {
    let mut out = String::from(
        "127.0.0.1\tlocalhost\n\
         ::1\tlocalhost ip6-localhost ip6-loopback\n\
         fe00::\tip6-localnet\n\
         ff00::\tip6-mcastprefix\n\
         ff02::1\tip6-allnodes\n\
         ff02::2\tip6-allrouters\n",
    );
    for address in addresses {
        let _ = writeln!(out, "{address}\t{hostname}");
    }
    if addresses.is_empty() {
        let _ = writeln!(out, "127.0.1.1\t{hostname}");
    }
    out.into_bytes()
}

/// Makes `path` hold `text`, unless `before` was written and something else is there by now.
fn update(root: &Path, path: &[u8], before: Option<&[u8]>, text: &[u8]) -> Result<()> {
    let mut walker = Walker::new(root.clone(), Credentials::default());
    if let Some(before) = before
        && read(&mut walker, root, path)? != before
    {
        return Err(Errno::ESTALE.because("the program has its own"));
    }
    match walker.resolve(root, path, Follow::Yes) {
        Ok(_) => {}
        Err(_) => remove_link(&mut walker, root, path)?,
    }
    let flags = OpenFlags::WRONLY | OpenFlags::CREAT | OpenFlags::TRUNC;
    let how = HowToOpen::new(flags, 0o644, 0)?;
    let file = open(&mut walker, root, path, how)?;
    let io = Io {
        offset: 0,
        flags: file.flags(),
    };
    file.file().write(io, &mut Source::kernel(text)).map(drop)
}

/// A link that leads nowhere makes place for a file, as where systemd's resolver was meant to run.
fn remove_link(walker: &mut Walker, root: &Path, path: &[u8]) -> Result<()> {
    let Ok(link) = walker.resolve(root, path, Follow::No) else {
        return Ok(());
    };
    if link.inode().file_type() != FileType::Symlink {
        return Ok(());
    }
    let position = walker.locate(root, path)?;
    names::unlink(walker, &position)
}

fn read(walker: &mut Walker, root: &Path, path: &[u8]) -> Result<Vec<u8>> {
    let how = HowToOpen::new(OpenFlags::empty(), 0, 0)?;
    let file = open(walker, root, path, how)?;
    let io = Io {
        offset: 0,
        flags: file.flags(),
    };
    let mut bytes = alloc::vec![0; LONGEST];
    let count = file.file().read(io, &mut Dest::kernel(&mut bytes))?;
    bytes.truncate(count);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn the_texts_are_what_a_resolver_reads() {
        let dns: Vec<_> = ["10.0.0.1", "fd00::1", "1.1.1.1", "8.8.8.8"]
            .map(address)
            .into();
        let search = ["example.org", "", "bad domain", "test"].map(String::from);
        assert_eq!(
            String::from_utf8_lossy(&resolv_conf(&dns, &search)),
            "nameserver 10.0.0.1\nnameserver fd00::1\nnameserver 1.1.1.1\nsearch example.org test\n"
        );
        let hosts = String::from_utf8(hosts("box", &[address("10.0.0.2")])).expect("text");
        assert!(hosts.starts_with("127.0.0.1\tlocalhost\n::1\tlocalhost"));
        assert!(hosts.ends_with("\n10.0.0.2\tbox\n"));
    }

    #[test]
    fn files_are_made_replaced_and_left_to_the_program() {
        let root = fs::root::empty();
        let mut walker = Walker::new(root.clone(), Credentials::default());
        let path = b"/resolv.conf";
        update(&root, path, None, b"first").expect("made");
        update(&root, path, Some(b"first"), b"2nd").expect("replaced");
        assert_eq!(read(&mut walker, &root, path).as_deref(), Ok(&b"2nd"[..]));
        let refused = update(&root, path, Some(b"first"), b"third");
        assert_eq!(refused, Err(Errno::ESTALE));
        let position = walker.locate(&root, b"/dangling").expect("a place");
        let link = crate::fs::inode::NewNode::Symlink(b"/nowhere");
        names::make(&walker, &position, link, 0o777).expect("a link");
        update(&root, b"/dangling", None, b"text").expect("replaced");
        assert_eq!(
            read(&mut walker, &root, b"/dangling").as_deref(),
            Ok(&b"text"[..])
        );
    }
}
