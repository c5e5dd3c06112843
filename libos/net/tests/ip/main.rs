//! The internet layer from outside: stacks joined by devices in memory, and frames made by hand.

mod configured;
mod counts;
mod frames;
mod joined;
mod network;
mod refusals;
mod traces;
