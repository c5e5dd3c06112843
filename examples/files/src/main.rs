//! Files: written, read back, listed, renamed, linked and removed.
//!
//! Everything lives in the image's memory; nothing of the host's file system is reachable.
//!
//! ```text
//! $ cargo libos run -p files
//! wrote 3 lines, 48 bytes
//! line 2: the quick brown fox
//! appended: last line is the end
//! directory: ["a.txt", "b.txt", "link"]
//! link leads to a.txt
//! missing file: entity not found
//! full directory: directory not empty
//! sparse file: 1048577 bytes, first byte 0, last byte 33
//! removed: nothing is left
//! ```

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::symlink;
use std::path::Path;

fn main() -> io::Result<()> {
    let home = std::env::temp_dir().join(format!("files-example-{}", std::process::id()));
    fs::create_dir(&home)?;
    let shown = write_and_read(&home)
        .and_then(|()| list_and_link(&home))
        .and_then(|()| errors(&home))
        .and_then(|()| sparse(&home));
    fs::remove_dir_all(&home)?;
    shown?;
    println!(
        "removed: {}",
        if home.exists() {
            "still there"
        } else {
            "nothing is left"
        }
    );
    Ok(())
}

fn write_and_read(home: &Path) -> io::Result<()> {
    let path = home.join("a.txt");
    fs::write(&path, "one line\nthe quick brown fox\njumps over the dog\n")?;
    let lines: Vec<String> = BufReader::new(File::open(&path)?)
        .lines()
        .collect::<Result<_, _>>()?;
    println!(
        "wrote {} lines, {} bytes",
        lines.len(),
        fs::metadata(&path)?.len()
    );
    println!("line 2: {}", lines[1]);

    writeln!(OpenOptions::new().append(true).open(&path)?, "the end")?;
    let text = fs::read_to_string(&path)?;
    println!(
        "appended: last line is {}",
        text.lines().last().unwrap_or("missing")
    );
    Ok(())
}

fn list_and_link(home: &Path) -> io::Result<()> {
    fs::copy(home.join("a.txt"), home.join("c.txt"))?;
    fs::rename(home.join("c.txt"), home.join("b.txt"))?;
    symlink("a.txt", home.join("link"))?;
    let mut names: Vec<_> = fs::read_dir(home)?
        .map(|entry| Ok(entry?.file_name()))
        .collect::<io::Result<_>>()?;
    names.sort();
    println!("directory: {names:?}");
    println!(
        "link leads to {}",
        fs::read_link(home.join("link"))?.display()
    );
    Ok(())
}

fn errors(home: &Path) -> io::Result<()> {
    if let Err(error) = File::open(home.join("missing")) {
        println!("missing file: {}", error.kind());
    }
    fs::create_dir_all(home.join("full/inner"))?;
    if let Err(error) = fs::remove_dir(home.join("full")) {
        println!("full directory: {}", error.kind());
    }
    Ok(())
}

/// Writing past the end leaves a hole, which reads as zeroes.
fn sparse(home: &Path) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .open(home.join("sparse"))?;
    file.seek(SeekFrom::Start(1 << 20))?;
    file.write_all(b"!")?;
    file.rewind()?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    println!(
        "sparse file: {} bytes, first byte {}, last byte {}",
        bytes.len(),
        bytes[0],
        bytes[bytes.len() - 1]
    );
    Ok(())
}
