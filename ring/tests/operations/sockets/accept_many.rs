//! Accepting again and again: by one entry, by many, and what the flags of each tell.

use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;

use annulus_ring::{Errno, Ring, RingConfig};

use crate::support::{
    accept, collect, complete, listener, of, owned, push, register_empty_files, result, ring,
};

fn clients_of(listener: &TcpListener, count: usize) -> Vec<TcpStream> {
    let address = listener.local_addr().expect("its address");
    let connect = |_| TcpStream::connect(address).expect("connected");
    (0..count).map(connect).collect()
}

/// Accepts one with a single entry; whether more clients wait.
fn more_wait(ring: &mut Ring, listener: &TcpListener) -> bool {
    let cqe = complete(ring, |sqe| {
        // SAFETY: there is no memory.
        unsafe {
            let (null, fd) = (std::ptr::null_mut(), listener.as_raw_fd());
            sqe.prep_accept(fd, null, std::ptr::null_mut(), libc::SOCK_CLOEXEC)
        }
    });
    drop(owned(cqe.result()).expect("accepted"));
    cqe.sock_nonempty()
}

#[test]
fn each_accept_tells_whether_more_clients_wait() {
    let mut ring = ring();
    let listener = listener();
    let _clients = clients_of(&listener, 3);
    let told = [(); 3].map(|()| more_wait(&mut ring, &listener));
    if told == [false; 3] {
        return crate::support::skip_feature("accepts tell whether more wait since 6.10");
    }
    assert_eq!(told, [true, true, false]);
}

#[test]
fn many_accepts_under_way_at_once_take_one_client_each() {
    let mut ring = ring();
    let listener = listener();
    for user_data in 0..16 {
        push(&mut ring, user_data, |sqe| {
            // SAFETY: there is no memory.
            unsafe {
                let (null, fd) = (std::ptr::null_mut(), listener.as_raw_fd());
                sqe.prep_accept(fd, null, std::ptr::null_mut(), libc::SOCK_CLOEXEC)
            }
        });
    }
    ring.submit().expect("submitted");
    let _clients = clients_of(&listener, 16);
    let mut sockets = Vec::new();
    for cqe in collect(&mut ring, 16) {
        sockets.push(owned(cqe.result()).expect("accepted"));
    }
    let mut peers: Vec<_> = sockets
        .into_iter()
        .map(|socket| TcpStream::from(socket).peer_addr().expect("connected"))
        .collect();
    peers.sort();
    peers.dedup();
    assert_eq!(peers.len(), 16, "sixteen different ones");
}

#[test]
fn a_listener_is_accepted_from_by_one_ring_after_another() {
    let listener = listener();
    for _ in 0..4 {
        let mut ring = ring();
        for _ in 0..4 {
            let _client = clients_of(&listener, 1);
            accept(&mut ring, listener.as_raw_fd()).expect("accepted");
        }
        // It goes with an accept under way, which must not take the next one's client.
        push(&mut ring, 1, |sqe| {
            sqe.prep_multishot_accept(listener.as_raw_fd(), libc::SOCK_CLOEXEC)
        });
        ring.submit().expect("submitted");
        push(&mut ring, 2, |sqe| sqe.prep_cancel64(1, 0));
        let cqes = collect(&mut ring, 2);
        assert_eq!(of(&cqes, 1).result(), Err(Errno::ECANCELED));
        assert!(!of(&cqes, 1).more());
        assert_eq!(of(&cqes, 2).result(), Ok(0));
    }
}

#[test]
fn a_multishot_accept_takes_those_who_wait_already_and_those_who_come() {
    let mut ring = ring();
    let listener = listener();
    let _early = clients_of(&listener, 3);
    push(&mut ring, 1, |sqe| {
        sqe.prep_multishot_accept(listener.as_raw_fd(), libc::SOCK_CLOEXEC)
    });
    ring.submit().expect("submitted");
    let _late = clients_of(&listener, 5);
    for cqe in collect(&mut ring, 8) {
        assert!(cqe.more());
        drop(owned(cqe.result()).expect("accepted"));
    }
}

#[test]
fn a_multishot_accept_goes_into_free_slots_only_never_into_a_chosen_one() {
    let mut ring = ring();
    let listener = listener();
    register_empty_files(&ring, 2).expect("registered");
    let chosen = result(&mut ring, |sqe| {
        sqe.prep_multishot_accept(listener.as_raw_fd(), 0)
            .set_direct_slot(1)
    });
    assert_eq!(chosen, Err(Errno::EINVAL));
}

#[test]
fn a_multishot_accept_ends_when_its_listener_is_shut_down() {
    let mut ring = ring();
    let listener = listener();
    push(&mut ring, 1, |sqe| {
        sqe.prep_multishot_accept(listener.as_raw_fd(), libc::SOCK_CLOEXEC)
    });
    ring.submit().expect("submitted");
    push(&mut ring, 2, |sqe| {
        sqe.prep_shutdown(listener.as_raw_fd(), libc::SHUT_RDWR)
    });
    let cqes = collect(&mut ring, 2);
    assert_eq!(of(&cqes, 1).result(), Err(Errno::EINVAL));
    assert!(!of(&cqes, 1).more());
    assert_eq!(of(&cqes, 2).result(), Ok(0));
}

#[test]
fn a_multishot_accept_loses_no_client_in_a_crowd_and_is_armed_again_when_it_ends() {
    const CLIENTS: usize = 400;
    // A CQ of four: completions overflow again and again, which may end the accept each time.
    let config = RingConfig {
        sq_entries: 4,
        cq_entries: 4,
        ..RingConfig::default()
    };
    let mut ring = Ring::new(&config).expect("a ring");
    let listener = listener();
    // Room for all of them: who finds none tries again only a second later.
    annulus_syscalls::calls::listen(listener.as_raw_fd(), 1024).expect("listens");
    let address = listener.local_addr().expect("its address");
    let crowd: Vec<_> = (0..4)
        .map(|_| {
            std::thread::spawn(move || {
                // Each is connected and gone: the port and the place in the queue are free again.
                for _ in 0..CLIENTS / 4 {
                    drop(TcpStream::connect(address).expect("connected"));
                }
            })
        })
        .collect();
    let (mut accepted, mut armed) = (0, 0);
    let mut is_armed = false;
    while accepted < CLIENTS {
        if !is_armed {
            push(&mut ring, 1, |sqe| {
                sqe.prep_multishot_accept(listener.as_raw_fd(), libc::SOCK_CLOEXEC)
            });
            is_armed = true;
            armed += 1;
        }
        ring.submit_and_wait(1).expect("entered");
        while let Some(cqe) = ring.pop() {
            drop(owned(cqe.result()).expect("accepted"));
            accepted += 1;
            is_armed &= cqe.more();
        }
    }
    for member in crowd {
        member.join().expect("no panic");
    }
    assert_eq!(accepted, CLIENTS);
    assert!((1..=CLIENTS).contains(&armed), "armed {armed} times");
}
