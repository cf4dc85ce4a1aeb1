//! Whole pages that are lent to be written: nobody can look at them, let alone write.
//!
//! A fault in them ends the process, with a line that tells which operation has the memory.

use core::ffi::{c_int, c_void};
use core::fmt::{self, Write};
use core::ptr::with_exposed_provenance_mut;
use core::sync::atomic::{AtomicPtr, AtomicU64, Ordering};
use std::mem::MaybeUninit;
use std::sync::Once;

use super::lent;

/// Pages are at least as large, and so whatever is no multiple of it is no page.
const PAGE_BYTES_MIN: usize = 4096;

/// The seed of the last world that a thread began to simulate, for the line.
static SEED: AtomicU64 = AtomicU64::new(0);
/// What was done about such signals before.
static BEFORE: AtomicPtr<libc::sigaction> = AtomicPtr::new(std::ptr::null_mut());
static WATCHED: Once = Once::new();

pub(super) fn set_seed(seed: u64) {
    SEED.store(seed, Ordering::Relaxed);
}

/// Takes whole pages away from the program. False if they are not, or cannot be.
pub(super) fn hide(start: usize, len: usize) -> bool {
    let page = page_bytes();
    if !start.is_multiple_of(page) || !len.is_multiple_of(page) {
        return false;
    }
    WATCHED.call_once(watch);
    protect(start, len, libc::PROT_NONE)
}

/// Gives them back.
pub(super) fn show(start: usize, len: usize) {
    let shown = protect(start, len, libc::PROT_READ | libc::PROT_WRITE);
    assert!(shown, "what was hidden can be shown");
}

fn page_bytes() -> usize {
    // SAFETY: without arguments that point anywhere.
    let bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(bytes).map_or(PAGE_BYTES_MIN, |bytes| bytes.max(PAGE_BYTES_MIN))
}

fn protect(start: usize, len: usize, how: c_int) -> bool {
    let start = with_exposed_provenance_mut::<c_void>(start);
    // SAFETY: whole pages that are lent to an operation which writes them: they are writable, and
    // the program must not look at them until they are given back.
    unsafe { libc::mprotect(start, len, how) == 0 }
}

/// Has faults told.
fn watch() {
    let mut before = MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: all fields may be 0.
    let mut action: libc::sigaction = unsafe { core::mem::zeroed() };
    action.sa_sigaction = (told as *const ()).expose_provenance();
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
    // SAFETY: the handler allocates nothing and takes no lock.
    let set = unsafe { libc::sigaction(libc::SIGSEGV, &raw const action, before.as_mut_ptr()) };
    if set == 0 {
        // SAFETY: the call has written it.
        let before = unsafe { before.assume_init() };
        let before = std::boxed::Box::leak(std::boxed::Box::new(before));
        BEFORE.store(before, Ordering::Release);
    }
}

extern "C" fn told(_signal: c_int, info: *mut libc::siginfo_t, _context: *mut c_void) {
    // SAFETY: the kernel gives a handler with SA_SIGINFO what it is told of.
    let info = unsafe { &*info };
    // SAFETY: SIGSEGV has an address.
    let address = unsafe { info.si_addr() };
    if let Some(borrower) = lent::owner_of(address.addr()) {
        let mut line = Line {
            bytes: [0; 256],
            len: 0,
        };
        let seed = SEED.load(Ordering::Relaxed);
        let _ = writeln!(
            line,
            "memory was touched while it was lent to {borrower}, seed {seed}"
        );
        // SAFETY: the bytes are on this stack.
        unsafe { libc::write(2, line.bytes.as_ptr().cast(), line.len) };
        // SAFETY: it ends the process, whatever it was doing.
        unsafe { libc::abort() };
    }
    // Another fault: the instruction is tried again, and whoever was asked before is told.
    let before = BEFORE.load(Ordering::Acquire);
    let nobody = core::ptr::null_mut();
    if before.is_null() {
        // SAFETY: the default action is always there.
        unsafe { libc::signal(libc::SIGSEGV, libc::SIG_DFL) };
    } else {
        // SAFETY: it was the action of this signal.
        unsafe { libc::sigaction(libc::SIGSEGV, before, nobody) };
    }
}

/// Text without an allocator; what does not fit is left out.
struct Line {
    bytes: [u8; 256],
    len: usize,
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = &mut self.bytes[self.len..];
        let len = text.len().min(room.len());
        room[..len].copy_from_slice(&text.as_bytes()[..len]);
        self.len += len;
        Ok(())
    }
}
