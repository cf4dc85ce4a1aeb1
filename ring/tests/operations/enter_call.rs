//! `io_uring_enter` itself: wrong descriptors, flags and arguments get the right errno, and a
//! ring works without any library.

use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicU32, Ordering};

use annulus_ring::{Errno, Opcode, Ring, RingConfig};
use annulus_syscalls::calls;
use annulus_syscalls::io_uring::enter::{
    IORING_ENTER_EXT_ARG, IORING_ENTER_GETEVENTS, IORING_ENTER_REGISTERED_RING,
};
use annulus_syscalls::io_uring::queue::{IORING_OFF_SQ_RING, IORING_OFF_SQES};
use annulus_syscalls::io_uring::{
    io_uring_cqe, io_uring_getevents_arg, io_uring_params, io_uring_sqe,
};

use crate::support::{collect, in_a_child, pipe, push, ring};

/// Enters with nothing of ours lent: what is queued are NOPs.
fn enter(
    fd: i32,
    to_submit: u32,
    min: u32,
    flags: u32,
    arg: usize,
    size: usize,
) -> Result<u32, Errno> {
    // SAFETY: only NOPs are queued, and the kernel checks the argument.
    unsafe { calls::io_uring_enter(fd, to_submit, min, flags, arg, size) }
}

#[test]
fn a_descriptor_that_is_no_ring_is_refused() {
    assert_eq!(enter(-1, 0, 0, 0, 0, 0), Err(Errno::EBADF));
    let (reading, _writing) = pipe(0);
    let fd = reading.as_raw_fd();
    assert_eq!(enter(fd, 0, 0, 0, 0, 0), Err(Errno::EOPNOTSUPP));
    assert_eq!(
        enter(fd, 1, 1, IORING_ENTER_GETEVENTS, 0, 0),
        Err(Errno::EOPNOTSUPP)
    );
}

#[test]
fn an_unknown_flag_is_refused() {
    let ring = ring();
    assert_eq!(enter(ring.fd(), 0, 0, 1 << 31, 0, 0), Err(Errno::EINVAL));
}

#[test]
fn no_more_is_consumed_than_is_queued() {
    let mut ring = ring();
    assert_eq!(
        enter(ring.fd(), 5, 0, 0, 0, 0),
        Ok(0),
        "nothing was published"
    );
    for user_data in 0..3 {
        push(&mut ring, user_data, |sqe| sqe.prep_nop());
    }
    assert_eq!(ring.submit(), Ok(3));
    assert_eq!(enter(ring.fd(), u32::MAX, 0, 0, 0, 0), Ok(0));
    assert_eq!(collect(&mut ring, 3).len(), 3);
}

#[test]
fn a_wait_argument_of_a_wrong_size_or_place_is_refused() {
    let ring = ring();
    let flags = IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG;
    let arg = io_uring_getevents_arg::default();
    let (at, size) = ((&raw const arg).addr(), size_of_val(&arg));
    assert_eq!(enter(ring.fd(), 0, 0, flags, at, size), Ok(0));
    assert_eq!(
        enter(ring.fd(), 0, 1, flags, at, size - 1),
        Err(Errno::EINVAL)
    );
    assert_eq!(enter(ring.fd(), 0, 1, flags, 1, size), Err(Errno::EFAULT));
    // A time that lies nowhere.
    let arg = io_uring_getevents_arg { ts: 1, ..arg };
    let at = (&raw const arg).addr();
    assert_eq!(enter(ring.fd(), 0, 1, flags, at, size), Err(Errno::EFAULT));
    // A signal mask of a size that no kernel has.
    let mask = 0_u64;
    let at = (&raw const mask).addr();
    let wrong = enter(ring.fd(), 0, 1, IORING_ENTER_GETEVENTS, at, 3);
    assert_eq!(wrong, Err(Errno::EINVAL));
}

#[test]
fn an_index_that_is_not_registered_stands_for_no_ring() {
    let registered = IORING_ENTER_REGISTERED_RING;
    // SAFETY: as in `enter`.
    let unused = std::thread::spawn(move || {
        [
            enter(0, 0, 0, registered, 0, 0),
            enter(16, 0, 0, registered, 0, 0),
        ]
    });
    let refused = unused.join().expect("no panic");
    // A thread that never registered a ring has no table to look into: EINVAL.
    assert_eq!(refused, [Err(Errno::EINVAL); 2]);
    let mut ring = ring();
    ring.register_ring_fd().expect("registered");
    assert_eq!(
        enter(16, 0, 0, registered, 0, 0),
        Err(Errno::EINVAL),
        "beyond the table"
    );
    assert_eq!(
        enter(15, 0, 0, registered, 0, 0),
        Err(Errno::EBADF),
        "an empty place"
    );
    push(&mut ring, 1, |sqe| sqe.prep_nop());
    assert_eq!(collect(&mut ring, 1)[0].user_data(), 1, "ours works");
}

#[test]
fn a_disabled_ring_takes_nothing() {
    let config = RingConfig {
        disabled: true,
        ..RingConfig::default()
    };
    let ring = Ring::new(&config).expect("a ring");
    assert_eq!(enter(ring.fd(), 1, 0, 0, 0, 0), Err(Errno::EBADFD));
}

#[test]
fn from_another_thread_a_ring_for_one_issuer_is_refused() {
    let config = RingConfig {
        pinned: true,
        ..RingConfig::default()
    };
    let mut ring = Ring::new(&config).expect("a ring");
    let fd = ring.fd();
    push(&mut ring, 1, |sqe| sqe.prep_nop());
    assert_eq!(collect(&mut ring, 1).len(), 1, "here it works");
    let elsewhere = std::thread::spawn(move || {
        [
            enter(fd, 1, 0, 0, 0, 0),
            enter(fd, 0, 0, IORING_ENTER_GETEVENTS, 0, 0),
        ]
    });
    let refused = elsewhere.join().expect("no panic");
    assert_eq!(refused[0], Err(Errno::EEXIST));
    assert_eq!(refused[1], Err(Errno::EEXIST));
}

#[test]
fn a_disabled_ring_belongs_to_the_thread_that_enables_it() {
    use annulus_syscalls::io_uring::register::op::IORING_REGISTER_ENABLE_RINGS;
    let config = RingConfig {
        pinned: true,
        disabled: true,
        ..RingConfig::default()
    };
    let mut ring = Ring::new(&config).expect("a ring");
    std::thread::scope(|scope| {
        let there = scope.spawn(|| {
            // SAFETY: there is no argument.
            unsafe { ring.register(IORING_REGISTER_ENABLE_RINGS, 0, 0) }.expect("enabled");
            push(&mut ring, 1, |sqe| sqe.prep_nop());
            collect(&mut ring, 1).len()
        });
        assert_eq!(there.join().expect("no panic"), 1);
    });
    push(&mut ring, 2, |sqe| sqe.prep_nop());
    assert_eq!(ring.submit(), Err(Errno::EEXIST), "not here any more");
}

#[test]
fn a_forked_child_is_refused_by_the_ring_and_makes_its_own() {
    let mut ring = ring();
    push(&mut ring, 1, |sqe| sqe.prep_nop());
    let held = in_a_child(|| {
        let dead = ring.get_sqe().is_none() && ring.submit() == Err(Errno::EBADF);
        let mut own = crate::support::ring();
        push(&mut own, 2, |sqe| sqe.prep_nop());
        dead && collect(&mut own, 1)[0].user_data() == 2
    });
    assert!(held);
    // What was queued before is still the parent's to submit.
    assert_eq!(collect(&mut ring, 1)[0].user_data(), 1);
}

/// A word of the ring that both sides write.
///
/// # Safety
/// `offset` is that of a word of the mapping at `map`, which outlives the reference.
unsafe fn word<'a>(map: std::ptr::NonNull<u8>, offset: u32) -> &'a AtomicU32 {
    // SAFETY: promised by the caller.
    let place = unsafe { map.add(offset as usize) }.cast::<u32>();
    // SAFETY: aligned, as the kernel laid it out, and only ever accessed atomically.
    unsafe { AtomicU32::from_ptr(place.as_ptr()) }
}

#[test]
fn a_ring_works_with_nothing_but_system_calls() {
    let mut params = io_uring_params::default();
    // SAFETY: the kernel makes the memory itself.
    let fd = unsafe { calls::io_uring_setup(1, &mut params) }.expect("a ring");
    let (read_write, shared) = (3, 1);
    // SAFETY: no MAP_FIXED.
    let rings = unsafe { calls::mmap(4096, read_write, shared, fd, IORING_OFF_SQ_RING) };
    let rings = rings.expect("mapped");
    // SAFETY: no MAP_FIXED.
    let slots = unsafe { calls::mmap(4096, read_write, shared, fd, IORING_OFF_SQES) };
    let slots = slots.expect("mapped").cast::<io_uring_sqe>();
    let offsets = [
        params.sq_off.tail,
        params.sq_off.array,
        params.cq_off.tail,
        params.cq_off.head,
    ];
    let [tail, array, ready, head] = offsets.map(|offset| {
        // SAFETY: the kernel says where the words are; the mapping stays to the end.
        unsafe { word(rings, offset) }
    });
    for round in 1..=3 {
        let sqe = io_uring_sqe {
            opcode: Opcode::NOP.0,
            user_data: u64::from(round),
            ..io_uring_sqe::default()
        };
        // SAFETY: the one slot is ours while nothing is submitted.
        unsafe { slots.write(sqe) };
        array.store(0, Ordering::Relaxed);
        tail.store(round, Ordering::Release);
        assert_eq!(enter(fd, 1, 1, IORING_ENTER_GETEVENTS, 0, 0), Ok(1));
        assert_eq!(ready.load(Ordering::Acquire), round);
        let index = (round - 1) & (params.cq_entries - 1);
        let place = params.cq_off.cqes as usize + index as usize * size_of::<io_uring_cqe>();
        // SAFETY: inside the mapping, as the kernel says.
        let place = unsafe { rings.add(place) }.cast::<io_uring_cqe>();
        // SAFETY: the tail says that this completion was written.
        let cqe = unsafe { place.read() };
        assert_eq!((cqe.user_data, cqe.res), (u64::from(round), 0));
        head.store(round, Ordering::Release);
    }
    // SAFETY: mapped above, and used no more.
    unsafe { calls::munmap(rings, 4096) }.expect("unmapped");
    // SAFETY: as above.
    unsafe { calls::munmap(slots.cast(), 4096) }.expect("unmapped");
    // SAFETY: made above, and used no more.
    unsafe { calls::close(fd) }.expect("closed");
}
