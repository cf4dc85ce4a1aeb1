//! Queues that change their size while the ring runs.

use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use annulus_ring::{
    CqEntry, Cqe, Cqe32, Errno, Mask, MixedCqes, Ring, RingConfig, RingMemory, SqEntry, Sqe, Sqe128,
};

use crate::support::{NEVER, pinned, pop_all, push_nop, ring, ring_with, wait_for};

/// A pinned ring that can be resized; `None`, and why, before 6.13.
fn resizable(sq_entries: u32, cq_entries: u32) -> Option<Ring> {
    let mut ring = pinned(sq_entries, cq_entries)?;
    let (sq, cq) = (ring.sq_capacity(), ring.cq_capacity());
    match ring.resize(sq, cq) {
        Ok(()) => Some(ring),
        Err(errno) => {
            eprintln!("skipped: the kernel has no RESIZE_RINGS (6.13): {errno}");
            None
        }
    }
}

fn push_nops(ring: &mut Ring, ids: core::ops::Range<u64>) {
    for id in ids {
        push_nop(ring, id);
    }
}

fn sizes(ring: &Ring) -> (u32, u32) {
    (ring.sq_capacity(), ring.cq_capacity())
}

#[test]
fn queues_get_the_sizes_that_were_asked_for_rounded_and_cut() {
    let Some(mut ring) = resizable(8, 0) else {
        return;
    };
    let asked_and_got = [
        ((16, 0), (16, 32)),
        ((3, 0), (4, 8)),
        ((1, 1), (1, 1)),
        ((5, 100), (8, 128)),
        ((1 << 20, 0), (32_768, 65_536)),
        ((2, 1 << 20), (2, 65_536)),
    ];
    for ((sq, cq), got) in asked_and_got {
        assert_eq!(ring.resize(sq, cq), Ok(()));
        assert_eq!(sizes(&ring), got);
        assert_eq!(ring.sq_space_left(), got.0);
        assert_eq!((ring.params().sq_entries, ring.params().cq_entries), got);
        push_nop(&mut ring, 1);
        assert_eq!(ring.enter(1, None), Ok(1));
        assert_eq!(pop_all(&mut ring), [1]);
    }
}

#[test]
fn queued_entries_move_over_whether_the_kernel_was_shown_them_or_not() {
    for (before, after) in [(4, 64), (64, 4)] {
        let Some(ring) = resizable(before, 0) else {
            return;
        };
        let mut ring = ring;
        // 1. The queue is somewhere in its round.
        for round in 0..3 {
            push_nop(&mut ring, round);
            ring.enter(1, None).expect("entered");
            ring.pop().expect("a nop");
        }
        // 2. Two entries are shown to the kernel, which does not take them: another thread is
        // not to submit. Two more are only filled.
        push_nops(&mut ring, 0..2);
        let (mut ring, refused) = thread::spawn(move || {
            let refused = ring.submit();
            (ring, refused)
        })
        .join()
        .expect("no panic");
        assert_eq!(refused, Err(Errno::EEXIST));
        push_nops(&mut ring, 2..4);
        assert_eq!(ring.sq_queued(), 4);
        // 3. All four are there afterwards, in order.
        assert_eq!(ring.resize(after, 0), Ok(()));
        assert_eq!((ring.sq_queued(), ring.sq_space_left()), (4, after - 4));
        assert_eq!(ring.enter(4, None), Ok(4));
        assert_eq!(pop_all(&mut ring), [0, 1, 2, 3]);
        assert_eq!(ring.sq_dropped(), 0);
    }
}

#[test]
fn completions_move_over_once_each_wherever_the_queue_stands() {
    for (before, after) in [(8, 64), (64, 8), (8, 8)] {
        let Some(mut ring) = resizable(8, before) else {
            return;
        };
        for offset in 0..20 {
            // 1. Two are popped, of which the kernel does not know; five wait.
            push_nops(&mut ring, 0..7);
            assert_eq!(ring.enter(7, None), Ok(7));
            assert_eq!(ring.pop().map(|cqe| cqe.user_data()), Some(0));
            assert_eq!(ring.pop().map(|cqe| cqe.user_data()), Some(1));
            // 2. The five, and only they, are there afterwards.
            assert_eq!(ring.resize(8, after), Ok(()), "at {offset}");
            assert_eq!(ring.cq_ready(), 5);
            assert_eq!(pop_all(&mut ring), [2, 3, 4, 5, 6]);
            assert_eq!(ring.resize(8, before), Ok(()));
            assert!(ring.pop().is_none());
        }
    }
}

#[test]
fn what_does_not_fit_is_refused_and_the_old_queues_go_on() {
    let Some(mut ring) = resizable(16, 32) else {
        return;
    };
    // 1. Completions that wait: 16 do not fit into 8.
    push_nops(&mut ring, 0..16);
    assert_eq!(ring.enter(16, None), Ok(16));
    assert_eq!(ring.resize(8, 8), Err(Errno::EOVERFLOW));
    assert_eq!(sizes(&ring), (16, 32));
    // 2. Entries that are queued, and that the kernel has not seen: 9 do not fit into 8.
    push_nops(&mut ring, 16..25);
    assert_eq!(ring.resize(8, 32), Err(Errno::EOVERFLOW));
    assert_eq!(sizes(&ring), (16, 32));
    // 3. Nothing was lost or doubled by trying, and what fits is taken.
    assert_eq!(ring.enter(25, None), Ok(9));
    assert_eq!(ring.resize(16, 16), Err(Errno::EOVERFLOW));
    assert_eq!(pop_all(&mut ring), (0..25).collect::<Vec<_>>());
    assert_eq!(ring.resize(8, 8), Ok(()));
    assert_eq!(sizes(&ring), (8, 8));
}

#[test]
fn sizes_that_are_not_allowed_are_refused_and_the_old_queues_go_on() {
    let Some(mut ring) = resizable(8, 16) else {
        return;
    };
    push_nop(&mut ring, 1);
    assert_eq!(ring.resize(0, 0), Err(Errno::EINVAL));
    assert_eq!(ring.resize(0, 8), Err(Errno::EINVAL));
    assert_eq!(ring.resize(8, 4), Err(Errno::EINVAL), "a CQ below its SQ");
    assert_eq!(sizes(&ring), (8, 16));
    assert_eq!(ring.enter(1, None), Ok(1));
    assert_eq!(pop_all(&mut ring), [1]);
}

#[test]
fn rings_that_share_their_completion_work_and_old_kernels_do_not_resize() {
    let mut shared = ring(8, 0);
    assert_eq!(shared.resize(16, 0), Err(Errno::EINVAL));
    let mut old = ring_with(RingConfig {
        pinned: true,
        mask: Mask::V6_12,
        ..RingConfig::default()
    });
    assert_eq!(old.resize(16, 0), Err(Errno::EINVAL));
    for mut ring in [shared, old] {
        push_nop(&mut ring, 1);
        assert_eq!(ring.enter(1, None), Ok(1));
    }
    let Some(mut ring) = resizable(8, 0) else {
        return;
    };
    let elsewhere = thread::spawn(move || ring.resize(16, 0));
    assert_eq!(elsewhere.join().expect("no panic"), Err(Errno::EEXIST));
}

#[test]
fn operations_under_way_complete_in_the_new_queue() {
    let Some(mut ring) = resizable(4, 8) else {
        return;
    };
    ring.register_ring_fd().expect("registered");
    let (ours, theirs) = UnixStream::pair().expect("a pair");
    let sqe = ring.get_sqe().expect("room");
    sqe.prep_poll_add(ours.as_raw_fd(), libc::POLLIN as u32)
        .set_user_data(9);
    assert_eq!(ring.submit(), Ok(1));
    assert_eq!(ring.resize(64, 256), Ok(()));
    drop(theirs);
    assert_eq!(ring.enter_with(&wait_for(1, NEVER)), Ok(0));
    assert_eq!(pop_all(&mut ring), [9]);
}

#[test]
fn completions_that_overflowed_come_into_the_larger_queue() {
    let Some(mut ring) = resizable(4, 4) else {
        return;
    };
    for batch in 0..8 {
        push_nops(&mut ring, batch * 4..batch * 4 + 4);
        assert_eq!(ring.submit(), Ok(4));
    }
    assert!(ring.cq_overflowed());
    assert_eq!(ring.resize(4, 64), Ok(()));
    assert!(ring.cq_overflowed());
    assert_eq!(ring.cq_ready(), 4);
    ring.enter(32, None).expect("brought");
    assert!(!ring.cq_overflowed());
    assert_eq!(pop_all(&mut ring), (0..32).collect::<Vec<_>>());
}

#[test]
fn the_largest_queues_are_filled_to_the_last_slot() {
    let Some(mut ring) = resizable(1, 1) else {
        return;
    };
    assert_eq!(ring.resize(32_768, 65_536), Ok(()));
    for half in [0..32_768, 32_768..65_536] {
        push_nops(&mut ring, half);
        assert!(ring.get_sqe().is_none());
        assert_eq!(ring.submit(), Ok(32_768));
    }
    assert_eq!(ring.cq_ready(), 65_536);
    assert!(!ring.cq_overflowed());
    assert_eq!(pop_all(&mut ring), (0..65_536).collect::<Vec<_>>());
}

/// Fills, resizes and reaps a ring of other entries. `false` where the kernel has none of them.
fn wide_entries_move_over<S: SqEntry, C: CqEntry>(
    config: &RingConfig,
    resize: impl Fn(&mut Ring<S, C>, u32, u32) -> Result<(), Errno>,
) -> bool {
    let memory = RingMemory::bytes_for_entries::<S, C>(config).and_then(RingMemory::new);
    let Ok(mut ring) = (match config.registered_fd_only {
        true => Ring::<S, C>::with_entries_on(config, memory.expect("memory")),
        false => Ring::<S, C>::with_entries(config),
    }) else {
        return false;
    };
    let push = |ring: &mut Ring<S, C>, user_data| {
        let sqe = ring.get_sqe().expect("room").as_mut();
        sqe.prep_nop().set_user_data(user_data);
    };
    for (larger, smaller) in [(64, 8), (16, 8), (32, 8)] {
        for (sq, cq) in [(larger, 2 * larger), (smaller, 2 * smaller)] {
            // 1. Five completions wait, five entries are queued, at varying places.
            for user_data in 0..6 {
                push(&mut ring, user_data);
            }
            assert_eq!(ring.enter(6, None), Ok(6));
            assert!(ring.pop().is_some());
            for user_data in 6..11 {
                push(&mut ring, user_data);
            }
            // 2. They are the same in the other queues.
            match resize(&mut ring, sq, cq) {
                Ok(()) => {}
                Err(Errno::EINVAL) => return false,
                Err(errno) => panic!("not resized: {errno}"),
            }
            assert_eq!((ring.sq_capacity(), ring.cq_capacity()), (sq, cq));
            assert_eq!((ring.sq_queued(), ring.cq_ready()), (5, 5));
            assert_eq!(ring.enter(10, None), Ok(5));
            for user_data in 1..11 {
                let cqe = ring.pop().expect("ten");
                let (seen, result) = (cqe.as_ref().user_data(), cqe.as_ref().result());
                assert_eq!((seen, result), (user_data, Ok(0)));
            }
            assert!(ring.pop().is_none());
        }
    }
    true
}

#[test]
fn entries_of_every_size_move_over() {
    if resizable(8, 0).is_none() {
        return;
    }
    for no_sqarray in [false, true] {
        let config = RingConfig {
            sq_entries: 8,
            pinned: true,
            no_sqarray,
            ..RingConfig::default()
        };
        assert!(wide_entries_move_over::<Sqe, Cqe>(&config, Ring::resize));
        assert!(wide_entries_move_over::<Sqe128, Cqe>(&config, Ring::resize));
        assert!(wide_entries_move_over::<Sqe, Cqe32>(&config, Ring::resize));
        assert!(wide_entries_move_over::<Sqe128, Cqe32>(
            &config,
            Ring::resize
        ));
        if !wide_entries_move_over::<Sqe, MixedCqes>(&config, Ring::resize) {
            eprintln!("skipped: the kernel has no CQE_MIXED (6.18)");
        }
    }
}

#[test]
fn a_ring_on_memory_of_ours_moves_to_other_memory_of_ours() {
    if resizable(8, 0).is_none() {
        return;
    }
    let config = RingConfig {
        sq_entries: 8,
        pinned: true,
        registered_fd_only: true,
        ..RingConfig::default()
    };
    fn resize<S: SqEntry, C: CqEntry>(
        ring: &mut Ring<S, C>,
        sq: u32,
        cq: u32,
    ) -> Result<(), Errno> {
        let memory = || RingMemory::new(1 << 20).expect("memory");
        // 1. Not without memory, nor with too little of it.
        assert_eq!(ring.resize(sq, cq), Err(Errno::EINVAL));
        let little = RingMemory::new(1).expect("memory");
        assert_eq!(ring.resize_on(sq, cq, little), Err(Errno::ENOMEM));
        // 2. Not into what does not fit: the memory is dropped, and the ring goes on.
        assert_eq!(ring.resize_on(4, 4, memory()), Err(Errno::EOVERFLOW));
        // 3. With enough.
        ring.resize_on(sq, cq, memory())
    }
    assert!(wide_entries_move_over::<Sqe, Cqe>(&config, resize));
    assert!(wide_entries_move_over::<Sqe128, Cqe32>(&config, resize));
    let mut mapped = pinned(8, 0).expect("as above");
    let memory = RingMemory::new(1 << 20).expect("memory");
    assert_eq!(mapped.resize_on(16, 32, memory), Err(Errno::EINVAL));
}

/// Marks completions that another thread posts.
const POSTED: u64 = 1 << 32;

#[test]
fn under_load_from_two_threads_nothing_is_lost_doubled_or_reordered() {
    for no_sqarray in [false, true] {
        let config = RingConfig {
            sq_entries: 8,
            cq_entries: 64,
            pinned: true,
            no_sqarray,
            ..RingConfig::default()
        };
        if resizable(8, 64).is_none() {
            return;
        }
        let mut ring = ring_with(config);
        let target = ring.ring_ref();
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            // 1. One thread posts numbers from outside until it is told to stop.
            let poster = scope.spawn(|| {
                let mut posted = 0;
                while !stop.load(Ordering::Relaxed) {
                    match target.send_msg_ring(POSTED + posted, 0) {
                        Ok(()) => posted += 1,
                        // The CQ is full for now.
                        Err(Errno::EOVERFLOW) => thread::yield_now(),
                        Err(errno) => panic!("not posted: {errno}"),
                    }
                }
                posted
            });
            // 2. This one submits and resizes, leaving entries and completions in the queues.
            let (mut sent, mut seen, mut seen_posted) = (0, 0, 0);
            let mut take = |ring: &mut Ring, limit: usize| {
                for cqe in core::iter::from_fn(|| ring.pop()).take(limit) {
                    match cqe.user_data().checked_sub(POSTED) {
                        Some(number) => {
                            assert_eq!(number, seen_posted);
                            seen_posted += 1;
                        }
                        None => {
                            assert_eq!(cqe.user_data(), seen);
                            seen += 1;
                        }
                    }
                }
                (seen, seen_posted)
            };
            let (mut done, mut refused) = (0, 0);
            for round in 0..2000_u32 {
                while ring.sq_queued() < round % 8 {
                    push_nop(&mut ring, sent);
                    sent += 1;
                }
                match ring.resize(8 << (round % 4), 64 << (round % 3)) {
                    Ok(()) => done += 1,
                    Err(Errno::EOVERFLOW) => refused += 1,
                    Err(errno) => panic!("not resized: {errno}"),
                }
                ring.enter(0, None).expect("entered");
                take(&mut ring, 7);
                if round % 16 == 0 {
                    take(&mut ring, usize::MAX);
                }
            }
            stop.store(true, Ordering::Relaxed);
            let posted = poster.join().expect("no panic");
            // 3. Whatever is left comes out, and every number was seen in its order.
            loop {
                ring.enter(0, None).expect("entered");
                let before = ring.cq_ready();
                let now = take(&mut ring, usize::MAX);
                if now == (sent, posted) {
                    break;
                }
                assert!(
                    before > 0 || ring.cq_overflowed() || ring.taskrun(),
                    "{now:?}"
                );
            }
            assert!(ring.pop().is_none());
            assert!(done > 500, "{done} done, {refused} refused");
            eprintln!("resized {done} times, {refused} refused, {sent} sent, {posted} posted");
        });
    }
}

/// Set in the process whose address space is limited.
const INSIDE: &str = "ANNULUS_TEST_LITTLE_MEMORY";

#[test]
fn without_memory_for_the_new_queues_the_old_ones_go_on() {
    if std::env::var_os(INSIDE).is_some() {
        return resize_with_little_memory();
    }
    // The limit holds for a whole process, so it gets one of its own.
    let test = "resize::without_memory_for_the_new_queues_the_old_ones_go_on";
    let mut child = Command::new(std::env::current_exe().expect("this program"));
    child.args(["--exact", test, "--nocapture"]).env(INSIDE, "");
    assert!(child.status().expect("started").success(), "see above");
}

fn resize_with_little_memory() {
    let Some(mut ring) = resizable(8, 16) else {
        return;
    };
    push_nops(&mut ring, 0..3);
    let unlimited = address_space_limit();
    set_address_space_limit(mapped_bytes() + (256 << 10));
    let refused = ring.resize(32_768, 65_536);
    set_address_space_limit(unlimited);
    assert_eq!(refused, Err(Errno::ENOMEM));
    assert_eq!(sizes(&ring), (8, 16));
    assert_eq!(ring.enter(3, None), Ok(3));
    assert_eq!(ring.cq_ready(), 3);
    assert_eq!(ring.resize(32_768, 65_536), Ok(()));
    assert_eq!(pop_all(&mut ring), [0, 1, 2]);
}

fn mapped_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").expect("statm");
    let pages: u64 = text
        .split_whitespace()
        .next()
        .and_then(|pages| pages.parse().ok())
        .expect("a number of pages");
    // SAFETY: without a condition.
    let page_bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    pages * u64::try_from(page_bytes).expect("a size")
}

fn address_space_limit() -> u64 {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: `limit` may be written to.
    let done = unsafe { libc::getrlimit(libc::RLIMIT_AS, &raw mut limit) };
    assert_eq!(done, 0);
    limit.rlim_cur
}

fn set_address_space_limit(bytes: u64) {
    let limit = libc::rlimit {
        rlim_cur: bytes,
        rlim_max: libc::RLIM_INFINITY,
    };
    // SAFETY: `limit` is read only.
    let done = unsafe { libc::setrlimit(libc::RLIMIT_AS, &raw const limit) };
    assert_eq!(done, 0);
}
