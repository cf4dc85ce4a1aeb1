//! The submission queue: how far a submission goes, and what it may forget afterwards.

use std::fs::File;
use std::io::{IoSlice, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use annulus_ring::{Errno, Ring, RingConfig, SockAddr, Sqe, SqeFlags};
use annulus_syscalls::io_uring::__kernel_timespec;

use crate::support::{NEVER, pop_all, push_nop, ring, ring_with};

/// An opcode that no kernel knows.
const INVALID: u8 = 0xff;

/// Makes an entry one that fails when it is looked at.
fn invalidate(sqe: &mut Sqe) {
    sqe.prep_nop();
    // SAFETY: an unknown opcode makes the kernel refuse the entry.
    unsafe { sqe.as_raw_mut() }.opcode = INVALID;
}

fn push_invalid(ring: &mut Ring, user_data: u64) {
    let sqe = ring.get_sqe().expect("room");
    invalidate(sqe);
    sqe.set_user_data(user_data);
}

fn push_linked(ring: &mut Ring, user_data: u64, flags: SqeFlags) -> &mut Sqe {
    let sqe = ring.get_sqe().expect("room");
    sqe.prep_nop().set_user_data(user_data).set_flags(flags)
}

/// What completed, in order of the numbers.
fn results(ring: &mut Ring) -> Vec<(u64, Result<u32, Errno>)> {
    let mut all: Vec<_> = core::iter::from_fn(|| ring.pop())
        .map(|cqe| (cqe.user_data(), cqe.result()))
        .collect();
    all.sort_by_key(|(user_data, _)| *user_data);
    all
}

#[test]
fn an_invalid_entry_in_the_middle_ends_the_submission_or_does_not() {
    for (submit_all, at_once) in [(true, 5), (false, 3)] {
        let mut ring = ring_with(RingConfig {
            submit_all,
            ..RingConfig::default()
        });
        for user_data in [0, 1, 2, 3, 4] {
            match user_data {
                2 => push_invalid(&mut ring, 2),
                _ => push_nop(&mut ring, user_data),
            }
        }
        // 1. The number says how far it went, the invalid one included. It does not wait if that
        // was not all.
        let min_complete = if submit_all { 5 } else { 100 };
        assert_eq!(ring.enter(min_complete, None), Ok(at_once));
        assert_eq!(ring.sq_queued(), 5 - at_once);
        let expected = |number| match number {
            2 => (2, Err(Errno::EINVAL)),
            _ => (number, Ok(0)),
        };
        let seen = results(&mut ring);
        assert_eq!(
            seen,
            (0..u64::from(at_once)).map(expected).collect::<Vec<_>>()
        );
        // 2. The rest goes with the next one.
        assert_eq!(ring.enter(5 - at_once, None), Ok(5 - at_once));
        let seen = results(&mut ring);
        assert_eq!(
            seen,
            (u64::from(at_once)..5).map(expected).collect::<Vec<_>>()
        );
        assert_eq!(ring.sq_dropped(), 0);
    }
}

#[test]
fn many_invalid_entries_fail_one_by_one() {
    for submit_all in [true, false] {
        let mut ring = ring_with(RingConfig {
            sq_entries: 32,
            submit_all,
            ..RingConfig::default()
        });
        for user_data in 0..32 {
            push_invalid(&mut ring, user_data);
        }
        let mut calls = 0;
        while ring.sq_queued() > 0 {
            assert_ne!(ring.submit(), Ok(0));
            calls += 1;
        }
        assert_eq!(calls, if submit_all { 1 } else { 32 });
        let failed = (0..32).map(|number| (number, Err(Errno::EINVAL)));
        assert_eq!(results(&mut ring), failed.collect::<Vec<_>>());
    }
}

#[test]
fn a_chain_with_an_invalid_entry_is_cancelled_whole_and_its_neighbours_are_not() {
    for submit_all in [true, false] {
        for link in [SqeFlags::IO_LINK, SqeFlags::IO_HARDLINK] {
            for invalid in 1..=4 {
                let mut ring = ring_with(RingConfig {
                    submit_all,
                    ..RingConfig::default()
                });
                // 0 | 1 -> 2 -> 3 -> 4 | 5
                push_nop(&mut ring, 0);
                for user_data in 1..=4 {
                    let is_last = user_data == 4;
                    let flags = if is_last { SqeFlags::NONE } else { link };
                    let sqe = push_linked(&mut ring, user_data, flags);
                    if user_data == invalid {
                        invalidate(sqe);
                        sqe.set_flags(flags);
                    }
                }
                push_nop(&mut ring, 5);
                // A chain is taken whole in any case. Behind one that ends in an invalid entry a
                // submission may stop.
                let taken = ring.submit().expect("submitted");
                let may_stop = !submit_all && invalid == 4;
                assert!(taken == 6 || (may_stop && taken == 5), "{taken}");
                ring.enter(6, None).expect("the rest");
                let seen = results(&mut ring);
                let expected = (0..6).map(|number| match number {
                    0 | 5 => (number, Ok(0)),
                    _ if number == invalid => (number, Err(Errno::EINVAL)),
                    _ => (number, Err(Errno::ECANCELED)),
                });
                assert_eq!(seen, expected.collect::<Vec<_>>());
            }
        }
    }
}

#[test]
fn queues_of_every_size_are_filled_and_emptied() {
    for power in 0..=15 {
        let entries = 1 << power;
        let mut ring = ring(entries, 0);
        assert_eq!(ring.sq_capacity(), entries);
        for round in 0..3 {
            let first = u64::from(round * entries);
            let numbers = first..first + u64::from(entries);
            for number in numbers.clone() {
                assert_eq!(u64::from(ring.sq_space_left()), numbers.end - number);
                push_nop(&mut ring, number);
            }
            assert!(ring.get_sqe().is_none());
            assert_eq!(ring.enter(entries, None), Ok(entries));
            assert_eq!(pop_all(&mut ring), numbers.collect::<Vec<_>>());
        }
    }
}

#[test]
fn slots_are_filled_again_while_their_operations_are_under_way() {
    let mut ring = ring(2, 64);
    let pairs: Vec<_> = (0..20)
        .map(|_| UnixStream::pair().expect("a pair"))
        .collect();
    for (user_data, (ours, _)) in (0..).zip(&pairs) {
        let sqe = ring.get_sqe().expect("room");
        sqe.prep_poll_add(ours.as_raw_fd(), libc::POLLIN as u32)
            .set_user_data(user_data);
        assert_eq!(ring.submit(), Ok(1));
    }
    // Each of them is still itself, whatever its slot was used for since.
    for (user_data, (_, theirs)) in (0..20_u32).zip(&pairs).rev() {
        (&*theirs).write_all(b"x").expect("written");
        ring.enter(1, Some(NEVER)).expect("entered");
        assert_eq!(pop_all(&mut ring), [u64::from(user_data)]);
    }
}

#[test]
fn an_array_of_buffers_may_change_once_it_was_consumed() {
    let mut ring = ring(8, 0);
    let (ours, mut theirs) = UnixStream::pair().expect("a pair");
    let (mut first, mut second, mut unused) = ([0_u8; 4], [0_u8; 4], [0_u8; 8]);
    let mut vectors = [
        libc::iovec {
            iov_base: first.as_mut_ptr().cast(),
            iov_len: 4,
        },
        libc::iovec {
            iov_base: second.as_mut_ptr().cast(),
            iov_len: 4,
        },
    ];
    let sqe = ring.get_sqe().expect("room");
    // SAFETY: the array outlives the submission, and the buffers the completion.
    unsafe { sqe.prep_readv(ours.as_raw_fd(), vectors.as_ptr().cast(), 2, 0, 0) };
    assert_eq!(ring.submit(), Ok(1));
    // 1. The read waits. Meanwhile the array says something else.
    for vector in &mut vectors {
        *vector = libc::iovec {
            iov_base: unused.as_mut_ptr().cast(),
            iov_len: 1,
        };
    }
    core::hint::black_box(&mut vectors);
    // 2. The bytes go where it said at first.
    theirs.write_all(b"abcdefgh").expect("written");
    ring.enter(1, Some(NEVER)).expect("entered");
    assert_eq!(ring.pop().expect("the read").result(), Ok(8));
    assert_eq!((&first, &second, unused), (b"abcd", b"efgh", [0; 8]));
}

#[test]
fn a_time_may_change_once_it_was_consumed() {
    let mut ring = ring(8, 0);
    let mut time = __kernel_timespec {
        tv_sec: 0,
        tv_nsec: 10_000_000,
    };
    let sqe = ring.get_sqe().expect("room");
    // SAFETY: the time outlives the submission.
    unsafe { sqe.prep_timeout(&raw const time, 0, 0) };
    let start = Instant::now();
    assert_eq!(ring.submit(), Ok(1));
    time.tv_sec = 600;
    core::hint::black_box(&mut time);
    assert_eq!(ring.enter(1, Some(NEVER)), Ok(0));
    assert_eq!(ring.pop().expect("it ran out").result(), Err(Errno::ETIME));
    assert!(start.elapsed() >= Duration::from_millis(10));
}

#[test]
fn a_path_and_an_address_may_change_once_they_were_consumed() {
    let mut ring = ring(8, 0);
    // 1. A worker thread opens the file after the path was overwritten.
    let mut path = *b"/dev/zero\0";
    let sqe = ring.get_sqe().expect("room");
    // SAFETY: the path outlives the submission.
    unsafe { sqe.prep_openat(libc::AT_FDCWD, path.as_ptr().cast(), libc::O_RDONLY, 0) };
    sqe.add_flags(SqeFlags::ASYNC);
    assert_eq!(ring.submit(), Ok(1));
    path.fill(b'x');
    core::hint::black_box(&mut path);
    ring.enter(1, Some(NEVER)).expect("entered");
    let fd = ring.pop().expect("opened").result().expect("a descriptor");
    // SAFETY: the descriptor is new and ours.
    let mut file = unsafe { File::from_raw_fd(fd as i32) };
    let mut buf = [1];
    file.read_exact(&mut buf).expect("read");
    assert_eq!(buf, [0]);
    // 2. A worker thread connects after the address was overwritten.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let kernel = annulus_ring::Kernel::uring(annulus_ring::Mask::NONE).expect("io_uring");
    let socket = kernel
        .socket(libc::AF_INET, libc::SOCK_STREAM, 0)
        .expect("a socket");
    let mut address = SockAddr::from(listener.local_addr().expect("its address"));
    let sqe = ring.get_sqe().expect("room");
    // SAFETY: the address outlives the submission.
    unsafe { sqe.prep_connect(socket.as_raw_fd(), address.as_ptr().cast(), address.len()) };
    sqe.add_flags(SqeFlags::ASYNC);
    assert_eq!(ring.submit(), Ok(1));
    address = SockAddr::from(std::net::SocketAddr::from(([127, 0, 0, 1], 1)));
    core::hint::black_box(&mut address);
    let accepted = listener.accept().expect("somebody came");
    ring.enter(1, Some(NEVER)).expect("entered");
    assert_eq!(ring.pop().expect("connected").result(), Ok(0));
    let socket = TcpStream::from(socket);
    assert_eq!(socket.peer_addr().ok(), listener.local_addr().ok());
    drop(accepted);
}

#[test]
fn a_write_of_several_buffers_is_what_they_were_when_it_completed_and_not_their_array_later() {
    let mut ring = ring(8, 0);
    let (mut ours, theirs) = UnixStream::pair().expect("a pair");
    let mut slices = [IoSlice::new(b"one "), IoSlice::new(b"two")];
    let sqe = ring.get_sqe().expect("room");
    // SAFETY: the array outlives the submission, and the bytes are static.
    unsafe { sqe.prep_writev(theirs.as_raw_fd(), slices.as_ptr().cast(), 2, 0, 0) };
    sqe.add_flags(SqeFlags::ASYNC);
    assert_eq!(ring.submit(), Ok(1));
    slices = [IoSlice::new(b"XXXX"), IoSlice::new(b"YYY")];
    core::hint::black_box(&mut slices);
    ring.enter(1, Some(NEVER)).expect("entered");
    assert_eq!(ring.pop().expect("written").result(), Ok(7));
    let mut seen = [0; 7];
    ours.read_exact(&mut seen).expect("read");
    assert_eq!(&seen, b"one two");
}

#[test]
fn a_submission_says_how_many_were_consumed_and_waits_for_as_many_as_it_was_told() {
    let mut ring = ring(16, 0);
    for (queued, min_complete) in [(1, 0), (1, 1), (5, 3), (16, 16), (0, 0)] {
        for user_data in 0..queued {
            push_nop(&mut ring, user_data);
        }
        assert_eq!(ring.submit_and_wait(min_complete), Ok(queued as u32));
        assert!(ring.cq_ready() >= min_complete);
        assert_eq!(pop_all(&mut ring), (0..queued).collect::<Vec<_>>());
    }
}
