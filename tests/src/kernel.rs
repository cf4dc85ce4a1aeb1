//! Which kernel the runtimes of this run have.

use std::{env, io};

/// Whether the variable ANNULUS_KERNEL says so.
fn is_named(name: &str) -> bool {
    env::var("ANNULUS_KERNEL").is_ok_and(|named| named == name)
}

/// Whether they have the emulated one: by the variable, or because io_uring is refused here.
pub fn is_emulated() -> bool {
    is_named("emulated") || (!is_named("uring") && !is_simulated() && is_refused())
}

/// Whether io_uring_setup is refused, whatever it is asked for.
fn is_refused() -> bool {
    let nothing = std::ptr::null_mut::<libc::c_void>();
    // SAFETY: without parameters nothing is read, and no ring is made.
    let asked = unsafe { libc::syscall(libc::SYS_io_uring_setup, 0, nothing) };
    let error = io::Error::last_os_error().raw_os_error();
    assert_eq!(asked, -1, "a ring without parameters");
    [libc::EPERM, libc::EACCES, libc::ENOSYS]
        .map(Some)
        .contains(&error)
}

/// Whether they have a simulated one.
pub fn is_simulated() -> bool {
    is_named("simulated")
}

/// Whether they have io_uring, which is what a test is about. If not, says so and why that
/// matters: it does not run then, and that is no failure anywhere.
pub fn on_uring(why: &str) -> bool {
    if is_emulated() {
        println!("skipped on the emulated kernel: {why}");
    }
    !is_emulated() && on_a_machine(why)
}

/// Whether they run on a machine, and not in a simulated world, where a test has nothing to see:
/// threads of its own, sockets of std's, what a disk does. If not, says so, as [`on_uring`].
pub fn on_a_machine(why: &str) -> bool {
    if is_simulated() {
        println!("skipped on the simulated kernel: {why}");
    }
    !is_simulated()
}

/// Whether what came with a release of Linux is there, as far as the variable ANNULUS_MASK lets it
/// be seen. If not, says so, as [`on_uring`].
///
/// # Panics
///
/// If the variable is no release.
pub fn since(major: u16, minor: u16, why: &str) -> bool {
    let Some(mask) = env::var("ANNULUS_MASK")
        .ok()
        .filter(|mask| !mask.is_empty())
    else {
        return true;
    };
    let number = |part: Option<&str>| part.and_then(|part| part.parse().ok());
    let mut parts = mask.split('.');
    let (Some(masked_major), Some(masked_minor)) = (number(parts.next()), number(parts.next()))
    else {
        panic!("ANNULUS_MASK is {mask:?}, not a release");
    };
    let there = (masked_major, masked_minor) >= (major, minor);
    if !there {
        println!("skipped as before Linux {major}.{minor}: {why}");
    }
    there
}
