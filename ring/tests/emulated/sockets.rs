//! Sockets: receiving, sending, accepting, connecting; waiting, at once, and again and again.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::ptr::null_mut;

use annulus_ring::{Errno, Opcode, Ring, SqeFlags};
use annulus_syscalls::io_uring::cqe_flags::{IORING_CQE_F_MORE, IORING_CQE_F_NOTIF};
use annulus_syscalls::io_uring::flags::net::IORING_SEND_ZC_REPORT_USAGE;

use crate::both::{fd_of, now, on_both, push, reap, reap_sorted};
use crate::support::{Address, has, listener, loopback, tcp_pair, unix_pair};

#[test]
fn a_receive_waits_gets_what_is_there_and_sees_the_end() {
    on_both(|ring| {
        let (ours, mut theirs) = tcp_pair();
        let mut buf = [0_u8; 4];
        let (fd, start) = (ours.as_raw_fd(), buf.as_mut_ptr());
        let mut all = Vec::new();
        for data in [&b"abc"[..], b"defg", b""] {
            push(ring, data.len() as u64, |sqe| {
                // SAFETY: the buffer outlives the completion.
                unsafe { sqe.prep_recv(fd, start, 4, 0) };
            });
            assert_eq!(now(ring), [], "nothing is there");
            match data {
                [] => theirs
                    .shutdown(std::net::Shutdown::Write)
                    .expect("shut down"),
                data => theirs.write_all(data).expect("written"),
            }
            all.extend(reap(ring, 1));
        }
        (all, buf)
    });
}

#[test]
fn a_receive_tells_that_more_is_there() {
    on_both(|ring| {
        let (ours, mut theirs) = unix_pair();
        theirs.write_all(b"0123456789").expect("written");
        let mut buf = [0_u8; 4];
        let start = buf.as_mut_ptr();
        let mut all = Vec::new();
        for nth in 0..3 {
            push(ring, nth, |sqe| {
                // SAFETY: the buffer outlives the completion.
                unsafe { sqe.prep_recv(ours.as_raw_fd(), start, 4, 0) };
            });
            all.extend(reap(ring, 1));
        }
        all
    });
}

#[test]
fn a_receive_of_all_waits_for_all_and_one_that_does_not_wait_says_so() {
    on_both(|ring| {
        let (ours, mut theirs) = tcp_pair();
        let mut buf = [0_u8; 8];
        let start = buf.as_mut_ptr();
        push(ring, 0, |sqe| {
            // SAFETY: the buffer outlives the completion.
            unsafe { sqe.prep_recv(ours.as_raw_fd(), start, 8, libc::MSG_DONTWAIT) };
        });
        let mut all = reap(ring, 1);
        push(ring, 1, |sqe| {
            // SAFETY: as above.
            unsafe { sqe.prep_recv(ours.as_raw_fd(), start, 8, libc::MSG_WAITALL) };
        });
        theirs.write_all(b"half").expect("written");
        assert_eq!(now(ring), [], "not all of it is there");
        theirs.write_all(b"rest").expect("written");
        all.extend(reap(ring, 1));
        (all, buf)
    });
}

#[test]
fn receives_on_what_is_no_socket_or_not_connected_fail() {
    on_both(|ring| {
        let file = std::fs::File::open("/").expect("opened");
        let unconnected = std::net::UdpSocket::bind(loopback()).expect("bound");
        let mut buf = [0_u8; 4];
        let start = buf.as_mut_ptr();
        for (nth, fd) in [-1, file.as_raw_fd()].into_iter().enumerate() {
            push(ring, nth as u64, |sqe| {
                // SAFETY: the buffer outlives the completion.
                unsafe { sqe.prep_recv(fd, start, 4, 0) };
            });
        }
        push(ring, 2, |sqe| {
            // SAFETY: as above.
            unsafe { sqe.prep_send(unconnected.as_raw_fd(), start, 4, 0) };
        });
        reap_sorted(ring, 3)
    });
}

#[test]
fn a_send_waits_for_room() {
    on_both(|ring| {
        let (ours, mut theirs) = unix_pair();
        let data = vec![7_u8; 1 << 20];
        let start = data.as_ptr();
        push(ring, 0, |sqe| {
            // SAFETY: the data outlives the completion.
            unsafe { sqe.prep_send(ours.as_raw_fd(), start, 1 << 20, libc::MSG_WAITALL) };
        });
        assert_eq!(now(ring), [], "there is not as much room");
        let reader = std::thread::spawn(move || {
            let mut got = vec![0; 1 << 20];
            theirs.read_exact(&mut got).map(|()| got)
        });
        let all = reap(ring, 1);
        assert_eq!(reader.join().expect("no panic").expect("read"), data);
        all
    });
}

#[test]
fn a_send_to_a_closed_peer_fails_without_a_signal() {
    on_both(|ring| {
        let (ours, theirs) = unix_pair();
        drop(theirs);
        push(ring, 0, |sqe| {
            // SAFETY: the data is static.
            unsafe { sqe.prep_send(ours.as_raw_fd(), b"x".as_ptr(), 1, 0) };
        });
        reap(ring, 1)
    });
}

#[test]
fn a_zero_copy_send_tells_its_result_and_then_that_the_memory_is_free() {
    let told = on_both(|ring| {
        if !has(ring, Opcode::SEND_ZC) {
            return Vec::new();
        }
        let (ours, mut theirs) = tcp_pair();
        let data = *b"zero copy";
        let start = data.as_ptr();
        push(ring, 0, |sqe| {
            // SAFETY: the data outlives the notification.
            unsafe { sqe.prep_send_zc(ours.as_raw_fd(), start, 9, 0, 0) };
        });
        let mut all = reap(ring, 2);
        theirs.read_exact(&mut [0; 9]).expect("read");
        push(ring, 1, |sqe| {
            let usage = IORING_SEND_ZC_REPORT_USAGE;
            // SAFETY: as above.
            unsafe { sqe.prep_send_zc(ours.as_raw_fd(), start, 9, 0, usage) };
        });
        all.extend(reap(ring, 2));
        all
    });
    if told.len() == 4 {
        assert_eq!(told[0].2, IORING_CQE_F_MORE);
        assert_eq!(told[1].2, IORING_CQE_F_NOTIF);
    }
}

#[test]
fn a_failed_zero_copy_send_ends_alike() {
    on_both(|ring| {
        let (ours, theirs) = tcp_pair();
        ours.shutdown(std::net::Shutdown::Write).expect("shut down");
        push(ring, 0, |sqe| {
            // SAFETY: the data is static.
            unsafe { sqe.prep_send_zc(ours.as_raw_fd(), b"x".as_ptr(), 1, 0, 0) };
        });
        push(ring, 1, |sqe| {
            // SAFETY: as above.
            unsafe { sqe.prep_send_zc(-1, b"x".as_ptr(), 1, 0, 0) };
        });
        let mut all = reap(ring, 3);
        all.extend(now(ring));
        drop(theirs);
        let (unix, _peer) = unix_pair();
        push(ring, 2, |sqe| {
            // SAFETY: as above.
            unsafe { sqe.prep_send_zc(unix.as_raw_fd(), b"x".as_ptr(), 1, 0, 0) };
        });
        all.extend(reap(ring, 1));
        all.extend(now(ring));
        all.sort_by_key(|seen| seen.0);
        all
    });
}

fn accept_later(ring: &mut Ring, listener: &TcpListener) -> Vec<(u64, bool, u32)> {
    let address = listener.local_addr().expect("its address");
    let mut all = Vec::new();
    let mut clients = Vec::new();
    push(ring, 0, |sqe| {
        // SAFETY: there is no memory.
        unsafe { sqe.prep_accept(listener.as_raw_fd(), null_mut(), null_mut(), 0) };
    });
    assert_eq!(now(ring), [], "nobody is there");
    push(ring, 1, |sqe| {
        sqe.prep_multishot_accept(listener.as_raw_fd(), 0);
    });
    for _ in 0..4 {
        clients.push(TcpStream::connect(address).expect("connected"));
        for seen in reap(ring, 1) {
            drop(fd_of(&seen));
            all.push((seen.0, seen.1.is_ok(), seen.2));
        }
    }
    push(ring, 2, |sqe| {
        sqe.prep_cancel64(1, 0);
    });
    let ended = reap_sorted(ring, 2);
    assert_eq!(ended[0], (1, Err(Errno::ECANCELED), 0));
    all
}

#[test]
fn accepts_wait_for_connections_on_listeners_of_both_kinds() {
    for nonblocking in [true, false] {
        on_both(|ring| {
            let listener = listener();
            listener.set_nonblocking(nonblocking).expect("set");
            let all = accept_later(ring, &listener);
            // Who came first served one of them; both end up the same.
            all.iter()
                .map(|seen| (seen.1, seen.2 & IORING_CQE_F_MORE))
                .fold((0, 0), |(ok, more), seen| {
                    (ok + usize::from(seen.0), more + seen.1)
                })
        });
    }
}

#[test]
fn a_connect_succeeds_or_is_refused() {
    for nonblocking in [true, false] {
        on_both(|ring| {
            let listener = listener();
            let there = listener.address();
            let refused = {
                let gone = crate::support::listener();
                gone.address()
            };
            let mut all = Vec::new();
            for (user_data, address) in [(0, &there), (1, &refused)] {
                let kind = libc::SOCK_STREAM | libc::SOCK_CLOEXEC;
                let kind = if nonblocking {
                    kind | libc::SOCK_NONBLOCK
                } else {
                    kind
                };
                push(ring, 9, |sqe| {
                    sqe.prep_socket(libc::AF_INET, kind, 0);
                });
                let socket = fd_of(&reap(ring, 1)[0]);
                let (start, len) = (address.as_ptr().cast(), address.len());
                push(ring, user_data, |sqe| {
                    // SAFETY: the address outlives the submission.
                    unsafe { sqe.prep_connect(socket.as_raw_fd(), start, len) };
                });
                all.extend(reap(ring, 1));
            }
            all
        });
    }
}

#[test]
fn a_close_between_linked_operations_is_seen_by_the_peer() {
    on_both(|ring| {
        let (ours, mut theirs) = unix_pair();
        let fd = std::os::fd::IntoRawFd::into_raw_fd(ours);
        push(ring, 0, |sqe| {
            // SAFETY: the data is static.
            unsafe { sqe.prep_send(fd, b"bye".as_ptr(), 3, 0) };
            sqe.set_flags(SqeFlags::IO_LINK);
        });
        push(ring, 1, |sqe| {
            sqe.prep_close(fd);
        });
        let all = reap(ring, 2);
        let mut got = Vec::new();
        theirs.read_to_end(&mut got).expect("read to the end");
        (all, got)
    });
}

#[test]
fn a_refused_socket_connects_when_somebody_listens() {
    for nonblocking in [true, false] {
        let all = on_both(|ring| {
            let kind = libc::SOCK_STREAM | libc::SOCK_CLOEXEC;
            let kind = if nonblocking {
                kind | libc::SOCK_NONBLOCK
            } else {
                kind
            };
            push(ring, 9, |sqe| {
                sqe.prep_socket(libc::AF_INET, kind, 0);
            });
            let socket = fd_of(&reap(ring, 1)[0]);
            let refused = listener().address();
            let there = listener();
            let mut all = Vec::new();
            for (user_data, address) in [(0, refused), (1, there.address()), (2, there.address())] {
                let (start, len) = (address.as_ptr().cast(), address.len());
                push(ring, user_data, |sqe| {
                    // SAFETY: the address outlives the submission.
                    unsafe { sqe.prep_connect(socket.as_raw_fd(), start, len) };
                });
                all.extend(reap(ring, 1));
            }
            // SAFETY: this command takes no argument.
            let flags = unsafe { libc::fcntl(socket.as_raw_fd(), libc::F_GETFL) };
            (all, flags & libc::O_NONBLOCK)
        });
        assert_eq!(all.0[1].1, Ok(0));
    }
}

#[test]
fn accepting_from_what_does_not_listen_fails_at_once() {
    on_both(|ring| {
        let (ours, _theirs) = tcp_pair();
        for (user_data, flags) in [(0, 0), (1, 1)] {
            push(ring, user_data, |sqe| {
                // SAFETY: there is no memory.
                unsafe { sqe.prep_accept(ours.as_raw_fd(), null_mut(), null_mut(), flags) };
            });
        }
        reap_sorted(ring, 2)
    });
}

#[test]
fn a_datagram_is_all_there_is_and_a_short_one_breaks_its_chain() {
    on_both(|ring| {
        let (ours, theirs) = crate::support::udp_pair();
        let mut buf = [0_u8; 8];
        let start = buf.as_mut_ptr();
        push(ring, 0, |sqe| {
            // SAFETY: the buffer outlives the completion.
            unsafe { sqe.prep_recv(ours.as_raw_fd(), start, 8, libc::MSG_WAITALL) };
            sqe.set_flags(SqeFlags::IO_LINK);
        });
        push(ring, 1, |sqe| {
            sqe.prep_nop();
        });
        theirs.send(b"abc").expect("sent");
        reap_sorted(ring, 2)
    });
}

#[test]
fn a_message_is_received_whole_across_its_buffers_which_may_change_meanwhile() {
    on_both(|ring| {
        let (ours, mut theirs) = unix_pair();
        let (mut head, mut tail) = ([0_u8; 3], [0_u8; 5]);
        let mut parts = [
            libc::iovec {
                iov_base: head.as_mut_ptr().cast(),
                iov_len: 3,
            },
            libc::iovec {
                iov_base: tail.as_mut_ptr().cast(),
                iov_len: 5,
            },
        ];
        // SAFETY: zeros are a valid msghdr.
        let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
        message.msg_iov = parts.as_mut_ptr();
        message.msg_iovlen = 2;
        let at = (&raw mut message).cast();
        push(ring, 0, |sqe| {
            // SAFETY: message and buffers outlive the completion.
            unsafe { sqe.prep_recvmsg(ours.as_raw_fd(), at, libc::MSG_WAITALL) };
        });
        theirs.write_all(b"ab").expect("written");
        assert_eq!(now(ring), [], "not all of it is there");
        parts[0].iov_len = 0;
        std::hint::black_box(&parts);
        theirs.write_all(b"cdefgh").expect("written");
        let all = reap(ring, 1);
        (all, head, tail, message.msg_flags & libc::MSG_TRUNC)
    });
}
