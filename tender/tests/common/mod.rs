//! What the tests share: images made by hand, and an attacker in the libOS's place.
//!
//! Not every test uses all of it.
#![allow(dead_code, reason = "each test file compiles this module for itself")]

pub mod attacker;
pub mod builder;
