//! `Kernel`: every call that a runtime makes, in one place, so that another kernel can stand here.
//!
//! - rings: [`open`](Kernel::open), [`enter`](Kernel::enter);
//! - inline calls, which never block: data that moves now or not at all;
//! - synchronous calls, which are quick: sockets, options, names, closing;
//! - clock, randomness, and the resolver (which blocks: call it from a thread that may).
//!
//! EINTR never comes out of an inline call: it is retried here and nowhere else.

mod clock;
mod emulated;
mod engine;
mod features;
mod foreign;
mod inline;
mod paths;
mod placeholder;
mod resolve;
mod setup_error;
mod simulated;
mod socket;
mod uring;
mod user_side;

pub use emulated::Emulated;
pub use paths::{LastName, StdPath};
pub use setup_error::{SetupCause, SetupError};
pub use simulated::{
    Act, Borrower, Fault, Faults, HostId, Installed, Network, Simulated, SimulatedWorld, Violation,
    freed_while_lent, hooks,
};
pub use socket2::SockAddr;
pub use uring::Uring;
pub(crate) use user_side::UserSide;

use std::io;
use std::time::Duration;

use crate::Errno;
use crate::mask::Mask;
use crate::opcode::Opcode;
use crate::ring::Ring;
use crate::setup::RingConfig;
use crate::version::Version;

/// The kernel behind a runtime: one for all its workers. Cloning it is cheap.
#[derive(Clone, Debug)]
pub enum Kernel {
    /// Linux's own io_uring.
    Uring(Uring),
    /// The same operations in user space, where that is not to be had.
    Emulated(Emulated),
    /// A host of a world that a seed decides.
    Simulated(Simulated),
}

impl Kernel {
    /// Linux's io_uring, with what `mask` says hidden. Makes a small ring to find out what there
    /// is, and drops it.
    ///
    /// # Errors
    /// Why io_uring cannot be used, and what to do about it.
    ///
    /// # Kernel
    /// Since 5.19.
    pub fn uring(mask: Mask) -> Result<Kernel, SetupError> {
        Uring::new(mask).map(Kernel::Uring)
    }

    /// io_uring's operations in user space, by epoll and threads, with what `mask` says hidden.
    /// It needs no io_uring; [`Emulated`] says what differs.
    ///
    /// ```
    /// use annulus_ring::{Kernel, Mask, RingConfig};
    ///
    /// let kernel = Kernel::emulated(Mask::NONE);
    /// let mut ring = kernel.open(&RingConfig::default())?;
    /// ring.get_sqe().expect("empty").prep_nop().set_user_data(7);
    /// kernel.enter(&mut ring, 1, None)?;
    /// assert_eq!(ring.pop().expect("waited for").user_data(), 7);
    /// # std::io::Result::Ok(())
    /// ```
    #[must_use]
    pub fn emulated(mask: Mask) -> Kernel {
        Kernel::Emulated(Emulated::new(mask))
    }

    /// Makes a ring. The mask of `config` is replaced by this kernel's.
    ///
    /// # Errors
    /// A [`SetupError`] inside: EMFILE, ENOMEM and the others of [`Kernel::uring`].
    pub fn open(&self, config: &RingConfig) -> io::Result<Ring> {
        match self {
            Kernel::Uring(uring) => Ok(uring.open(config)?),
            Kernel::Emulated(emulated) => Ok(emulated.open(config)?),
            Kernel::Simulated(simulated) => Ok(simulated.open(config)?),
        }
    }

    /// [`Ring::enter`].
    ///
    /// # Errors
    /// As [`Ring::enter`].
    #[inline]
    pub fn enter(
        &self,
        ring: &mut Ring,
        min_complete: u32,
        timeout: Option<Duration>,
    ) -> Result<u32, Errno> {
        match self {
            Kernel::Uring(_) | Kernel::Emulated(_) | Kernel::Simulated(_) => {
                ring.enter(min_complete, timeout)
            }
        }
    }

    /// Whether [`Ring::taskrun`] tells of all that an enter would bring. Where it does not, what
    /// became ready is found by entering only.
    #[inline]
    #[must_use]
    pub fn announces_work(&self) -> bool {
        match self {
            Kernel::Uring(_) | Kernel::Simulated(_) => true,
            Kernel::Emulated(_) => false,
        }
    }

    /// Lets the calling thread sleep for so long; in a simulated world its clock moves, and nobody
    /// sleeps.
    pub fn sleep(&self, duration: Duration) {
        match self {
            Kernel::Uring(_) | Kernel::Emulated(_) => std::thread::sleep(duration),
            Kernel::Simulated(simulated) => simulated.sleep(duration),
        }
    }

    /// Whether `opcode` is there.
    #[must_use]
    pub fn supports(&self, opcode: Opcode) -> bool {
        match self {
            Kernel::Uring(uring) => uring.probe().supports(opcode),
            Kernel::Emulated(emulated) => emulated.supports(opcode),
            Kernel::Simulated(_) => Simulated::supports(opcode),
        }
    }

    /// `IORING_FEAT_*`.
    #[must_use]
    pub fn features(&self) -> u32 {
        match self {
            Kernel::Uring(uring) => uring.probe().features(),
            Kernel::Emulated(emulated) => emulated.features(),
            Kernel::Simulated(_) => Simulated::features(),
        }
    }

    /// The release whose abilities are there, as [`Probe::version`](crate::Probe::version) says.
    /// It decides about flags of single operations, such as multishot receive (6.0).
    #[must_use]
    pub fn version(&self) -> Version {
        match self {
            Kernel::Uring(uring) => uring.version(),
            Kernel::Emulated(emulated) => emulated.version(),
            Kernel::Simulated(_) => Simulated::VERSION,
        }
    }
}
