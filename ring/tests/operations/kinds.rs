//! The same operations on every kind of ring: what they do does not depend on how it was made.

use std::net::TcpStream;
use std::os::fd::AsRawFd;

use annulus_ring::{Errno, Ring, RingConfig, SqeFlags};

use crate::support::{
    Address, TempDir, accept, close, collect, connect, in_order, listener, of, openat, outcome,
    pattern, push, read, recv, ring_with, send, socket, write,
};

/// Every kind of ring that there is here, by name.
fn kinds() -> Vec<(&'static str, Ring)> {
    let base = RingConfig {
        sq_entries: 16,
        ..RingConfig::default()
    };
    let configs = [
        ("a shared ring", base.clone()),
        (
            "a ring of one thread",
            RingConfig {
                pinned: true,
                ..base.clone()
            },
        ),
        (
            "a ring without array",
            RingConfig {
                no_sqarray: true,
                ..base.clone()
            },
        ),
        (
            "a ring with a kernel thread",
            RingConfig {
                sqpoll_idle_ms: Some(5),
                ..base.clone()
            },
        ),
        (
            "a ring with a large CQ",
            RingConfig {
                cq_entries: 1024,
                ..base
            },
        ),
    ];
    configs
        .into_iter()
        .filter_map(|(name, config)| Some((name, ring_with(&config, name)?)))
        .collect()
}

#[test]
fn a_file_is_made_written_read_and_closed_on_every_kind_of_ring() {
    let kinds = kinds();
    assert!(kinds.len() > 1);
    for (name, mut ring) in kinds {
        let directory = TempDir::new();
        let path = directory.c_path("file");
        let flags = libc::O_RDWR | libc::O_CREAT;
        let file = openat(&mut ring, libc::AT_FDCWD, &path, flags, 0o600).expect(name);
        let fd = std::os::fd::IntoRawFd::into_raw_fd(file);
        let data = pattern(20_000);
        assert_eq!(write(&mut ring, fd, &data, 0), Ok(20_000), "{name}");
        let mut back = vec![0; 20_000];
        assert_eq!(read(&mut ring, fd, &mut back, 0), Ok(20_000), "{name}");
        assert_eq!(back, data, "{name}");
        assert_eq!(close(&mut ring, fd), Ok(0), "{name}");
        assert_eq!(close(&mut ring, -1), Err(Errno::EBADF), "{name}");
    }
}

#[test]
fn a_conversation_is_held_on_every_kind_of_ring() {
    for (name, mut ring) in kinds() {
        let listener = listener();
        let client = socket(&mut ring, libc::AF_INET, libc::SOCK_STREAM).expect(name);
        let connected = connect(&mut ring, client.as_raw_fd(), &listener.address());
        assert_eq!(connected, Ok(0), "{name}");
        let server = accept(&mut ring, listener.as_raw_fd()).expect(name);
        let data = pattern(5000);
        assert_eq!(
            send(&mut ring, client.as_raw_fd(), &data, 0),
            Ok(5000),
            "{name}"
        );
        let mut back = vec![0; 5000];
        let got = recv(&mut ring, server.as_raw_fd(), &mut back, libc::MSG_WAITALL);
        assert_eq!(got, Ok(5000), "{name}");
        assert_eq!(back, data, "{name}");
        // One that waits is cancelled.
        let start = back.as_mut_ptr();
        // SAFETY: `back` outlives both completions.
        let cancelled = outcome(&mut ring, |sqe| unsafe {
            sqe.prep_recv(server.as_raw_fd(), start, 1, 0)
        });
        assert_eq!(cancelled, Err(Errno::ECANCELED), "{name}");
        let client = TcpStream::from(client);
        client
            .shutdown(std::net::Shutdown::Write)
            .expect("shut down");
        let got = recv(&mut ring, server.as_raw_fd(), &mut back, 0);
        assert_eq!(got, Ok(0), "{name}");
    }
}

#[test]
fn chains_keep_their_order_and_break_on_every_kind_of_ring() {
    for (name, mut ring) in kinds() {
        for user_data in 0..8 {
            push(&mut ring, user_data, |sqe| {
                let flags = if user_data == 7 {
                    SqeFlags::NONE
                } else {
                    SqeFlags::IO_LINK
                };
                if user_data == 4 {
                    sqe.prep_close(-1).set_flags(flags)
                } else {
                    sqe.prep_nop().set_flags(flags)
                }
            });
        }
        let (bad, cancelled) = (-Errno::EBADF.raw(), -Errno::ECANCELED.raw());
        let expected = [0, 0, 0, 0, bad, cancelled, cancelled, cancelled];
        assert_eq!(in_order(&mut ring, 8), expected, "{name}");
    }
}

#[test]
fn many_operations_at_once_each_come_back_once_on_every_kind_of_ring() {
    for (name, mut ring) in kinds() {
        for round in 0..50_u64 {
            for index in 0..16 {
                let flags = match (round + index) % 5 {
                    0 => SqeFlags::ASYNC,
                    1 => SqeFlags::IO_DRAIN,
                    _ => SqeFlags::NONE,
                };
                push(&mut ring, round * 16 + index, |sqe| {
                    sqe.prep_nop().set_flags(flags)
                });
            }
            let cqes = collect(&mut ring, 16);
            for index in 0..16 {
                assert_eq!(of(&cqes, round * 16 + index).result(), Ok(0), "{name}");
            }
        }
    }
}
