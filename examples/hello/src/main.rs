//! Prints a greeting.

fn main() {
    println!("Hello from inside the process!");
}
