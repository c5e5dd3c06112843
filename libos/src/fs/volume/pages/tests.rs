//! A file's pages against a vector, over a store that counts, and refuses.

use super::*;
use crate::fs::testing::Random;
use std::vec;

/// A file of a volume: bytes, and how often it may be written before it is full.
#[derive(Default)]
struct Disk {
    bytes: Vec<u8>,
    reads: usize,
    writes: usize,
    refuses: bool,
}

fn index(position: u64) -> usize {
    usize::try_from(position).expect("a small file")
}

impl Store for Disk {
    fn read(&mut self, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        if self.refuses {
            return Err(Errno::EIO);
        }
        self.reads += 1;
        let known = self.bytes.get(index(offset)..).unwrap_or(&[]);
        // Little at a time, as a volume may.
        let count = known.len().min(buffer.len()).min(70_000);
        buffer[..count].copy_from_slice(&known[..count]);
        Ok(count)
    }

    fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<()> {
        if self.refuses {
            return Err(Errno::EIO);
        }
        self.writes += 1;
        let end = index(offset) + bytes.len();
        self.bytes.resize(self.bytes.len().max(end), 0);
        self.bytes[index(offset)..end].copy_from_slice(bytes);
        Ok(())
    }
}

struct File {
    pages: Pages,
    disk: Disk,
    now: u64,
}

impl File {
    fn of(bytes: Vec<u8>) -> Self {
        Self {
            pages: Pages::of_size(bytes.len() as u64),
            disk: Disk {
                bytes,
                ..Disk::default()
            },
            now: 1,
        }
    }

    fn read(&mut self, offset: u64, len: usize) -> Vec<u8> {
        let mut bytes = vec![0xaa; len];
        self.now += 1;
        let mut dest = Dest::kernel(&mut bytes);
        let read = self.pages.read(offset, &mut dest, self.now, &mut self.disk);
        bytes.truncate(read.expect("a disk that works"));
        bytes
    }

    fn write(&mut self, offset: u64, bytes: &[u8]) {
        self.now += 1;
        let mut source = Source::kernel(bytes);
        let written = self
            .pages
            .write(offset, &mut source, self.now, &mut self.disk);
        assert_eq!(written, Ok(bytes.len()));
    }

    fn truncate(&mut self, size: u64) {
        self.disk.bytes.resize(index(size), 0);
        self.pages.resize(size);
    }

    fn sync(&mut self) {
        let written = self.pages.write_back(&(0..u64::MAX), &mut self.disk);
        assert_eq!(written, Ok(()));
        assert_eq!(self.pages.dirty(), 0);
    }
}

#[test]
fn it_agrees_with_a_vector() {
    let mut random = Random::new(23);
    for round in 0..12 {
        let mut model: Vec<u8> = (0..random.below(5 << 20))
            .map(|at| at.to_le_bytes()[0])
            .collect();
        let mut file = File::of(model.clone());
        let mut pin = None;
        for step in 0..120 {
            let offset = random.below(6 << 20);
            let len = random.below(if step % 9 == 0 { 3 << 20 } else { 20_000 });
            let (from, to) = (index(offset), index(offset + len));
            match random.below(9) {
                0..=2 => {
                    let byte = random.number().to_le_bytes()[1];
                    if len > 0 {
                        model.resize(model.len().max(to), 0);
                        model[from..to].fill(byte);
                    }
                    file.write(offset, &vec![byte; index(len)]);
                }
                3 | 4 => {
                    let (from, to) = (from.min(model.len()), to.min(model.len()));
                    assert!(
                        file.read(offset, index(len)) == model[from..to],
                        "round {round}, step {step}"
                    );
                }
                5 => {
                    model.resize(from, 0);
                    file.truncate(offset);
                }
                6 => {
                    file.sync();
                    assert!(file.disk.bytes == model, "round {round}, step {step}");
                }
                7 if round % 3 == 0 && pin.is_none() => {
                    let mapped = file.pages.map(0, 8192, 1, &mut file.disk).expect("memory");
                    pin = Some(mapped.pin);
                }
                _ => {
                    file.pages.shrink(u64::MAX);
                }
            }
            assert_eq!(file.pages.size(), model.len() as u64);
        }
        assert!(file.read(0, 12 << 20) == model, "round {round}");
        file.sync();
        assert!(file.disk.bytes == model, "round {round}");
    }
}

#[test]
fn sequential_reading_reads_ahead_and_random_reading_does_not() {
    let mut file = File::of(vec![7; 8 << 20]);
    for at in 0..2048 {
        file.read(at * 4096, 4096);
    }
    // 70,000 bytes at once, by the store; so 120 at least.
    assert!(file.disk.reads < 160, "{} reads", file.disk.reads);
    let mut file = File::of(vec![7; 8 << 20]);
    let mut random = Random::new(3);
    for _ in 0..100 {
        file.read(random.below(2000) * 4096, 100);
    }
    assert!(file.disk.reads <= 100, "{} reads", file.disk.reads);
}

#[test]
fn what_a_mapping_changes_is_written() {
    let mut file = File::of(vec![1; 100_000]);
    file.write(5000, b"written");
    let mapped = file
        .pages
        .map(0, 100_000, 1, &mut file.disk)
        .expect("memory");
    assert_eq!(mapped.address % PAGE_SIZE, 0);
    // SAFETY: the file's own pages, pinned, of 100,000 bytes at least.
    let memory = unsafe { core::slice::from_raw_parts_mut(mapped.address as *mut u8, 100_000) };
    assert_eq!(&memory[4999..5008], b"\x01written\x01");
    file.sync();
    let writes = file.disk.writes;
    memory[70_000] = 9;
    assert_eq!(file.read(69_999, 3), [1, 9, 1]);
    file.sync();
    assert_eq!((file.disk.writes, file.disk.bytes[70_000]), (writes + 1, 9));
    file.sync();
    assert_eq!(file.disk.writes, writes + 1, "nothing changed since");
    // A second mapping does not hide what the first changed.
    memory[3] = 8;
    file.pages
        .map(4096, 4096, 1, &mut file.disk)
        .expect("memory");
    drop(mapped.pin);
    memory[4] = 8;
    file.pages.shrink(u64::MAX);
    file.sync();
    assert_eq!(file.disk.bytes[2..6], [1, 8, 8, 1]);
}

#[test]
fn what_the_disk_refuses_stays_dirty() {
    let mut file = File::of(Vec::new());
    file.write(0, &[5; 10_000]);
    file.disk.refuses = true;
    let refused = file.pages.write_back(&(0..u64::MAX), &mut file.disk);
    assert_eq!((refused, file.pages.dirty()), (Err(Errno::EIO), 3));
    assert_eq!(file.pages.shrink(u64::MAX), 0);
    file.disk.refuses = false;
    file.sync();
    assert!(file.disk.bytes == [5; 10_000]);
    assert!(file.pages.shrink(u64::MAX) > 0);
    // A read that fails leaves nothing that would pass for the file's bytes.
    file.disk.refuses = true;
    let mut bytes = [0; 10];
    let read = file
        .pages
        .read(0, &mut Dest::kernel(&mut bytes), 9, &mut file.disk);
    assert_eq!(read, Err(Errno::EIO));
    file.disk.refuses = false;
    assert_eq!(file.read(9998, 10), [5, 5]);
}

#[test]
fn a_hole_between_two_writes_reads_as_zero_from_memory_and_disk() {
    let mut file = File::of(b"start".to_vec());
    file.write(5 << 20, b"end");
    file.pages
        .write_back(&(5 << 20..6 << 20), &mut file.disk)
        .expect("room");
    file.pages.shrink(u64::MAX);
    assert_eq!(file.read(3, 4), b"rt\0\0");
    assert_eq!(file.read((5 << 20) - 2, 9), b"\0\0end");
}
