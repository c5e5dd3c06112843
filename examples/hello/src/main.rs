//! Prints a greeting: the smallest program, and the first to run as an image.
//!
//! ```text
//! $ cargo libos run -p hello
//! Hello from inside the process!
//! ```

fn main() {
    println!("Hello from inside the process!");
}
