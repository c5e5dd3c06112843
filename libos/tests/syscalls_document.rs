//! `docs/syscalls.md` says what the table says.

#[test]
fn the_document_is_up_to_date() {
    let mut expected = String::new();
    libos::syscall::document::write(&mut expected).expect("a string takes everything");
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/syscalls.md");
    let found = std::fs::read_to_string(path).expect("docs/syscalls.md");
    assert!(
        found == expected,
        "docs/syscalls.md differs from the table: run\n  \
         cargo run -q -p libos --example syscalls > docs/syscalls.md"
    );
}
