//! Making the helper process.
//!
//! It ends when the channel does or when the parent dies, whatever comes first; not before hosts have what the guest
//! had sent them, so that PR_SET_PDEATHSIG is not for it.

use crate::Started;
use crate::channel;
use crate::config::Config;
use crate::confine;
use crate::error::StartError;
use crate::helper::{Helper, Inheritance};
use crate::publish::BoundPort;
use libos_helper::process::{self, Ready, Spec, Surroundings, Users};
use std::io;
use std::net::SocketAddr;

/// Makes the helper, and waits until it is confined.
///
/// # Errors
/// [`StartError`].
pub fn start(
    config: &Config,
    published: Vec<BoundPort>,
    resolvers: Vec<SocketAddr>,
) -> Result<Started, StartError> {
    let (guest_end, helper_end) = channel::pair()
        .map_err(|error| libos_helper::StartError::system("socketpair(2) of the channel", error))?;
    let addresses = published
        .iter()
        .map(|port| (port.published, port.address))
        .collect();
    let inheritance = Inheritance {
        config: config.clone(),
        channel: helper_end,
        parent: None,
        published,
        resolvers,
    };
    let spec = Spec {
        users: Users::Own,
        kept: inheritance.descriptors().collect(),
        keep_stderr: config.keep_stderr,
    };
    let (helper, confinement) = process::start(&spec, |found| prepare(inheritance, found))?;
    Ok(Started {
        channel: guest_end,
        helper,
        published: addresses,
        confinement,
    })
}

/// The filter last, because nothing of this may follow it.
fn prepare(inheritance: Inheritance, found: Surroundings) -> io::Result<Ready> {
    let limits = confine::limits::set()?;
    let parent = found.parent;
    let helper = Helper::new(
        Inheritance {
            parent,
            ..inheritance
        },
        limits,
    )?;
    let confinement = confine::confine(found.namespaces, helper.parent())?;
    Ok(Ready {
        confinement,
        run: Box::new(move || helper.run()),
    })
}
