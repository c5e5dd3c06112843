//! Starts the helper on behalf of a test, or attacks its sandbox from within.
//!
//! `usernet-under-test start OPTIONS…`: the guest's end of the channel goes to the test through the socket that is standard
//! input, with one line that tells the helper's process and what is published. It then waits until the test closes
//! the socket.
//!
//! `usernet-under-test attack NAME`: confines itself as the helper does, and makes the call that NAME stands for.

use libos_usernet::{Config, Protocol, Published, StartError};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags};
use std::io::IoSlice;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::process::ExitCode;

mod attacks;

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    match words.next().as_deref() {
        Some("start") => start(words),
        Some("attack") => attacks::attack(&words.next().unwrap_or_default()),
        other => panic!("start or attack, found {other:?}"),
    }
}

fn start(words: impl Iterator<Item = String>) -> ExitCode {
    let mut config = Config {
        keep_stderr: true,
        resolvers: Some(Vec::new()),
        ..Config::default()
    };
    for word in words {
        let (option, value) = word.split_once('=').unwrap_or((&word, ""));
        match option {
            "loopback" => config.host_loopback = true,
            "no-ipv6" => config.ipv6 = None,
            "mtu" => config.mtu = value.parse().expect("bytes"),
            "resolver" => {
                let address: SocketAddr = value.parse().expect("an address");
                config.resolvers.get_or_insert_default().push(address);
            }
            "publish" => config.published.push(published(value)),
            _ => panic!("an option, found {word}"),
        }
    }
    libos_usernet::disown_children().expect("sigaction");
    match libos_usernet::start(&config) {
        Ok(started) => {
            hand_over(&started);
            drop(started);
            wait();
            ExitCode::SUCCESS
        }
        Err(error) => {
            report(&error);
            ExitCode::from(125)
        }
    }
}

/// `tcp:127.0.0.1:8080:80`; the address may be `*`.
fn published(text: &str) -> Published {
    let words: Vec<_> = text.split('|').collect();
    let [protocol, host, host_port, guest_port] = words[..] else {
        panic!("protocol|host|port|port, found {text}");
    };
    let (first, last) = host_port.split_once('-').unwrap_or((host_port, host_port));
    Published {
        protocol: if protocol == "udp" {
            Protocol::Udp
        } else {
            Protocol::Tcp
        },
        host: (host != "*").then(|| host.parse().expect("an address")),
        host_port: first.parse().expect("a port"),
        host_last: last.parse().expect("a port"),
        guest_port: guest_port.parse().expect("a port"),
    }
}

fn hand_over(started: &libos_usernet::Started) {
    let addresses: Vec<_> = started
        .published
        .iter()
        .map(|(_, address)| address.to_string())
        .collect();
    let confinement = started.confinement;
    let line = format!(
        "{} {} {} {} {}",
        started.helper.as_raw_nonzero(),
        confinement.namespaces,
        confinement.empty_root,
        confinement.landlock,
        addresses.join(","),
    );
    let mut room = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut room);
    let descriptors = [started.channel.as_fd()];
    assert!(control.push(SendAncillaryMessage::ScmRights(&descriptors)));
    let bytes = [IoSlice::new(line.as_bytes())];
    rustix::net::sendmsg(
        rustix::stdio::stdin(),
        &bytes,
        &mut control,
        SendFlags::empty(),
    )
    .expect("sendmsg");
}

fn wait() {
    let mut byte = [0];
    while !matches!(
        rustix::io::read(rustix::stdio::stdin(), &mut byte[..]),
        Ok(0) | Err(_)
    ) {}
}

fn report(error: &StartError) {
    eprintln!("{error}\n  try: {}", error.advice());
}
