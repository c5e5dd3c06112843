//! The internet layer from outside: stacks joined by devices in memory, and frames made by hand.

mod joined;
mod network;
