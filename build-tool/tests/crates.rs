//! `cargo libos build`, `run` and `test`, on crates outside of this workspace.

mod common;

use common::{Place, modified};

/// A program with a build script and a procedural macro, which must both see the build machine.
fn program(place: &Place) {
    place.write(
        "five/Cargo.toml",
        "[package]\nname = \"five\"\nedition = \"2024\"\n[lib]\nproc-macro = true\n",
    );
    place.write(
        "five/src/lib.rs",
        r#"#[proc_macro] pub fn five(_: proc_macro::TokenStream) -> proc_macro::TokenStream {
            assert!(!cfg!(target_feature = "crt-static"));
            "5".parse().unwrap()
        }"#,
    );
    place.write(
        "Cargo.toml",
        "[package]\nname = \"app\"\nedition = \"2024\"\n[dependencies]\nfive.path = \"five\"\n[workspace]\nmembers = [\"five\"]\n",
    );
    place.write(
        "build.rs",
        "fn main() { assert!(!cfg!(target_feature = \"crt-static\")); }\n",
    );
    place.write(
        "src/main.rs",
        r#"fn main() {
            assert!(cfg!(target_feature = "crt-static"));
            println!("{} {} {:?}", five::five!(), option_env!("MARK").unwrap_or("-"), std::env::args().skip(1).collect::<Vec<_>>());
            if cfg!(extra) { println!("extra") }
            std::process::exit(7);
        }"#,
    );
}

#[test]
fn a_crate_is_built_once_and_run() {
    let place = Place::new();
    program(&place);
    let said = place.libos(&["build"]).ended_with(0);
    let image = place.path("target/libos/debug/app.libos");
    assert_eq!(said.stdout.trim(), image.to_str().expect("UTF-8"));
    let first = modified(&image);
    place.libos(&["build"]).ended_with(0);
    assert_eq!(
        modified(&image),
        first,
        "nothing changed, so nothing is made"
    );

    let ran = place.libos(&["run", "--", "-v", "b c"]).ended_with(7);
    assert_eq!(ran.stdout, "5 - [\"-v\", \"b c\"]\n");

    place.write("libos.toml", "args = [\"given\"]\n");
    let ran = place.libos(&["libos", "run", "-q"]).ended_with(7);
    assert_eq!(ran.stdout, "5 - [\"given\"]\n");
    assert_ne!(
        modified(&image),
        first,
        "another configuration makes another image"
    );
}

#[test]
fn the_users_own_flags_count() {
    let place = Place::new();
    program(&place);
    let extra = |env: &[(&str, &str)]| {
        place
            .libos_with(&["run", "-q"], env)
            .ended_with(7)
            .stdout
            .contains("extra")
    };
    assert!(!extra(&[]));
    assert!(extra(&[("RUSTFLAGS", "--cfg extra")]));
    assert!(extra(&[("CARGO_ENCODED_RUSTFLAGS", "--cfg\u{1f}extra")]));
    for config in [
        "[build]\nrustflags = \"--cfg extra\"\n",
        "[build]\nrustflags = [\"--cfg\", \"extra\"]\n",
        "[target.x86_64-unknown-linux-gnu]\nrustflags = \"--cfg extra\"\n",
        "[target.'cfg(target_os = \"linux\")']\nrustflags = [\"--cfg\", \"extra\"]\n",
    ] {
        place.write(".cargo/config.toml", config);
        assert!(extra(&[]), "{config}");
    }
}

#[test]
fn failures_say_who_failed() {
    let place = Place::new();
    place
        .libos(&["build"])
        .ended_with(101)
        .complaining(&["could not find `Cargo.toml`"]);
    place.write(
        "Cargo.toml",
        "[package]\nname = \"app\"\nedition = \"2024\"\n[workspace]\n",
    );
    place.write("src/main.rs", "fn main() { nonsense }\n");
    place
        .libos(&["build"])
        .ended_with(101)
        .complaining(&["nonsense"]);
    place.write("src/main.rs", "fn main() {}\n");
    place.write("src/bin/other.rs", "fn main() {}\n");
    place
        .libos(&["run"])
        .ended_with(125)
        .complaining(&["found 2", "app", "other", "--bin"]);
    place.libos(&["run", "--bin", "other"]).ended_with(0);
    place.write("Cargo.toml", "[package]\nname = \"app\"\nedition = \"2024\"\n[package.metadata.libos]\nmemry = \"1G\"\n[workspace]\n");
    place
        .libos(&["build"])
        .ended_with(125)
        .complaining(&["Cargo.toml:5", "`memry`", "`memory`"]);
    place
        .libos(&["build", "--target", "aarch64-unknown-linux-gnu"])
        .ended_with(125)
        .complaining(&["x86_64-unknown-linux-gnu"]);
}

#[test]
fn tests_run_as_images_and_find_what_they_find_natively() {
    let place = Place::new();
    place.write(
        "Cargo.toml",
        "[package]\nname = \"tested\"\nedition = \"2024\"\n[workspace]\n",
    );
    place.write("data/in.txt", "content");
    place.write("build.rs", r#"fn main() { std::fs::write(std::env::var("OUT_DIR").unwrap() + "/made", "made").unwrap(); }"#);
    place.write(
        "src/lib.rs",
        r#"
        /// ```
        /// assert_eq!(std::process::id(), 1);
        /// assert_eq!(tested::two(), 2);
        /// ```
        pub fn two() -> u32 { 2 }
        #[cfg(test)] mod tests {
            use std::fs::read_to_string as read;
            #[test] fn is_an_image() { assert_eq!(std::process::id(), 1); }
            #[test] fn package_file() { assert_eq!(read(concat!(env!("CARGO_MANIFEST_DIR"), "/data/in.txt")).unwrap(), "content"); }
            #[test] fn relative_file() { assert_eq!(read("data/in.txt").unwrap(), "content"); }
            #[test] fn build_script_file() { assert_eq!(read(concat!(env!("OUT_DIR"), "/made")).unwrap(), "made"); }
            #[test] fn cwd() { assert_eq!(std::env::current_dir().unwrap().as_os_str(), env!("CARGO_MANIFEST_DIR")); }
            #[test] fn environment() { assert_eq!(std::env::var("MARK").unwrap(), "a b"); }
            #[test] fn writes() { std::fs::write("data/out.txt", "x").unwrap(); assert_eq!(read("data/out.txt").unwrap(), "x"); }
            #[test] fn own_path() { assert!(std::env::args().next().unwrap().contains("/deps/tested-")); }
            #[test] #[ignore] fn fails() { panic!("wanted"); }
        }"#,
    );
    place.write(
        "tests/integration.rs",
        r#"#[test] fn scratch() {
            let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("x");
            std::fs::write(&file, "1").unwrap();
            assert_eq!(std::fs::read(file).unwrap(), b"1");
        }"#,
    );
    let mark = [("MARK", "a b")];
    let said = place.libos_with(&["test"], &mark).ended_with(0);
    assert!(
        said.stdout.contains("8 passed; 0 failed; 1 ignored"),
        "{}",
        said.stdout
    );
    assert_eq!(
        said.stdout.matches("1 passed").count(),
        2,
        "integration and doc tests: {}",
        said.stdout
    );
    assert!(
        !place.path("data/out.txt").exists(),
        "the host is not written to"
    );
    let said = place
        .libos_with(&["test", "--lib", "fails", "--", "--ignored"], &mark)
        .ended_with(101);
    assert!(
        said.stdout.contains("wanted") && said.stdout.contains("1 failed"),
        "{}",
        said.stdout
    );
    let said = place
        .libos_with(&["test", "--lib", "two", "--", "--list"], &mark)
        .ended_with(0);
    assert!(said.stdout.contains("0 tests"), "{}", said.stdout);
}
