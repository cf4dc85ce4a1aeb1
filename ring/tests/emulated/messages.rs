//! Messages from ring to ring and from threads without one, which wake.

use std::thread;

use annulus_ring::{Errno, Kernel, Mask, RingConfig};

use crate::both::{emulated, push, reap};

#[test]
fn a_message_reaches_another_ring_of_the_kernel_and_wakes_it() {
    let kernel = Kernel::emulated(Mask::NONE);
    let open = || kernel.open(&RingConfig::default()).expect("a ring");
    let (mut one, mut other) = (open(), open());
    let target = other.fd();
    let receiver = thread::spawn(move || reap(&mut other, 2));
    for user_data in 0..2 {
        push(&mut one, user_data, |sqe| {
            sqe.prep_msg_ring(target, 70 + user_data, 7, 0);
        });
    }
    let sent = reap(&mut one, 2);
    assert_eq!(sent, [(0, Ok(0), 0), (1, Ok(0), 0)]);
    let received = receiver.join().expect("no panic");
    assert_eq!(received, [(70, Ok(7), 0), (71, Ok(7), 0)]);
}

#[test]
fn what_is_no_ring_takes_no_message() {
    let mut ring = emulated();
    let file = std::fs::File::open("/").expect("opened");
    let fd = std::os::fd::AsRawFd::as_raw_fd(&file);
    push(&mut ring, 0, |sqe| {
        sqe.prep_msg_ring(fd, 1, 1, 0);
    });
    assert_eq!(reap(&mut ring, 1), [(0, Err(Errno::EBADFD), 0)]);
}

#[test]
fn a_thread_without_a_ring_wakes_one_that_waits() {
    let mut ring = emulated();
    let elsewhere = ring.ring_ref();
    let sender = thread::spawn(move || {
        for nth in 0..1000 {
            elsewhere.send_msg_ring(nth, 1).expect("sent");
        }
    });
    let all = reap(&mut ring, 1000);
    sender.join().expect("no panic");
    let numbers: Vec<u64> = all.iter().map(|seen| seen.0).collect();
    assert_eq!(numbers, (0..1000).collect::<Vec<_>>());
}
