//! Registrations beyond what the process may have: each says so with its errno.
//!
//! The only test of this file: each case is a forked child with limits and rights of its own.

mod support;

use std::os::fd::AsRawFd;

use annulus_ring::{BufferPool, Errno, FileTable, Ring, RingConfig};

use support::{in_a_child, no_more_than, skip};

const NOBODY: libc::uid_t = 65_534;

fn ring() -> Ring {
    let config = RingConfig {
        sq_entries: 4,
        ..RingConfig::default()
    };
    Ring::new(&config).expect("a small ring")
}

/// A right that root has goes with root.
fn become_nobody() {
    // SAFETY: takes numbers only.
    assert_eq!(unsafe { libc::setresuid(NOBODY, NOBODY, NOBODY) }, 0);
}

fn is_root() -> bool {
    // SAFETY: takes nothing.
    unsafe { libc::geteuid() == 0 }
}

#[test]
fn what_is_beyond_a_limit_is_refused() {
    // A table of more files than the process may open.
    assert!(in_a_child(|| {
        let ring = ring();
        no_more_than(libc::RLIMIT_NOFILE, 64);
        let file = std::fs::File::open("/dev/null").expect("there is always one");
        let full = vec![file.as_raw_fd(); 64];
        let refused = FileTable::register(&ring, &vec![-1; 65]).map(drop);
        assert_eq!(refused, Err(Errno::EMFILE));
        assert_eq!(FileTable::sparse(&ring, 65).map(drop), Err(Errno::EMFILE));
        // As many as that, each of them with a file, are no more than it may open.
        FileTable::register(&ring, &full).map(drop) == Ok(())
    }));
    if !is_root() {
        return skip("only root can give up the right to lock memory without limit");
    }
    // More memory than the process may lock.
    assert!(in_a_child(|| {
        let rich = ring();
        no_more_than(libc::RLIMIT_MEMLOCK, 1 << 20);
        become_nobody();
        // A ring that was made with the right keeps it.
        assert_eq!(BufferPool::new(&rich, 1, 2 << 20).map(drop), Ok(()));
        let ring = ring();
        // What the ring itself has locked, and what else this user has, is not known.
        let refused = BufferPool::new(&ring, 2, 1 << 20).map(drop);
        assert_eq!(refused, Err(Errno::ENOMEM));
        // What was refused is not held against it.
        (0..100).all(|_| {
            let refused = BufferPool::new(&ring, 1, 2 << 20).map(drop);
            refused == Err(Errno::ENOMEM)
        }) && BufferPool::new(&ring, 1, 4096).is_ok()
    }));
}
