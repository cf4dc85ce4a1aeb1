//! When what was sent left: timestamps, taken from the error queue of a socket by a command.

use std::os::fd::AsRawFd;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use annulus_ring::{Cqe32, Errno, Ring, RingConfig, Sqe};
use annulus_syscalls::io_uring::cqe_flags::{IORING_CQE_F_TSTAMP_HW, IORING_TIMESTAMP_TYPE_SHIFT};
use annulus_syscalls::io_uring::flags::net::SOCKET_URING_OP_TX_TIMESTAMP;

use crate::support::{result, ring, skip_feature, udp_pair};

const TIMESTAMPS: u64 = 1;
const CANCEL: u64 = 2;
/// `SCM_TSTAMP_SND`: handed to the device, or in software to its driver.
const SENT: u32 = 0;

/// Has the socket stamp what it sends, numbering from 0, without giving the data back.
fn stamp(fd: i32) {
    let flags = libc::SOF_TIMESTAMPING_TX_SOFTWARE
        | libc::SOF_TIMESTAMPING_SOFTWARE
        | libc::SOF_TIMESTAMPING_OPT_ID
        | libc::SOF_TIMESTAMPING_OPT_TSONLY;
    let (level, name) = (libc::SOL_SOCKET, libc::SO_TIMESTAMPING);
    // SAFETY: the option is an int.
    unsafe { annulus_syscalls::calls::setsockopt(fd, level, name, &flags.to_ne_bytes()) }
        .expect("set");
}

/// Waits for a completion; `None` after ten seconds.
fn next(ring: &mut Ring<Sqe, Cqe32>) -> Option<Cqe32> {
    if ring.cq_ready() == 0 {
        ring.enter(1, Some(Duration::from_secs(10)))
            .expect("entered");
    }
    ring.pop()
}

#[test]
fn every_datagram_s_time_of_sending_is_told_until_the_command_is_cancelled() {
    let mut ring = match Ring::<Sqe, Cqe32>::with_entries(&RingConfig::default()) {
        Ok(ring) => ring,
        Err(errno) => return skip_feature(&format!("no ring of wide completions: {errno}")),
    };
    let (ours, theirs) = udp_pair();
    stamp(ours.as_raw_fd());
    let began = SystemTime::now();
    let sqe = ring.get_sqe().expect("room");
    // SAFETY: there is no memory.
    unsafe { sqe.prep_uring_cmd(SOCKET_URING_OP_TX_TIMESTAMP, ours.as_raw_fd(), 0, [0; 2]) }
        .set_user_data(TIMESTAMPS);
    ring.submit().expect("submitted");
    for number in 0..3 {
        ours.send(b"stamped").expect("sent");
        theirs.recv(&mut [0; 7]).expect("received");
        let told = next(&mut ring).expect("told within ten seconds");
        if told.result() == Err(Errno::EOPNOTSUPP) {
            return skip_feature("this kernel tells no timestamps by command (6.16)");
        }
        assert_eq!((told.user_data(), told.result()), (TIMESTAMPS, Ok(number)));
        assert!(told.more());
        assert_eq!(
            told.flags() & IORING_CQE_F_TSTAMP_HW,
            0,
            "no card was asked"
        );
        assert_eq!(told.flags() >> IORING_TIMESTAMP_TYPE_SHIFT, SENT);
        let [seconds, nanoseconds] = told.extra();
        let time = UNIX_EPOCH + Duration::new(seconds, nanoseconds as u32);
        // The wall clock may be set meanwhile, but hardly by a day.
        let day = Duration::from_secs(86_400);
        assert!(time > began - day && time < began + day, "{time:?}");
    }
    let sqe = ring.get_sqe().expect("room");
    sqe.prep_cancel64(TIMESTAMPS, 0).set_user_data(CANCEL);
    ring.submit().expect("submitted");
    for _ in 0..2 {
        let cqe = next(&mut ring).expect("both end");
        assert!(!cqe.more());
        let expected = match cqe.user_data() {
            CANCEL => Ok(0),
            _ => Err(Errno::ECANCELED),
        };
        assert_eq!(cqe.result(), expected);
    }
}

#[test]
fn a_ring_of_narrow_completions_has_no_room_for_timestamps() {
    let mut ring = ring();
    let (ours, _theirs) = udp_pair();
    // SAFETY: there is no memory.
    let refused = result(&mut ring, |sqe| unsafe {
        sqe.prep_uring_cmd(SOCKET_URING_OP_TX_TIMESTAMP, ours.as_raw_fd(), 0, [0; 2])
    });
    let expected = [Err(Errno::EINVAL), Err(Errno::EOPNOTSUPP)];
    assert!(expected.contains(&refused), "{refused:?}");
}
