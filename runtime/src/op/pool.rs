//! The home's pool of receive buffers, which the kernel takes from by itself.
//!
//! ```text
//!   kernel's ──RECV lands──► a stream's ──give_back, any thread──► in the bitmap
//!      ▲                                                               │
//!      └────────────────── PoolRing::turn, the home ───────────────────┘
//! ```
//!
//! It is made when a stream first wants it, so that a runtime without hot streams pays nothing
//! for it. A stream that finds it empty, or still to be made, polls instead; nobody waits for a
//! buffer.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};

use annulus_ring::{BufMemory, BufRing, Ring};

/// How many buffers a home has by default: as many streams may have received without having read
/// yet.
pub(crate) const BUFFERS: u16 = 256;

/// As many as the kernel takes.
pub(crate) const BUFFERS_MAX: u16 = 32_768;

/// The size of each in bytes: a request or a small response. 1 MiB in all.
const BUFFER_BYTES: u32 = 4096;

/// The group's number on the home's ring.
const GROUP: u16 = 0;

/// The part of the pool that every thread sees.
pub(crate) struct Pool {
    /// How many buffers it has, or will have.
    buffers: u16,
    stage: AtomicU8,
    memory: OnceLock<BufMemory>,
    /// Buffers that are the kernel's again once the home has taken their bits.
    returned: Box<[AtomicU64]>,
    any_returned: AtomicBool,
}

const UNUSED: u8 = 0;
/// A stream wants the pool; the next turn makes it.
const WANTED: u8 = 1;
const READY: u8 = 2;
/// The kernel refused it, for good.
const REFUSED: u8 = 3;

impl Pool {
    /// A pool of `buffers`, a power of two up to [`BUFFERS_MAX`].
    pub(crate) fn new(buffers: u16) -> Pool {
        debug_assert!(buffers.is_power_of_two());
        let words = usize::from(buffers).div_ceil(64);
        Pool {
            buffers,
            stage: AtomicU8::new(UNUSED),
            memory: OnceLock::new(),
            returned: (0..words).map(|_| AtomicU64::new(0)).collect(),
            any_returned: AtomicBool::new(false),
        }
    }

    /// Whether receives may select from the pool; if it is not made yet, it will be.
    pub(crate) fn is_ready(&self) -> bool {
        match self.stage.load(Ordering::Acquire) {
            READY => true,
            UNUSED => {
                let _ = self.stage.compare_exchange(
                    UNUSED,
                    WANTED,
                    Ordering::Relaxed,
                    Ordering::Relaxed,
                );
                false
            }
            _ => false,
        }
    }

    /// The group that receives select from.
    pub(crate) fn group(&self) -> u16 {
        GROUP
    }

    /// The size of each buffer.
    pub(crate) fn buffer_bytes(&self) -> u32 {
        BUFFER_BYTES
    }

    /// Whether there is a buffer of this number.
    pub(crate) fn has(&self, id: u16) -> bool {
        id < self.buffers && self.memory.get().is_some()
    }

    /// The bytes from `from` to `to` of a buffer.
    ///
    /// # Safety
    ///
    /// A CQE named the buffer with at least `to` bytes, and nobody gives it back while the
    /// result is used.
    ///
    /// # Panics
    ///
    /// If there is no such buffer, or it is smaller, or `from` lies behind `to`.
    pub(crate) unsafe fn bytes(&self, id: u16, from: u16, to: u16) -> &[u8] {
        let memory = self.memory.get().expect("a CQE named one of its buffers");
        // SAFETY: passed on from the caller.
        let bytes = unsafe { memory.bytes(id, usize::from(to)) };
        &bytes[usize::from(from)..]
    }

    /// Gives a buffer back that a CQE named, once, after its last use; from any thread. No
    /// thread is woken: whoever finds the pool empty does not wait for it.
    pub(super) fn give_back(&self, id: u16) {
        debug_assert!(id < self.buffers);
        self.returned[usize::from(id) / 64].fetch_or(1 << (id % 64), Ordering::Release);
        self.any_returned.store(true, Ordering::Release);
    }

    /// Takes the buffers that were given back.
    fn take_returned(&self) -> impl Iterator<Item = u16> {
        self.returned.iter().enumerate().flat_map(|(word, bits)| {
            let mut bits = bits.swap(0, Ordering::Acquire);
            std::iter::from_fn(move || {
                let bit = bits.trailing_zeros();
                bits &= bits.wrapping_sub(1);
                (bit < 64).then_some(word as u16 * 64 + bit as u16)
            })
        })
    }
}

/// The home's side of the pool: its registration with the ring. To be dropped before the ring,
/// or leaked with it.
#[derive(Default)]
pub(crate) struct PoolRing(Option<BufRing>);

impl PoolRing {
    /// Once a turn, before the enter: makes the pool if it is wanted, and shows the kernel the
    /// buffers that were given back. Two loads where there is nothing to do.
    pub(crate) fn turn(&mut self, pool: &Pool, ring: &Ring) {
        if let Some(buffers) = &mut self.0 {
            if pool.any_returned.load(Ordering::Relaxed)
                && pool.any_returned.swap(false, Ordering::Acquire)
            {
                // SAFETY: each was given back once after the CQE that named it, by its holder,
                // which does not look at it any more.
                unsafe { buffers.push_all(pool.take_returned()) };
            }
        } else if pool.stage.load(Ordering::Relaxed) == WANTED {
            self.make(pool, ring);
        }
    }

    fn make(&mut self, pool: &Pool, ring: &Ring) {
        match BufRing::new(ring, GROUP, pool.buffers, BUFFER_BYTES) {
            Ok(buffers) => {
                let fresh = pool.memory.set(buffers.memory().clone());
                debug_assert!(fresh.is_ok(), "a pool is made once");
                self.0 = Some(buffers);
                pool.stage.store(READY, Ordering::Release);
            }
            Err(errno) => {
                trace::debug!("no receive buffers, streams poll instead: {errno}");
                pool.stage.store(REFUSED, Ordering::Release);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_given_back_are_taken_once() {
        let pool = Pool::new(BUFFERS);
        for id in [0, 63, 64, 255] {
            pool.give_back(id);
        }
        assert!(pool.take_returned().eq([0, 63, 64, 255]));
        assert_eq!(pool.take_returned().count(), 0);
    }

    #[test]
    fn a_pool_is_made_only_when_somebody_asks_for_it() {
        let pool = Pool::new(BUFFERS);
        assert_eq!(pool.stage.load(Ordering::Relaxed), UNUSED);
        assert!(!pool.is_ready());
        assert_eq!(pool.stage.load(Ordering::Relaxed), WANTED);
    }
}
