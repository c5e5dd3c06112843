//! The channel of a shared folder: messages of FUSE, version 7 (`linux/fuse.h`), over a stream socket.
//!
//! Both sides use this: the client in the libOS and the file server (`tender/share`). It is data alone: structures, their
//! place in bytes, numbers.
//!
//! - [`wire`]: how a structure lies in bytes; [`messages`]: the structures; [`opcode`]: what can be asked for;
//!   [`flags`]: bits of their fields.
//!
//! **Framing.** A request is an [`messages::InHeader`], whose `len` counts it and all that follows: the structure of its
//! opcode, then names (each with a NUL behind it) or data. A reply is an [`messages::OutHeader`] with the same `unique`,
//! then the structure or data; `error` is a negative errno, and then nothing follows. FORGET and BATCH_FORGET have no
//! reply, INTERRUPT none of its own. Requests may be sent before earlier ones are answered; they are answered in order,
//! except for SETLKW, which is answered once the lock is there. The least request is as long as its header; one that is
//! said to be shorter counts as that long, one that is longer than [`LONGEST_REQUEST`] is skipped and answered with
//! E2BIG. The first request should be INIT, which tells the greatest write. The server's end is the end of the stream
//! (ECONNRESET first, if it had not read everything).
//!
//! **Waiting.** Waking the other side up takes longer than most requests (some 20 µs each way between two virtual CPUs, where a GETATTR
//! takes 2). The server looks for the next request for some microseconds before it sleeps, where that turns out to help; a client that looks
//! for its answer as long before it polls gets it in 5 µs instead of 45.
//!
//! **Age of data.** What a READ of 32 KiB or more answers may be as new as the moment in which it is received: its pages are the
//! host's, not a copy. A write that was sent behind it may show.
//!
//! **Permissions** are the host's, judged with the caller's rights when a file is opened or changed; ACCESS asks for them. The mode, owner and group that are
//! told do not say all: a caller's further groups, ACLs and whose files they are on the host are not seen by the guest.
//!
//! **What is not as under Linux's own client.** STATX is known. A WRITE whose `flags` have O_APPEND appends, unless
//! `write_flags` has [`flags::WRITE_CACHE`]; O_DSYNC and O_SYNC there make that write durable before its answer; opening
//! with them has no effect of its own. A handle of RELEASE is gone even if its number is used again.

pub mod flags;
pub mod messages;
pub mod opcode;
pub mod wire;

/// The protocol's version: major, which both sides must have.
pub const MAJOR: u32 = 7;

/// The protocol's version: minor, the least in which everything here exists.
pub const MINOR: u32 = 39;

/// The number of the shared folder itself (or file, if one is shared).
pub const ROOT: u64 = 1;

/// Most data of one read or write, in bytes.
pub const MOST_DATA: usize = 1 << 20;

/// Longest request, in bytes: a write of [`MOST_DATA`] with its headers, or the longest names and attributes.
pub const LONGEST_REQUEST: usize = MOST_DATA + 4096;

/// Longest name of a directory entry, in bytes.
pub const NAME_MAX: usize = 255;
