//! What an instance reports in each mode, and what it refuses.

use super::*;
use crate::fs::eventfd::{EventFd, Take};
use crate::fs::file::{Io, OpenFlags};
use crate::fs::pipe::{self, PipeEnd};
use crate::user::{Dest, Source};
use std::vec::Vec;

const IN: u32 = PollEvents::IN.bits();
const NONBLOCK: Io = Io {
    offset: 0,
    flags: OpenFlags::NONBLOCK,
};

fn opened(file: Arc<dyn File>) -> Arc<OpenFile> {
    OpenFile::new(file, OpenFlags::RDWR)
}

fn counter() -> Arc<OpenFile> {
    opened(Arc::new(EventFd::new(0, Take::All)))
}

fn bump(file: &Arc<OpenFile>) {
    let written = file
        .file()
        .write(NONBLOCK, &mut Source::kernel(&1_u64.to_ne_bytes()));
    assert!(written.is_ok());
}

fn drain(file: &Arc<OpenFile>) {
    let read = file.file().read(NONBLOCK, &mut Dest::kernel(&mut [0; 8]));
    assert!(read.is_ok());
}

fn event(events: u32, data: u64) -> EpollEvent {
    EpollEvent { events, data }
}

/// The data words that a wait for up to `max` reports.
fn ready(epoll: &Epoll, max: usize) -> Vec<u64> {
    let mut found = Vec::new();
    epoll
        .harvest(max, |_, event| {
            found.push(event.data);
            Ok(())
        })
        .expect("the sink takes all");
    found
}

#[test]
fn level_triggered_reports_a_state_again_and_again() {
    let (epoll, file) = (Epoll::new(), counter());
    epoll.add(3, &file, event(IN, 30)).expect("new");
    assert!(ready(&epoll, 9).is_empty());
    bump(&file);
    assert_eq!(ready(&epoll, 9), [30]);
    assert_eq!(ready(&epoll, 9), [30]);
    drain(&file);
    assert!(ready(&epoll, 9).is_empty());
    bump(&file);
    assert_eq!(ready(&epoll, 9), [30]);
}

#[test]
fn edge_triggered_reports_each_change_once() {
    let (epoll, file) = (Epoll::new(), counter());
    bump(&file);
    let edge = Mode::EDGE.bits() | IN;
    epoll.add(3, &file, event(edge, 1)).expect("new");
    assert_eq!(ready(&epoll, 9), [1], "ready when added");
    assert!(ready(&epoll, 9).is_empty());
    bump(&file);
    assert_eq!(ready(&epoll, 9), [1], "more came");
    assert!(ready(&epoll, 9).is_empty());
    epoll.modify(3, &file, event(edge, 2)).expect("known");
    assert_eq!(ready(&epoll, 9), [2], "modifying looks again");
}

#[test]
fn one_shot_keeps_quiet_until_modified() {
    let (epoll, file) = (Epoll::new(), counter());
    let once = Mode::ONESHOT.bits() | IN;
    epoll.add(3, &file, event(once, 1)).expect("new");
    bump(&file);
    assert_eq!(ready(&epoll, 9), [1]);
    bump(&file);
    assert!(ready(&epoll, 9).is_empty());
    epoll.modify(3, &file, event(once, 1)).expect("known");
    assert_eq!(ready(&epoll, 9), [1]);
}

#[test]
fn ready_items_take_turns() {
    let epoll = Epoll::new();
    let files: Vec<_> = (0..3).map(|_| counter()).collect();
    for (index, file) in files.iter().enumerate() {
        let fd = i32::try_from(index).expect("few");
        epoll.add(fd, file, event(IN, index as u64)).expect("new");
        bump(file);
    }
    assert_eq!(ready(&epoll, 2), [0, 1]);
    assert_eq!(ready(&epoll, 2), [2, 0]);
    assert_eq!(ready(&epoll, 2), [1, 2]);
}

#[test]
fn a_refused_report_stays_ready() {
    let (epoll, file) = (Epoll::new(), counter());
    let edge = Mode::EDGE.bits() | IN;
    epoll.add(3, &file, event(edge, 5)).expect("new");
    bump(&file);
    let refused = epoll.harvest(1, |_, _| Err(Errno::EFAULT));
    assert_eq!(refused, Err(Errno::EFAULT));
    assert_eq!(ready(&epoll, 1), [5]);
}

#[test]
fn closed_files_drop_out() {
    let (epoll, file) = (Epoll::new(), counter());
    epoll.add(3, &file, event(IN, 1)).expect("new");
    bump(&file);
    drop(file);
    assert!(ready(&epoll, 9).is_empty());
    assert!(epoll.is_empty());
    // Dead items that never become ready are swept when many are added.
    for _ in 0..1000 {
        epoll.add(3, &counter(), event(IN, 1)).expect("new");
    }
    assert!(epoll.len() <= 2 * SWEEP_FROM, "{} items", epoll.len());
}

#[test]
fn a_number_may_be_reused() {
    let (epoll, first, second) = (Epoll::new(), counter(), counter());
    epoll.add(3, &first, event(IN, 1)).expect("new");
    epoll.add(3, &second, event(IN, 2)).expect("another file");
    assert_eq!(epoll.add(3, &second, event(IN, 2)), Err(Errno::EEXIST));
    bump(&second);
    assert_eq!(ready(&epoll, 9), [2]);
}

#[test]
fn what_is_not_watched_is_enoent() {
    let (epoll, file) = (Epoll::new(), counter());
    assert_eq!(epoll.modify(3, &file, event(IN, 1)), Err(Errno::ENOENT));
    assert_eq!(epoll.delete(3, &file), Err(Errno::ENOENT));
    epoll.add(3, &file, event(IN, 1)).expect("new");
    bump(&file);
    epoll.delete(3, &file).expect("known");
    bump(&file);
    assert!(ready(&epoll, 9).is_empty());
    assert!(epoll.state.lock().ready.is_empty());
}

#[test]
fn hang_ups_are_reported_unasked() {
    let epoll = Epoll::new();
    let (reader, writer): (Arc<PipeEnd>, Arc<PipeEnd>) = pipe::new();
    let reader = opened(reader);
    epoll.add(3, &reader, event(0, 7)).expect("new");
    drop(writer);
    let mut found = 0;
    let count = epoll.harvest(1, |_, event| {
        found = event.events;
        Ok(())
    });
    assert_eq!((count, found), (Ok(1), PollEvents::HUP.bits()));
}

#[test]
fn exclusive_goes_with_few_flags() {
    let (epoll, file) = (Epoll::new(), counter());
    let exclusive = Mode::EXCLUSIVE.bits();
    let rdhup = PollEvents::RDHUP.bits();
    for bad in [Mode::ONESHOT.bits(), rdhup] {
        let refused = epoll.add(3, &file, event(exclusive | bad, 0));
        assert_eq!(refused, Err(Errno::EINVAL));
    }
    let inner = opened(Epoll::new());
    let refused = epoll.add(4, &inner, event(exclusive | IN, 0));
    assert_eq!(refused, Err(Errno::EINVAL));
    epoll
        .add(3, &file, event(exclusive | IN, 1))
        .expect("plain");
    bump(&file);
    assert_eq!(ready(&epoll, 9), [1]);
    assert_eq!(epoll.modify(3, &file, event(IN, 0)), Err(Errno::EINVAL));
}

#[test]
fn an_instance_reports_through_another() {
    let (outer, inner, file) = (Epoll::new(), Epoll::new(), counter());
    let inner_file = opened(Arc::clone(&inner) as Arc<dyn File>);
    outer.add(4, &inner_file, event(IN, 4)).expect("new");
    inner.add(3, &file, event(IN, 3)).expect("new");
    assert!(ready(&outer, 9).is_empty());
    bump(&file);
    assert_eq!(ready(&outer, 9), [4]);
    assert_eq!(ready(&inner, 9), [3]);
    drain(&file);
    assert!(
        ready(&outer, 9).is_empty(),
        "the inner one has nothing left"
    );
}

#[test]
fn circles_and_towers_are_refused() {
    let all: Vec<_> = (0..6).map(|_| Epoll::new()).collect();
    let files: Vec<_> = all
        .iter()
        .map(|epoll| opened(Arc::clone(epoll) as Arc<dyn File>))
        .collect();
    assert_eq!(all[0].add(0, &files[0], event(IN, 0)), Err(Errno::EINVAL));
    for index in 1..5 {
        let added = all[index].add(0, &files[index - 1], event(IN, 0));
        assert_eq!(added, Ok(()), "five instances may stand on one another");
    }
    assert_eq!(all[5].add(0, &files[4], event(IN, 0)), Err(Errno::ELOOP));
    assert_eq!(all[0].add(0, &files[3], event(IN, 0)), Err(Errno::ELOOP));
}
