//! Processes of their own, for what cannot be undone.

/// Runs `child` in a forked process and says whether it held there. A panic is printed, and counts
/// as no.
///
/// A ring made before is dead in there: `child` makes its own.
pub(crate) fn in_a_child(child: impl FnOnce() -> bool) -> bool {
    // SAFETY: the child runs `child` and leaves by `_exit`: it takes no lock of other threads
    // but the allocator's, which the C library makes usable after fork.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0, "fork");
    if pid == 0 {
        let held = std::panic::catch_unwind(std::panic::AssertUnwindSafe(child));
        // SAFETY: leaves at once, running nothing of the parent's.
        unsafe { libc::_exit(i32::from(!held.unwrap_or(false))) };
    }
    let mut status = 0;
    // SAFETY: `status` is valid for writes.
    let waited = unsafe { libc::waitpid(pid, &raw mut status, 0) };
    assert_eq!(waited, pid);
    status == 0
}

/// From here on this process may have no more than `most` of `resource` (`RLIMIT_*`).
pub(crate) fn no_more_than(resource: libc::__rlimit_resource_t, most: u64) {
    let limits = libc::rlimit {
        rlim_cur: most,
        rlim_max: most,
    };
    // SAFETY: `limits` is valid for reads.
    assert_eq!(unsafe { libc::setrlimit(resource, &raw const limits) }, 0);
}
