//! `Simulated`: a world that a seed decides.
//!
//! ```text
//!   world     objects, who refers to them, the clock
//!   sockets   what calls do with them; data: bytes in and out
//!   deliver   what happens by itself: packets arrive, wait, are lost
//!   network   hosts and wires; faults: what goes wrong, and how often it did
//! ```

mod address;
mod data;
mod deliver;
mod events;
mod faults;
mod network;
mod rng;
mod sockets;
mod stream;
#[cfg(test)]
mod tests;
mod world;

pub use faults::{Fault, Faults};
pub use network::{HostId, Network};
