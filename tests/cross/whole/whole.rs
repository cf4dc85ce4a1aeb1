//! All of annulus-syscalls on another architecture: calls of the kernel, the layout of every
//! struct, requests, types and error numbers. `../run` builds this with that architecture's
//! `core` and runs it under an emulator.
//!
//! A program without `std`, so that nothing but the crate itself knows how to call the kernel.
//! A check that fails panics, which ends the program with code 1 and says where.
#![no_std]
#![no_main]
#![cfg_attr(target_arch = "hexagon", feature(asm_experimental_arch))]

mod btf;
mod calls;
mod errno;
#[cfg(target_arch = "hexagon")]
mod hexagon;
mod ioctl;
mod layouts;

use core::fmt::{self, Write};
use core::panic::PanicInfo;

use annulus_syscalls::{calls::write, nr, syscall1};

const CHECKS: &[(&str, fn())] = &[
    ("a process asks for its own number", calls::identity),
    ("what goes into a pipe comes out", calls::pipe),
    ("a file tells its type and size", calls::stat),
    ("offsets keep all of their 64 bits", calls::offsets),
    ("memory is mapped, advised and unmapped", calls::memory),
    ("a pair of sockets talks", calls::sockets),
    ("a missing io_uring is an error number", calls::no_ring),
    #[cfg(target_arch = "hexagon")]
    ("a message passes a descriptor", hexagon::message),
    #[cfg(target_arch = "hexagon")]
    ("stat64 is filled as it is laid out", hexagon::stat),
    #[cfg(target_arch = "hexagon")]
    ("a handler returns by our restorer", hexagon::signal),
    #[cfg(target_arch = "hexagon")]
    ("locks of both widths are taken and found", hexagon::locks),
    ("structs are laid out as the headers say", layouts::layouts),
    ("constants of the host's table agree", layouts::numbers),
    ("requests are encoded as each group does", ioctl::vectors),
    ("the host's requests are its own", ioctl::host),
    ("errors have the host's numbers", errno::numbers),
    ("types of our byte order are read", btf::ours),
    ("types of the other byte order are refused", btf::foreign),
    ("bytes that lie cost no more than an error", btf::hostile),
];

struct Out;

impl Write for Out {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            let written = write(1, rest).map_err(|_| fmt::Error)?;
            rest = &rest[written..];
        }
        Ok(())
    }
}

fn exit(code: usize) -> ! {
    loop {
        // SAFETY: ends the process; nothing runs afterwards.
        unsafe { syscall1(nr::EXIT_GROUP, code) };
    }
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    let _ = writeln!(Out, "{info}");
    exit(1)
}

#[unsafe(no_mangle)]
extern "C" fn _start() -> ! {
    for (name, check) in CHECKS {
        check();
        let _ = writeln!(Out, "    {name}");
    }
    let _ = writeln!(Out, "{} checks", CHECKS.len());
    exit(0)
}
