//! Threads, channels, files, a child process, a caught and a fatal panic.
use std::io::{Read, Write};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

fn main() {
    let total = Arc::new(Mutex::new(0u64));
    let (sender, receiver) = mpsc::channel();
    let threads: Vec<_> = (0..8u64)
        .map(|number| {
            let (total, sender) = (Arc::clone(&total), sender.clone());
            std::thread::spawn(move || {
                (0..1000).for_each(|_| *total.lock().unwrap() += 1);
                sender.send(number).unwrap();
            })
        })
        .collect();
    drop(sender);
    let mut numbers: Vec<u64> = receiver.iter().collect();
    numbers.sort_unstable();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    println!("total {} {numbers:?}", total.lock().unwrap());

    let start = Instant::now();
    std::thread::sleep(Duration::from_millis(5));
    println!("slept {}", start.elapsed() >= Duration::from_millis(5));

    let path = std::env::temp_dir().join(format!("rewrite-{}", std::process::id()));
    std::fs::File::create(&path).unwrap().write_all(b"content").unwrap();
    let mut content = String::new();
    std::fs::File::open(&path).unwrap().read_to_string(&mut content).unwrap();
    std::fs::remove_file(&path).unwrap();
    println!("file {content}");

    let child = std::process::Command::new("/bin/echo").arg("child").output().unwrap();
    print!("{}", String::from_utf8_lossy(&child.stdout));
    println!("caught {}", std::panic::catch_unwind(|| panic!("expected")).is_err());
    println!("args {:?}", std::env::args().skip(1).collect::<Vec<_>>());
    panic!("the end");
}
