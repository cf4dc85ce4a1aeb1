//! Messages from ring to ring, and to a ring from a thread that has none.

use std::os::fd::AsRawFd;
use std::thread;

use annulus_ring::{Cqe, Errno, FileTable, Mask, Message, Ring, RingConfig};
use annulus_syscalls::io_uring::flags::msg_ring::IORING_MSG_RING_CQE_SKIP;

use super::{file_with, next, pinned_ring, queue, read_slot, ring, ring_of, run, skip_newer};

const MESSAGE: Message = Message {
    user_data: 7,
    res: 42,
    cqe_flags: None,
};

/// Sends a message by an entry of `from`.
fn send(from: &mut Ring, to_fd: i32, user_data: u64, res: i32) -> Result<u32, Errno> {
    let cqe = run(from, |sqe| {
        sqe.prep_msg_ring(to_fd, user_data, res, 0).set_user_data(1);
    });
    assert_eq!(cqe.user_data(), 1);
    cqe.result()
}

/// Whether messages can be sent without a ring; prints that the test is skipped if not.
fn has_sync() -> bool {
    match MESSAGE.send_to(ring().fd()) {
        Ok(()) => true,
        Err(errno) => {
            skip_newer("messages without a ring", errno);
            false
        }
    }
}

fn words(cqe: &Cqe) -> (u64, i32, u32) {
    (cqe.user_data(), cqe.res(), cqe.flags())
}

#[test]
fn a_message_is_a_completion_in_the_other_ring() {
    let (mut here, mut there) = (ring(), ring());
    assert_eq!(send(&mut here, there.fd(), u64::MAX, i32::MIN), Ok(0));
    assert_eq!(words(&next(&mut there)), (u64::MAX, i32::MIN, 0));
    assert_eq!(there.pop(), None);
    assert_eq!(here.pop(), None);
}

#[test]
fn a_message_may_carry_flags() {
    let (mut here, mut there) = (ring(), ring());
    let fd = there.fd();
    let cqe = run(&mut here, |sqe| {
        sqe.prep_msg_ring_cqe_flags(fd, 7, 42, 0, 0xabcd_0002);
    });
    if cqe.result() == Err(Errno::EINVAL) {
        return skip_newer("flags in messages", Errno::EINVAL);
    }
    assert_eq!(cqe.res(), 0);
    assert_eq!(words(&next(&mut there)), (7, 42, 0xabcd_0002));
}

#[test]
fn a_ring_sends_messages_to_itself() {
    let mut ring = ring();
    let fd = ring.fd();
    queue(&mut ring, |sqe| {
        sqe.prep_msg_ring(fd, 7, 42, 0).set_user_data(1);
    });
    let mut seen = [next(&mut ring), next(&mut ring)].map(|cqe| words(&cqe));
    seen.sort_unstable();
    assert_eq!(seen, [(1, 0, 0), (7, 42, 0)]);
}

#[test]
fn only_a_ring_gets_messages() {
    let mut here = ring();
    let file = file_with(b"");
    assert_eq!(send(&mut here, file.as_raw_fd(), 7, 42), Err(Errno::EBADFD));
    assert_eq!(send(&mut here, -1, 7, 42), Err(Errno::EBADF));
    let there = ring();
    let fd = there.fd();
    let cqe = run(&mut here, |sqe| {
        // What says that the target gets no completion makes no sense here.
        sqe.prep_msg_ring(fd, 7, 42, IORING_MSG_RING_CQE_SKIP);
    });
    assert_eq!(cqe.result(), Err(Errno::EINVAL));
    let cqe = run(&mut here, |sqe| {
        sqe.prep_msg_ring(fd, 7, 42, 1 << 31);
    });
    assert_eq!(cqe.result(), Err(Errno::EINVAL));
    let cqe = run(&mut here, |sqe| {
        sqe.prep_msg_ring(fd, 7, 42, 0);
        // SAFETY: the number is a command that there is none of.
        unsafe { sqe.as_raw_mut() }.addr = 99;
    });
    assert_eq!(cqe.result(), Err(Errno::EINVAL));
}

#[test]
fn a_disabled_ring_gets_messages_once_it_is_enabled() {
    let mut here = ring();
    let mut there = ring_of(RingConfig {
        disabled: true,
        ..RingConfig::default()
    });
    assert_eq!(send(&mut here, there.fd(), 7, 42), Err(Errno::EBADFD));
    there.enable().expect("enabled");
    assert_eq!(send(&mut here, there.fd(), 7, 42), Ok(0));
    assert_eq!(next(&mut there).res(), 42);
}

#[test]
fn a_ring_with_a_submitting_thread_gets_and_sends_messages() {
    let (mut here, mut there) = (
        ring(),
        ring_of(RingConfig {
            sqpoll_idle_ms: Some(10),
            ..RingConfig::default()
        }),
    );
    assert_eq!(send(&mut here, there.fd(), 7, 42), Ok(0));
    assert_eq!(words(&next(&mut there)), (7, 42, 0));
    assert_eq!(send(&mut there, here.fd(), 8, 43), Ok(0));
    assert_eq!(words(&next(&mut here)), (8, 43, 0));
}

#[test]
fn a_pinned_ring_that_sleeps_is_woken() {
    let mut here = pinned_ring();
    let mut there = pinned_ring();
    let fd = there.fd();
    let back = here.fd();
    // The other thread's ring must be made there.
    let other = thread::spawn(move || {
        let mut ring = pinned_ring();
        // Its own completion comes when the target's thread has run the work.
        send(&mut ring, fd, 7, 42)?;
        send(&mut ring, back, 8, 43)
    });
    assert_eq!(words(&next(&mut there)), (7, 42, 0));
    assert_eq!(words(&next(&mut here)), (8, 43, 0));
    assert_eq!(other.join().expect("no panic"), Ok(0));
}

#[test]
fn a_sleeping_pinned_ring_is_woken_again_and_again() {
    const MESSAGES: u64 = 500;
    let mut here = pinned_ring();
    let target = here.fd();
    let (ask, asked) = std::sync::mpsc::channel();
    let other = thread::spawn(move || {
        let mut ring = ring();
        for n in asked {
            assert_eq!(send(&mut ring, target, n, 0), Ok(0));
        }
    });
    for n in 0..MESSAGES {
        ask.send(n).expect("the thread lives");
        // Waits for nothing else: only the message can end it.
        assert_eq!(next(&mut here).user_data(), n);
    }
    drop(ask);
    other.join().expect("no panic");
}

#[test]
fn messages_overflow_in_order_and_none_is_lost() {
    const MESSAGES: u64 = 200;
    let mut here = ring();
    let mut there = ring_of(RingConfig {
        cq_entries: 16,
        ..RingConfig::default()
    });
    for n in 0..MESSAGES {
        assert_eq!(send(&mut here, there.fd(), n, 0), Ok(0));
    }
    assert!(there.cq_overflowed());
    for n in 0..MESSAGES {
        assert_eq!(next(&mut there).user_data(), n);
    }
    assert_eq!((there.pop(), there.cq_lost()), (None, 0));
}

#[test]
fn a_file_may_come_without_a_completion() {
    let (mut here, mut there) = (ring(), ring());
    let file = file_with(b"silent");
    let _source = FileTable::register(&here, &[file.as_raw_fd()]).expect("registered");
    let _target = FileTable::sparse(&there, 1).expect("sparse");
    let fd = there.fd();
    let cqe = run(&mut here, |sqe| {
        sqe.prep_msg_ring_fd(fd, 0, 0, 9, IORING_MSG_RING_CQE_SKIP);
    });
    assert_eq!(cqe.res(), 0);
    there.submit_and_wait(0).expect("entered");
    assert_eq!(there.pop(), None);
    assert_eq!(read_slot(&mut there, 0), Ok(b"silent".to_vec()));
}

#[test]
fn a_file_goes_to_a_pinned_ring_of_another_thread() {
    let mut there = pinned_ring();
    let _target = FileTable::sparse(&there, 2).expect("sparse");
    let fd = there.fd();
    let other = thread::spawn(move || {
        let mut ring = pinned_ring();
        let file = file_with(b"handed on");
        let _source = FileTable::register(&ring, &[file.as_raw_fd()]).expect("registered");
        let cqe = run(&mut ring, |sqe| {
            sqe.prep_msg_ring_fd(fd, 0, 1, 9, 0);
        });
        cqe.result()
    });
    assert_eq!(next(&mut there).user_data(), 9);
    assert_eq!(read_slot(&mut there, 1), Ok(b"handed on".to_vec()));
    assert_eq!(other.join().expect("no panic"), Ok(0));
}

#[test]
fn a_thread_without_a_ring_sends_to_one() {
    if !has_sync() {
        return;
    }
    let mut plain = ring();
    let with_flags = Message {
        cqe_flags: Some(0xabcd_0002),
        ..MESSAGE
    };
    assert_eq!(MESSAGE.send_to(plain.fd()), Ok(()));
    assert_eq!(with_flags.send_to(plain.fd()), Ok(()));
    assert_eq!(words(&next(&mut plain)), (7, 42, 0));
    assert_eq!(words(&next(&mut plain)), (7, 42, 0xabcd_0002));
    // By the ring itself, which is pinned and sleeps.
    let mut pinned = pinned_ring();
    let target = pinned.ring_ref();
    let sender = thread::spawn(move || (target.send(&with_flags), target.send_msg_ring(8, -1)));
    assert_eq!(words(&next(&mut pinned)), (7, 42, 0xabcd_0002));
    assert_eq!(words(&next(&mut pinned)), (8, -1, 0));
    assert_eq!(sender.join().expect("no panic"), (Ok(()), Ok(())));
}

#[test]
fn a_message_without_a_ring_that_cannot_arrive_says_why() {
    if !has_sync() {
        return;
    }
    let file = file_with(b"");
    assert_eq!(MESSAGE.send_to(file.as_raw_fd()), Err(Errno::EBADFD));
    assert_eq!(MESSAGE.send_to(-1), Err(Errno::EBADF));
    let disabled = ring_of(RingConfig {
        disabled: true,
        ..RingConfig::default()
    });
    assert_eq!(MESSAGE.send_to(disabled.fd()), Err(Errno::EBADFD));
    let masked = ring_of(RingConfig {
        mask: Mask::V6_12,
        ..RingConfig::default()
    });
    assert_eq!(masked.ring_ref().send(&MESSAGE), Err(Errno::EINVAL));
    let gone = masked.ring_ref();
    drop(masked);
    assert_eq!(
        gone.send(&MESSAGE),
        Err(Errno::EINVAL),
        "the mask is asked first"
    );
    let gone = disabled.ring_ref();
    drop(disabled);
    assert_eq!(gone.send(&MESSAGE), Err(Errno::EBADF));
}
