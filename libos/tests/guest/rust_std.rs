//! The Rust standard library over many calls: collections, files, time, environment, threads, pipes.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt, symlink};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::{Barrier, Condvar, Mutex, OnceLock, RwLock, mpsc};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

fn main() {
    let home = std::env::temp_dir().join(format!("rust-std-{}", std::process::id()));
    fs::create_dir_all(&home).unwrap();
    let outcome = thread::scope(|scope| scope.spawn(|| run(&home)).join());
    fs::remove_dir_all(&home).unwrap();
    outcome.expect("no check fails").expect("no error");
}

fn run(home: &Path) -> io::Result<()> {
    files(home)?;
    sockets(home)?;
    pipes()?;
    time();
    environment()?;
    threads();
    collections();
    Ok(())
}

fn files(home: &Path) -> io::Result<()> {
    let path = home.join("data");
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(0o640)
        .open(&path)?;
    file.write_all(b"0123456789")?;
    file.write_at(b"AB", 4)?;
    file.seek(SeekFrom::End(-3))?;
    let mut tail = String::new();
    file.read_to_string(&mut tail)?;
    assert_eq!(tail, "789");
    let mut middle = [0; 4];
    file.read_exact_at(&mut middle, 3)?;
    assert_eq!(&middle, b"3AB6");
    file.set_len(5)?;
    file.sync_all()?;
    let metadata = fs::metadata(&path)?;
    assert_eq!(
        (metadata.len(), metadata.mode() & 0o777, metadata.nlink()),
        (5, 0o640, 1)
    );
    fs::set_permissions(&path, fs::Permissions::from_mode(0o400))?;
    assert!(fs::metadata(&path)?.permissions().readonly());
    file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1000))?;
    assert_eq!(fs::metadata(&path)?.mtime(), 1000);
    fs::hard_link(&path, home.join("link"))?;
    symlink("data", home.join("soft"))?;
    assert_eq!(
        fs::canonicalize(home.join("soft"))?,
        fs::canonicalize(&path)?
    );
    assert_eq!(fs::copy(&path, home.join("copy"))?, 5);
    file.try_lock().unwrap();
    assert!(File::open(&path)?.try_lock().is_err());
    file.unlock()?;
    let mut names: Vec<_> = fs::read_dir(home)?
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["copy", "data", "link", "soft"]);
    assert_eq!(
        File::open(home.join("none")).unwrap_err().kind(),
        io::ErrorKind::NotFound
    );
    assert_eq!(
        fs::create_dir(home.join("copy")).unwrap_err().kind(),
        io::ErrorKind::AlreadyExists
    );
    Ok(())
}

fn sockets(home: &Path) -> io::Result<()> {
    let listener = UnixListener::bind(home.join("socket"))?;
    let server = thread::spawn(move || -> io::Result<String> {
        let (stream, _) = listener.accept()?;
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line)?;
        Ok(line)
    });
    UnixStream::connect(home.join("socket"))?.write_all(b"a line\n")?;
    assert_eq!(server.join().unwrap()?, "a line\n");
    let (mut left, mut right) = UnixStream::pair()?;
    right.set_read_timeout(Some(Duration::from_millis(10)))?;
    assert_eq!(
        right.read(&mut [0]).unwrap_err().kind(),
        io::ErrorKind::WouldBlock
    );
    left.write_all(b"x")?;
    assert_eq!(right.read(&mut [0])?, 1);
    Ok(())
}

fn pipes() -> io::Result<()> {
    let (mut reader, mut writer) = io::pipe()?;
    let thread = thread::spawn(move || writer.write_all(&vec![b'p'; 300_000]));
    let mut all = Vec::new();
    reader.read_to_end(&mut all)?;
    assert_eq!(all.len(), 300_000);
    thread.join().unwrap()
}

fn time() {
    let start = Instant::now();
    thread::sleep(Duration::from_millis(20));
    assert!(start.elapsed() >= Duration::from_millis(20));
    assert!(SystemTime::now() > SystemTime::UNIX_EPOCH + Duration::from_secs(1_600_000_000));
    let (_sender, receiver) = mpsc::channel::<()>();
    let start = Instant::now();
    assert!(receiver.recv_timeout(Duration::from_millis(20)).is_err());
    assert!(start.elapsed() >= Duration::from_millis(20));
    thread::park_timeout(Duration::from_millis(1));
}

fn environment() -> io::Result<()> {
    assert!(std::env::args().count() >= 1);
    assert!(std::env::current_exe()?.is_absolute());
    assert!(std::env::current_dir()?.is_absolute());
    assert!(thread::available_parallelism()?.get() >= 1);
    Ok(())
}

fn threads() {
    static ONCE: OnceLock<u32> = OnceLock::new();
    let barrier = Barrier::new(8);
    let total = RwLock::new(0);
    let gate = (Mutex::new(false), Condvar::new());
    thread::scope(|scope| {
        for number in 0..8 {
            let (barrier, total, gate) = (&barrier, &total, &gate);
            scope.spawn(move || {
                barrier.wait();
                ONCE.get_or_init(|| 5);
                *total.write().unwrap() += number;
                let mut open = gate.0.lock().unwrap();
                while !*open {
                    open = gate.1.wait(open).unwrap();
                }
            });
        }
        thread::sleep(Duration::from_millis(5));
        *gate.0.lock().unwrap() = true;
        gate.1.notify_all();
    });
    assert_eq!((*total.read().unwrap(), *ONCE.get().unwrap()), (28, 5));
}

/// Far more memory than fits one page, grown and freed; hash maps draw on the random numbers.
fn collections() {
    let mut hashed = HashMap::new();
    let mut ordered = BTreeMap::new();
    for number in 0..200_000_u64 {
        hashed.insert(number.wrapping_mul(0x9e37_79b9_7f4a_7c15), number);
        ordered.insert(number % 1000, number);
    }
    assert_eq!(hashed.values().sum::<u64>(), 199_999 * 200_000 / 2);
    assert_eq!(ordered.values().min(), Some(&199_000));
    let strings: Vec<String> = (0..100_000)
        .map(|number| format!("string {number}"))
        .collect();
    assert_eq!(
        strings.concat().len(),
        strings.iter().map(String::len).sum::<usize>()
    );
}
