//! `Simulated`: a world that a seed decides.
//!
//! ```text
//!   world     objects, who refers to them, the clock
//!   sockets   what calls do with them; data: bytes in and out
//!   deliver   what happens by itself: packets arrive, wait, are lost
//!   network   hosts and wires; faults: what goes wrong, and how often it did
//! ```

mod address;
mod calls;
mod data;
mod deliver;
mod descriptors;
mod events;
mod faults;
mod network;
mod rng;
mod sockets;
mod state;
mod stream;
#[cfg(test)]
mod tests;
mod world;

pub use faults::{Fault, Faults};
pub use network::{HostId, Network};

use std::os::unix::fs::OpenOptionsExt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use descriptors::Descriptors;
use state::State;
use world::World;

/// A host of a simulated world, as the kernel of what runs on it. Cloning it is cheap.
#[derive(Clone, Debug)]
pub struct Simulated {
    state: Arc<Mutex<State>>,
    host: HostId,
}

impl Simulated {
    /// The first host of a new world.
    ///
    /// # Errors
    /// EMFILE when the process has no descriptor left.
    pub(super) fn new(
        seed: u64,
        network: Network,
        faults: Faults,
        host: &str,
    ) -> std::io::Result<Simulated> {
        let placeholder = std::fs::OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_PATH | libc::O_CLOEXEC)
            .open("/")?;
        let mut world = World::new(seed, network, faults);
        let host = world.wires.add(host, DESCRIPTORS_MAX);
        let descriptors = Descriptors::new(placeholder.into());
        let state = Arc::new(Mutex::new(State { world, descriptors }));
        Ok(Simulated { state, host })
    }

    /// Another host of the same world.
    pub(super) fn add_host(&self, name: &str) -> Simulated {
        let host = self.state().world.wires.add(name, DESCRIPTORS_MAX);
        Simulated {
            state: Arc::clone(&self.state),
            host,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // What the world does is done whole before anything can panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Descriptors that a host may have at once, unless it is told otherwise.
const DESCRIPTORS_MAX: usize = 1024;
