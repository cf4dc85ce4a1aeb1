//! A child made by `fork` has no ring: it is told so, and what it drops stays with the parent.
//!
//! The only test of this file, as forking takes along the locks of other threads.

#[path = "support/mod.rs"]
mod support;

use annulus_ring::{BufGroup, BufRing, BufRingConfig, Errno, Origin, Ring, RingConfig};

use crate::support::in_a_child;

#[test]
fn a_forked_child_gets_errors_makes_its_own_ring_and_disturbs_nothing() {
    let mut ring = Ring::new(&RingConfig::default()).expect("a ring");
    let other = ring.ring_ref();
    let buffers = BufRing::new(&ring, 0, 4, 64).expect("buffers");
    // The child does not even have the entries of this one.
    let config = BufRingConfig {
        kernel_mapped: true,
        ..BufRingConfig::new(1, 4, 64)
    };
    let mapped = BufRing::with_config(&ring, &config).ok();
    let config = BufRingConfig { group: 2, ..config };
    let group = BufGroup::new(&ring, &config).ok();
    ring.get_sqe().expect("room").prep_nop().set_user_data(1);
    ring.submit_and_wait(1).expect("submitted");
    let origin = Origin::current().expect("a word");

    let held = in_a_child(|| {
        assert!(origin.is_forked());
        // SAFETY: in this process it is the only one that is used: the original is never dropped,
        // as the child leaves by `_exit`.
        let mut inherited = unsafe { std::ptr::read(&ring) };
        // 1. The inherited ring is dead, without touching its memory, which is not even mapped.
        assert!(inherited.get_sqe().is_none());
        assert!(inherited.pop().is_none());
        assert_eq!((inherited.cq_ready(), inherited.sq_queued()), (0, 0));
        assert!(!inherited.taskrun() && !inherited.cq_overflowed());
        inherited.publish_head();
        assert_eq!(inherited.submit(), Err(Errno::EBADF));
        assert_eq!(inherited.enter(1, None), Err(Errno::EBADF));
        assert_eq!(inherited.register_ring_fd(), Err(Errno::EBADF));
        assert_eq!(other.sync_cancel(1, None), Err(Errno::EBADF));
        assert_eq!(other.send_msg_ring(1, 1), Err(Errno::EBADF));
        assert!(BufRing::new(&inherited, 3, 4, 64).is_err());
        // 2. A ring of the child's own works, and does not revive the inherited one.
        let mut own = Ring::new(&RingConfig::default()).expect("a ring of its own");
        own.get_sqe().expect("room").prep_nop().set_user_data(2);
        own.submit_and_wait(1).expect("submitted");
        assert_eq!(own.pop().expect("waited for").user_data(), 2);
        assert_eq!(inherited.submit(), Err(Errno::EBADF));
        // 3. Dropping in the child does nothing: the descriptor is still open here, and the
        //    group still registered in the parent.
        let fd = inherited.fd();
        // SAFETY: as above.
        drop(unsafe { std::ptr::read(&buffers) });
        // SAFETY: as above.
        if let Some(mut mapped) = unsafe { std::ptr::read(&mapped) } {
            // SAFETY: no buffer of it was ever used.
            unsafe { mapped.push(0) };
            assert_eq!(mapped.head(), Err(Errno::EBADF));
        }
        // SAFETY: as above.
        if let Some(mut group) = unsafe { std::ptr::read(&group) } {
            assert_eq!(group.refill(), 0);
        }
        drop(inherited);
        // SAFETY: F_GETFD takes no pointer.
        let flags = unsafe { libc::fcntl(fd, libc::F_GETFD) };
        assert!(flags >= 0);
        drop(own);
        true
    });
    assert!(held);

    // 4. The parent's ring has not noticed: its completion is there, and its group is taken.
    assert_eq!(ring.pop().expect("not popped by the child").user_data(), 1);
    ring.get_sqe().expect("room").prep_nop().set_user_data(3);
    assert_eq!(ring.submit_and_wait(1), Ok(1));
    assert_eq!(ring.pop().expect("waited for").user_data(), 3);
    assert_eq!(BufRing::new(&ring, 0, 4, 64).map(drop), Err(Errno::EEXIST));
    assert_eq!(buffers.unregister(), Ok(()));
}
