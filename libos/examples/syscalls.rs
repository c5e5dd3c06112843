//! Prints `docs/syscalls.md`.

fn main() {
    let mut text = String::new();
    libos::syscall::document::write(&mut text).expect("a string takes everything");
    print!("{text}");
}
