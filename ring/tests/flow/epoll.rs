//! Epoll instances changed and waited for through the ring.

use std::os::fd::{AsRawFd, OwnedFd};

use annulus_ring::{Errno, Opcode, Ring, SqeFlags};
use annulus_syscalls::calls;

use super::support::{
    assert_quiet, entry, eventfd, has, owned, pinned_ring, reap, reap_one, results, ring,
};

const IN: u32 = libc::EPOLLIN as u32;

fn epoll() -> OwnedFd {
    // SAFETY: takes a number only.
    owned(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })
}

fn event(events: u32, data: u64) -> libc::epoll_event {
    libc::epoll_event { events, u64: data }
}

/// Does `operation` by the ring, and returns what it came to.
fn control(
    ring: &mut Ring,
    epoll: i32,
    operation: i32,
    fd: i32,
    event: Option<libc::epoll_event>,
) -> Result<u32, Errno> {
    let event = event.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    // SAFETY: null, or an event that outlives the submission in `reap_one`.
    unsafe { entry(ring, 1).prep_epoll_ctl(epoll, operation, fd, event.cast()) };
    reap_one(ring).result()
}

/// What a wait for no time finds.
fn ready(epoll: &OwnedFd) -> Vec<u64> {
    let mut events = [event(0, 0); 8];
    // SAFETY: there is room for eight.
    let found = unsafe { libc::epoll_wait(epoll.as_raw_fd(), events.as_mut_ptr(), 8, 0) };
    events[..found as usize]
        .iter()
        .map(|event| event.u64)
        .collect()
}

fn signal(fd: &OwnedFd) {
    calls::write(fd.as_raw_fd(), &1_u64.to_ne_bytes()).expect("counted");
}

#[test]
fn members_are_added_changed_and_removed() {
    let mut ring = ring();
    let (set, counter) = (epoll(), eventfd());
    let (set_fd, fd) = (set.as_raw_fd(), counter.as_raw_fd());
    let add = libc::EPOLL_CTL_ADD;
    assert_eq!(
        control(&mut ring, set_fd, add, fd, Some(event(IN, 7))),
        Ok(0)
    );
    assert_eq!(
        control(&mut ring, set_fd, add, fd, Some(event(IN, 7))),
        Err(Errno::EEXIST)
    );
    assert!(ready(&set).is_empty());
    signal(&counter);
    assert_eq!(ready(&set), [7]);
    let change = libc::EPOLL_CTL_MOD;
    assert_eq!(
        control(&mut ring, set_fd, change, fd, Some(event(IN, 8))),
        Ok(0)
    );
    assert_eq!(ready(&set), [8]);
    let remove = libc::EPOLL_CTL_DEL;
    assert_eq!(control(&mut ring, set_fd, remove, fd, None), Ok(0));
    assert_eq!(
        control(&mut ring, set_fd, remove, fd, None),
        Err(Errno::ENOENT)
    );
    assert!(ready(&set).is_empty());
    // What is no instance, no member, and no event.
    assert_eq!(
        control(&mut ring, fd, add, fd, Some(event(IN, 7))),
        Err(Errno::EINVAL)
    );
    assert_eq!(
        control(&mut ring, set_fd, add, -1, Some(event(IN, 7))),
        Err(Errno::EBADF)
    );
    assert_eq!(
        control(&mut ring, set_fd, add, fd, None),
        Err(Errno::EFAULT)
    );
}

#[test]
fn a_wait_completes_with_the_events_that_came() {
    let mut ring = ring();
    if !has(&ring, Opcode::EPOLL_WAIT) {
        return;
    }
    let set = epoll();
    let counters = [eventfd(), eventfd(), eventfd()];
    for (counter, data) in counters.iter().zip(0..) {
        let event = Some(event(IN, data));
        let fd = counter.as_raw_fd();
        let added = control(&mut ring, set.as_raw_fd(), libc::EPOLL_CTL_ADD, fd, event);
        assert_eq!(added, Ok(0));
    }
    let mut events = [event(0, 0); 8];
    let wait = |ring: &mut Ring, user_data, events: &mut [libc::epoll_event]| {
        let (at, count) = (events.as_mut_ptr(), events.len() as u32);
        // SAFETY: `events` outlives the completion, which is waited for.
        unsafe { entry(ring, user_data).prep_epoll_wait(set.as_raw_fd(), at.cast(), count) };
    };
    // 1. Nothing is there: it waits.
    wait(&mut ring, 1, &mut events);
    ring.submit().expect("submitted");
    assert_quiet(&mut ring);
    signal(&counters[1]);
    assert_eq!(reap_one(&mut ring).result(), Ok(1));
    assert_eq!({ events[0].u64 }, 1);
    // 2. Several are there: as many as there is room for.
    signal(&counters[0]);
    signal(&counters[2]);
    wait(&mut ring, 2, &mut events[..2]);
    assert_eq!(reap_one(&mut ring).result(), Ok(2));
    wait(&mut ring, 3, &mut events);
    assert_eq!(reap_one(&mut ring).result(), Ok(3));
    // 3. No room, and no instance.
    wait(&mut ring, 4, &mut []);
    assert_eq!(reap_one(&mut ring).result(), Err(Errno::EINVAL));
}

#[test]
fn a_wait_can_be_cancelled_and_limited() {
    let mut ring = ring();
    if !has(&ring, Opcode::EPOLL_WAIT) {
        return;
    }
    let set = epoll();
    let counter = eventfd();
    let (set_fd, fd) = (set.as_raw_fd(), counter.as_raw_fd());
    let added = control(
        &mut ring,
        set_fd,
        libc::EPOLL_CTL_ADD,
        fd,
        Some(event(IN, 1)),
    );
    assert_eq!(added, Ok(0));
    let mut events = [event(0, 0); 1];
    let at = events.as_mut_ptr();
    // SAFETY: `events` outlives the completion, which is waited for.
    unsafe { entry(&mut ring, 1).prep_epoll_wait(set_fd, at.cast(), 1) };
    ring.submit().expect("submitted");
    entry(&mut ring, 2).prep_cancel64(1, 0);
    let ended = results(&mut ring, 2);
    assert_eq!((ended[&1], ended[&2]), (Err(Errno::ECANCELED), Ok(0)));
    let time = super::support::span(std::time::Duration::from_millis(5));
    // SAFETY: as above.
    unsafe { entry(&mut ring, 3).prep_epoll_wait(set_fd, at.cast(), 1) }
        .add_flags(SqeFlags::IO_LINK);
    // SAFETY: `time` outlives the submission in `results`.
    unsafe { entry(&mut ring, 4).prep_link_timeout(&raw const time, 0) };
    let ended = results(&mut ring, 2);
    assert_eq!(
        (ended[&3], ended[&4]),
        (Err(Errno::ECANCELED), Err(Errno::ETIME))
    );
}

#[test]
fn a_ring_is_a_member_and_is_ready_while_completions_wait() {
    for mut watched in [ring(), pinned_ring()] {
        let mut ring = ring();
        let set = epoll();
        let member = Some(event(IN, 5));
        let (set_fd, fd) = (set.as_raw_fd(), watched.fd());
        assert_eq!(
            control(&mut ring, set_fd, libc::EPOLL_CTL_ADD, fd, member),
            Ok(0)
        );
        assert!(ready(&set).is_empty());
        entry(&mut watched, 1).prep_nop();
        watched.submit().expect("submitted");
        assert_eq!(ready(&set), [5]);
        reap_one(&mut watched);
        watched.publish_head();
        assert!(ready(&set).is_empty());
    }
}

#[test]
fn a_ring_that_polls_an_instance_that_has_the_ring_ends_well() {
    let mut ring = ring();
    let set = epoll();
    let counter = eventfd();
    let fd = ring.fd();
    // 1. The ring is in the set, and the ring polls the set: a circle.
    let added = control(
        &mut ring,
        set.as_raw_fd(),
        libc::EPOLL_CTL_ADD,
        fd,
        Some(event(IN, 1)),
    );
    assert_eq!(added, Ok(0));
    let member = Some(event(IN, 2));
    let added = control(
        &mut ring,
        set.as_raw_fd(),
        libc::EPOLL_CTL_ADD,
        counter.as_raw_fd(),
        member,
    );
    assert_eq!(added, Ok(0));
    entry(&mut ring, 10).prep_poll_multishot(set.as_raw_fd(), IN);
    ring.submit().expect("submitted");
    // 2. A completion wakes the set, which wakes the poll, which completes: finitely often.
    signal(&counter);
    let mut seen = 0;
    for _ in 0..16 {
        ring.enter(0, None).expect("entered");
        while let Some(cqe) = ring.pop() {
            assert_eq!((cqe.user_data(), cqe.result()), (10, Ok(IN)));
            seen += 1;
        }
    }
    println!("{seen} completions in 16 enters");
    assert!((1..=64).contains(&seen), "{seen}");
    entry(&mut ring, 11).prep_cancel64(10, 0);
    while reap_one(&mut ring).user_data() != 11 {}
}

#[test]
fn instances_in_a_circle_are_refused() {
    let mut ring = ring();
    let (one, other) = (epoll(), epoll());
    let add = libc::EPOLL_CTL_ADD;
    let member = Some(event(IN, 1));
    let (one, other) = (one.as_raw_fd(), other.as_raw_fd());
    assert_eq!(control(&mut ring, one, add, other, member), Ok(0));
    assert_eq!(
        control(&mut ring, other, add, one, member),
        Err(Errno::ELOOP)
    );
    assert_eq!(
        control(&mut ring, one, add, one, member),
        Err(Errno::EINVAL)
    );
    // Nor does a chain of more than five hold.
    let chain: Vec<OwnedFd> = (0..8).map(|_| epoll()).collect();
    let links: Vec<_> = chain
        .windows(2)
        .map(|pair| {
            control(
                &mut ring,
                pair[0].as_raw_fd(),
                add,
                pair[1].as_raw_fd(),
                member,
            )
        })
        .collect();
    assert!(
        links.contains(&Err(Errno::ELOOP)) || links.contains(&Err(Errno::EINVAL)),
        "{links:?}"
    );
    assert!(reap(&mut ring, 0).is_empty());
}
