//! A program without `std` that makes a ring and reaps from it.
//!
//! It has a panic handler and an allocator of its own. If annulus-syscalls, or annulus-ring
//! without its feature `std`, brought `std` along, there would be two of each, and it would not
//! link. The C library only starts it. Run by `.ci/run`, on the toolchain that the tree is built
//! with.
#![no_std]
#![no_main]

use core::alloc::{GlobalAlloc, Layout};
use core::fmt::{self, Write};
use core::panic::PanicInfo;
use core::ptr::NonNull;

use annulus_ring::{Errno, Ring, RingConfig};
use annulus_syscalls::{calls, nr, syscall1};

#[link(name = "c")]
unsafe extern "C" {}

/// Named by the unwind tables of `core`; nothing unwinds here.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}

/// Each allocation is a mapping of its own.
struct Pages;

#[global_allocator]
static PAGES: Pages = Pages;

// SAFETY: a mapping is at least as large and as aligned as was asked for, and nobody else's.
unsafe impl GlobalAlloc for Pages {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        const ALIGN_MAX: usize = 4096;
        if layout.align() > ALIGN_MAX {
            return core::ptr::null_mut();
        }
        // SAFETY: a fresh private mapping at an address of the kernel's choice.
        let mapped = unsafe { calls::mmap(layout.size(), 3, 0x22, -1, 0) };
        mapped.map_or(core::ptr::null_mut(), NonNull::as_ptr)
    }

    unsafe fn dealloc(&self, address: *mut u8, layout: Layout) {
        if let Some(address) = NonNull::new(address) {
            // SAFETY: `alloc` mapped it, and the caller does not use it any more.
            let unmapped = unsafe { calls::munmap(address, layout.size()) };
            debug_assert!(unmapped.is_ok());
        }
    }
}

struct Out;

impl Write for Out {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        calls::write(1, text.as_bytes())
            .map(drop)
            .map_err(|_| fmt::Error)
    }
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    let _ = writeln!(Out, "{info}");
    loop {
        // SAFETY: ends the process; nothing runs afterwards.
        unsafe { syscall1(nr::EXIT_GROUP, 1) };
    }
}

/// A NOP there and back, for each of three rings.
fn turn() -> Result<(), Errno> {
    for user_data in 1..=3 {
        let mut ring = Ring::new(&RingConfig::default())?;
        let sqe = ring.get_sqe().expect("an empty queue");
        sqe.prep_nop().set_user_data(user_data);
        assert_eq!(ring.submit_and_wait(1)?, 1);
        let cqe = ring.pop().expect("one was waited for");
        assert_eq!((cqe.user_data(), cqe.result()), (user_data, Ok(0)));
    }
    Ok(())
}

#[unsafe(no_mangle)]
extern "C" fn main() -> i32 {
    match turn() {
        Ok(()) => {
            let _ = writeln!(Out, "a ring turned without std");
            0
        }
        Err(error) => {
            let _ = writeln!(Out, "no ring: {error}");
            1
        }
    }
}
