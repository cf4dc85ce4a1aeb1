//! Where io_uring is refused, the error names the cause and the remedy.
//!
//! The only test of this file: each case is a forked child with a filter or limit of its own.

#[path = "support/mod.rs"]
mod support;

use std::io;

use annulus_ring::kernel::SetupCause;
use annulus_ring::{Errno, Kernel, Mask, Ring, RingConfig, SetupError};

use crate::support::{in_a_child, no_more_than};

/// From here on `io_uring_setup` fails with `errno`, as in a container.
fn refuse_with(errno: Errno) {
    let setup = annulus_syscalls::nr::IO_URING_SETUP as u32;
    let statement = |code, k, jt, jf| libc::sock_filter { code, jt, jf, k };
    let (load, jump_if_equal, give) = (0x20, 0x15, 0x06);
    let mut program = [
        statement(load, 0, 0, 0),
        statement(jump_if_equal, setup, 0, 1),
        statement(give, libc::SECCOMP_RET_ERRNO | errno.raw() as u32, 0, 0),
        statement(give, libc::SECCOMP_RET_ALLOW, 0, 0),
    ];
    let program = libc::sock_fprog {
        len: program.len() as u16,
        filter: program.as_mut_ptr(),
    };
    // SAFETY: takes numbers only.
    let promised = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
    assert_eq!(promised, 0);
    // SAFETY: the program is valid for the call.
    let filtered = unsafe { libc::prctl(libc::PR_SET_SECCOMP, 2, &raw const program) };
    assert_eq!(filtered, 0);
}

fn refusal() -> SetupError {
    Kernel::uring(Mask::NONE).expect_err("it is refused")
}

#[test]
fn each_refusal_names_its_cause() {
    assert!(in_a_child(|| {
        refuse_with(Errno::ENOSYS);
        let error = refusal();
        assert_eq!(
            (error.cause(), error.errno()),
            (SetupCause::Absent, Errno::ENOSYS)
        );
        let error = io::Error::from(error);
        assert!(error.to_string().contains("Linux 5.19"));
        error.kind() == io::ErrorKind::Unsupported
    }));
    assert!(in_a_child(|| {
        refuse_with(Errno::EPERM);
        let error = refusal();
        assert!(error.to_string().contains("seccomp"), "{error}");
        error.cause() == SetupCause::Filtered
    }));
    assert!(in_a_child(|| {
        refuse_with(Errno::EACCES);
        refusal().cause() == SetupCause::Filtered
    }));
    assert!(in_a_child(|| {
        refuse_with(Errno::ENOMEM);
        refusal().cause() == SetupCause::Memory
    }));
    assert!(in_a_child(|| {
        no_more_than(libc::RLIMIT_NOFILE, 3);
        let error = refusal();
        assert_eq!(error.errno(), Errno::EMFILE);
        error.cause() == SetupCause::Descriptors
    }));
    // A ring too large for the address space: its descriptor is not lost when mapping fails.
    assert!(in_a_child(|| {
        let kernel = Kernel::uring(Mask::NONE).expect("io_uring");
        let free = lowest_free_number();
        no_more_than(libc::RLIMIT_AS, 1 << 20);
        let config = RingConfig {
            sq_entries: 32_768,
            ..RingConfig::default()
        };
        let opened = kernel.open(&config).map(drop);
        assert_eq!(
            opened.map_err(|error| error.kind()),
            Err(io::ErrorKind::OutOfMemory)
        );
        assert_eq!(Ring::new(&config).map(drop), Err(Errno::ENOMEM));
        lowest_free_number() == free
    }));
}

fn lowest_free_number() -> i32 {
    // SAFETY: takes numbers only.
    let free = unsafe { libc::dup(0) };
    // SAFETY: just made, and nobody else's.
    assert_eq!(unsafe { libc::close(free) }, 0);
    free
}
