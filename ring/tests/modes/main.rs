//! What a ring can be set up to be: each mode does what it says, and refuses what it must.

mod batch;
mod bytes;
mod entries;
mod iopoll;
mod memory;
mod setup;
mod sqpoll;
mod threads;

use annulus_ring::{CqEntry, Errno, Ring, RingConfig, SqEntry};

/// A configuration of 8 entries.
fn small() -> RingConfig {
    RingConfig {
        sq_entries: 8,
        ..RingConfig::default()
    }
}

/// Queues a NOP.
fn push_nop<S: SqEntry, C: CqEntry>(ring: &mut Ring<S, C>, user_data: u64) {
    let sqe = ring.get_sqe().expect("room in the SQ");
    sqe.as_mut().prep_nop().set_user_data(user_data);
}

/// Runs one NOP to its end.
fn nop_works<S: SqEntry, C: CqEntry>(ring: &mut Ring<S, C>) {
    push_nop(ring, 77);
    ring.submit_and_wait(1).expect("submitted");
    let cqe = ring.pop().expect("waited for");
    let cqe = cqe.as_ref();
    assert_eq!((cqe.user_data(), cqe.result()), (77, Ok(0)));
}

/// Says why a test proves nothing here: what it needs is newer than the kernel, or not in this
/// machine.
fn skip(reason: &str) {
    eprintln!("skipped: {reason}");
}

/// The ring, or `None` with a line that says so where the kernel does not know the mode.
fn if_known<T>(made: Result<T, Errno>, mode: &str, since: &str) -> Option<T> {
    match made {
        Ok(ring) => Some(ring),
        Err(Errno::EINVAL) => {
            skip(&format!("{mode} needs Linux {since}"));
            None
        }
        Err(errno) => panic!("{mode}: {errno}"),
    }
}
