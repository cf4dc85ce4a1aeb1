//! What the C library is asked on a thread that simulates: the time, randomness, and to close.
//!
//! A program that is simulated reads clocks and draws random numbers in places that no kernel of
//! ours sees: `Instant::now`, the keys of a `HashMap`, the generators of other crates. So a test
//! program defines `clock_gettime`, `getrandom` and `close` itself, by these functions: on the
//! thread that simulates they ask the world, on every other thread the system.

use std::cell::Cell;
use std::ffi::{c_int, c_uint, c_void};
use std::marker::PhantomData;
use std::os::fd::RawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Whole;
use super::pages;
use super::rng::Rng;

std::thread_local! {
    /// Null, or a count of an `Arc` of its own: whatever order guards go in, it is valid.
    static WORLD: Cell<*const Whole> = const { Cell::new(std::ptr::null()) };
    static RNG: Cell<u64> = const { Cell::new(0) };
}

/// How often the hooks were called: a program that has not installed them does not replay.
static CALLS: AtomicU64 = AtomicU64::new(0);

/// While it lives, the hooks of this thread ask its world.
#[derive(Debug)]
pub struct Installed {
    /// What they asked before, and go on asking after.
    before: Option<Arc<Whole>>,
    rng_before: u64,
    /// The thread's, and nobody else's.
    _not_send: PhantomData<*const ()>,
}

impl Installed {
    pub(super) fn new(whole: &Arc<Whole>, seed: u64) -> Installed {
        let rng_before = RNG.replace(seed);
        pages::set_seed(seed);
        let installed = Installed {
            before: set_world(Some(Arc::clone(whole))),
            rng_before,
            _not_send: PhantomData,
        };
        // The keys of this thread's maps are drawn now, and not while the world is locked.
        let _ = std::hash::RandomState::new();
        installed
    }

    /// Whether this program has the hooks.
    #[must_use]
    pub fn works() -> bool {
        let before = CALLS.load(Ordering::Relaxed);
        let _ = std::time::Instant::now();
        CALLS.load(Ordering::Relaxed) != before
    }
}

impl Drop for Installed {
    fn drop(&mut self) {
        RNG.set(self.rng_before);
        drop(set_world(self.before.take()));
    }
}

/// Has the hooks of this thread ask `world`, or the system; answers whom they asked.
fn set_world(world: Option<Arc<Whole>>) -> Option<Arc<Whole>> {
    let before = WORLD.replace(world.map_or(std::ptr::null(), Arc::into_raw));
    // SAFETY: what stands there came out of `into_raw` above, and is taken out once.
    (!before.is_null()).then(|| unsafe { Arc::from_raw(before) })
}

/// Whether the hooks of this thread ask a world.
pub(super) fn is_installed() -> bool {
    seen(|_| ()).is_some()
}

/// Calls `f` with the world that this thread simulates.
fn seen<R>(f: impl FnOnce(&Whole) -> R) -> Option<R> {
    let world = WORLD.try_with(Cell::get).ok()?;
    // SAFETY: the place owns a count of the `Arc`, which this thread alone takes out.
    let world = unsafe { world.as_ref() }?;
    (!world.ended.load(Ordering::Relaxed)).then(|| f(world))
}

/// `clock_gettime`(2).
///
/// # Safety
/// `time` is valid for writes of a timespec.
#[must_use]
pub unsafe fn clock_gettime(clock: c_int, time: *mut libc::timespec) -> c_int {
    CALLS.fetch_add(1, Ordering::Relaxed);
    let Some(now_ns) = seen(|whole| whole.now_ns.load(Ordering::Relaxed)) else {
        // SAFETY: the caller promised it.
        return unsafe { libc::syscall(libc::SYS_clock_gettime, clock, time) } as c_int;
    };
    let now_ns = match clock {
        libc::CLOCK_REALTIME | libc::CLOCK_REALTIME_COARSE => EPOCH_NS + now_ns,
        _ => now_ns,
    };
    let value = libc::timespec {
        tv_sec: (now_ns / NS_PER_SECOND) as _,
        tv_nsec: (now_ns % NS_PER_SECOND) as _,
    };
    // SAFETY: the caller promised it.
    unsafe { time.write(value) };
    0
}

/// `getrandom`(2).
///
/// # Safety
/// `buf` is valid for writes of `len` bytes.
#[must_use]
pub unsafe fn getrandom(buf: *mut c_void, len: usize, flags: c_uint) -> isize {
    if seen(|_| ()).is_none() {
        // SAFETY: the caller promised it.
        return unsafe { libc::syscall(libc::SYS_getrandom, buf, len, flags) } as isize;
    }
    let mut rng = Rng::new(RNG.get());
    for at in 0..len {
        // SAFETY: below `len`.
        let byte = unsafe { buf.cast::<u8>().add(at) };
        // SAFETY: the caller promised it.
        unsafe { byte.write(rng.next() as u8) };
    }
    RNG.set(rng.next());
    len as isize
}

/// `close`(2).
#[must_use]
pub fn close(fd: c_int) -> c_int {
    seen(|whole| whole.state().closed(fd as RawFd));
    // SAFETY: whoever calls close answers for the number.
    unsafe { libc::syscall(libc::SYS_close, fd) as c_int }
}

const NS_PER_SECOND: u64 = 1_000_000_000;
/// The wall clock of a world begins on 1 January 2030.
const EPOCH_NS: u64 = 1_893_456_000 * NS_PER_SECOND;

/// Defines the functions of the C library that a simulation decides, and thereby replaces them
/// for the whole program. Once in a test program, at its top.
#[macro_export]
macro_rules! sim_install {
    () => {
        #[doc(hidden)]
        mod annulus_sim_hooks {
            use std::ffi::{c_int, c_uint, c_void};

            #[unsafe(no_mangle)]
            unsafe extern "C" fn clock_gettime(clock: c_int, time: *mut c_void) -> c_int {
                // SAFETY: whoever calls the C library's function keeps its promises.
                unsafe { $crate::kernel::hooks::clock_gettime(clock, time.cast()) }
            }

            #[unsafe(no_mangle)]
            unsafe extern "C" fn getrandom(buf: *mut c_void, len: usize, flags: c_uint) -> isize {
                // SAFETY: whoever calls the C library's function keeps its promises.
                unsafe { $crate::kernel::hooks::getrandom(buf, len, flags) }
            }

            #[unsafe(no_mangle)]
            extern "C" fn close(fd: c_int) -> c_int {
                $crate::kernel::hooks::close(fd)
            }
        }
    };
}
