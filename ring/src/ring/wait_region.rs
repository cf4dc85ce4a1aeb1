//! `WaitRegion`: waits that are described once and then named by a number.
//!
//! ```text
//!   | wait 0 | wait 1 | ... | wait n-1 | signals 0 | ... | signals n-1 | unused |
//!     64 bytes each                      8 bytes each, named by their wait
//! ```
//!
//! An enter that names one copies nothing from the process: the kernel reads its own mapping. A
//! wait is only written through `&mut`, and an enter that reads it holds `&`: the two never meet.

use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use annulus_syscalls::Errno;
use annulus_syscalls::io_uring::enter::IORING_ENTER_EXT_ARG_REG;
use annulus_syscalls::io_uring::io_uring_reg_wait;
use annulus_syscalls::io_uring::register::flags::{
    IORING_MEM_REGION_REG_WAIT_ARG, IORING_REG_WAIT_TS,
};

use super::Ring;
use super::region::{MemRegion, RegionMemory};
use super::signals::SignalSet;
use super::wait::{Wait, forgive_timeout};
use crate::entries::{CqEntry, SqEntry};
use crate::handle::Handle;

/// Registered waits of one ring, for [`Ring::enter_slot`].
///
/// ```
/// use std::time::Duration;
/// use annulus_ring::{RegionMemory, Ring, RingConfig, TimeLimit, Wait, WaitRegion};
///
/// // Only a ring that is disabled takes a wait region.
/// let config = RingConfig { disabled: true, ..RingConfig::default() };
/// let Ok(mut ring) = Ring::new(&config) else {
///     return Ok(()); // io_uring is not to be had here
/// };
/// let Ok(mut region) = WaitRegion::register(&ring, RegionMemory::Process, 4) else {
///     return Ok(()); // before 6.13
/// };
/// region.set(3, &Wait {
///     min_complete: 1,
///     limit: TimeLimit::After(Duration::from_millis(1)),
///     ..Wait::default()
/// })?;
/// ring.enable()?;
/// assert_eq!(ring.enter_slot(&region, 3)?, 0); // nothing came within a millisecond
/// # Ok::<(), annulus_ring::Errno>(())
/// ```
#[derive(Debug)]
pub struct WaitRegion {
    memory: MemRegion,
    /// What stands in each slot.
    waits: Vec<Wait>,
    ring: Arc<Handle>,
    features: u32,
}

impl WaitRegion {
    /// Registers `slots` waits, each of which waits for nothing, with a `ring` that is disabled.
    ///
    /// # Errors
    /// EINVAL for 0 slots, for a ring that is enabled, and before 6.13; otherwise as
    /// [`MemRegion::register`].
    ///
    /// # Kernel
    /// Since 6.13.
    pub fn register<S: SqEntry, C: CqEntry>(
        ring: &Ring<S, C>,
        memory: RegionMemory,
        slots: u32,
    ) -> Result<WaitRegion, Errno> {
        let slots = slots as usize;
        let slot_bytes = size_of::<io_uring_reg_wait>() + size_of::<SignalSet>();
        let size_bytes = slots.checked_mul(slot_bytes).ok_or(Errno::ENOMEM)?;
        let flags = IORING_MEM_REGION_REG_WAIT_ARG;
        let memory = MemRegion::register_with(ring, memory, size_bytes, flags)?;
        Ok(WaitRegion {
            memory,
            waits: vec![Wait::default(); slots],
            ring: ring.ring_ref().handle,
            features: ring.features(),
        })
    }

    /// How many waits there are; their numbers are below it.
    #[must_use]
    pub fn slots(&self) -> u32 {
        self.waits.len() as u32
    }

    /// The memory that the waits lie in.
    #[must_use]
    pub fn memory(&self) -> &MemRegion {
        &self.memory
    }

    /// The wait in `slot`; `None` if there is no such slot.
    #[must_use]
    pub fn get(&self, slot: u32) -> Option<&Wait> {
        self.waits.get(slot as usize)
    }

    /// Lets `slot` stand for `wait`.
    ///
    /// # Errors
    /// EINVAL if there is no such slot; EOPNOTSUPP for a part of `wait` that the kernel does not
    /// know; EBADF in a forked child. The slot stays as it was then.
    pub fn set(&mut self, slot: u32, wait: &Wait) -> Result<(), Errno> {
        self.ring.origin.check()?;
        wait.check(self.features)?;
        let index = slot as usize;
        let known = self.waits.get_mut(index).ok_or(Errno::EINVAL)?;
        *known = *wait;
        let sigmask = match wait.signals {
            Some(signals) => self.write_signals(index, signals),
            None => 0,
        };
        let time = wait.timespec();
        let entry = io_uring_reg_wait {
            ts: time.unwrap_or_default(),
            flags: time.map_or(0, |_| IORING_REG_WAIT_TS),
            min_wait_usec: wait.min_wait_usec(),
            sigmask,
            sigmask_sz: SignalSet::size_bytes(),
            ..io_uring_reg_wait::default()
        };
        let place = self.memory.at::<io_uring_reg_wait>(0, index);
        // SAFETY: `at` has checked the place. The kernel reads it in `enter_slot` only, which
        // borrows the region.
        unsafe { place.write(entry) };
        Ok(())
    }

    /// Writes the signals of slot `index`; returns their address.
    fn write_signals(&mut self, index: usize, signals: SignalSet) -> u64 {
        let all_waits = self.waits.len() * size_of::<io_uring_reg_wait>();
        let place = self.memory.at::<SignalSet>(all_waits, index);
        // SAFETY: as in `set`.
        unsafe { place.write(signals) };
        place.as_ptr().expose_provenance() as u64
    }
}

impl<S: SqEntry, C: CqEntry> Ring<S, C> {
    /// As [`enter_with`](Ring::enter_with), waiting as `slot` of `region` says.
    ///
    /// # Errors
    /// EINVAL if the region is another ring's or has no such slot: nothing was published or
    /// submitted then. Otherwise as [`enter`](Ring::enter).
    ///
    /// # Kernel
    /// Since 6.13.
    pub fn enter_slot(&mut self, region: &WaitRegion, slot: u32) -> Result<u32, Errno> {
        let wait = region.get(slot).ok_or(Errno::EINVAL)?;
        if !Arc::ptr_eq(&region.ring, &self.handle) {
            return Err(Errno::EINVAL);
        }
        let flags = wait.flags(self.enter_flags) | IORING_ENTER_EXT_ARG_REG;
        let entry_bytes = size_of::<io_uring_reg_wait>();
        let offset = slot as usize * entry_bytes;
        // SAFETY: with EXT_ARG_REG the argument is an offset into the ring's region; `set` wrote
        // what is there, or it is zero, which waits without limit. The signals that it names lie
        // in the region, which is borrowed.
        forgive_timeout(unsafe { self.enter_raw(flags, wait.min_complete, offset, entry_bytes) })
    }
}
