//! Time and randomness.

use annulus_syscalls::calls;

use super::Kernel;
use super::inline::retry;

const NS_PER_SECOND: u64 = 1_000_000_000;

impl Kernel {
    /// `CLOCK_MONOTONIC` in nanoseconds. It stands still while the machine sleeps.
    ///
    /// # Panics
    /// If the C library does not know that clock, which every Linux has.
    #[inline]
    #[must_use]
    pub fn now_ns(&self) -> u64 {
        match self {
            Kernel::Simulated(simulated) => simulated.now_ns(),
            Kernel::Uring(_) | Kernel::Emulated(_) => {
                let mut now = libc::timespec {
                    tv_sec: 0,
                    tv_nsec: 0,
                };
                // The C library reads the clock without entering the kernel.
                // SAFETY: `now` is valid for writes of a timespec.
                let done = unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) };
                assert_eq!(done, 0, "CLOCK_MONOTONIC is always there");
                now.tv_sec as u64 * NS_PER_SECOND + now.tv_nsec as u64
            }
        }
    }

    /// Eight random bytes from `getrandom`(2).
    ///
    /// # Panics
    /// If the kernel has no randomness to give, which it has since 3.17.
    #[must_use]
    pub fn random_u64(&self) -> u64 {
        match self {
            Kernel::Simulated(simulated) => simulated.random_u64(),
            Kernel::Uring(_) | Kernel::Emulated(_) => {
                let mut bytes = [0; 8];
                let filled = retry(|| calls::getrandom(&mut bytes, 0));
                assert_eq!(filled, Ok(bytes.len()), "up to 256 bytes come whole");
                u64::from_ne_bytes(bytes)
            }
        }
    }
}
