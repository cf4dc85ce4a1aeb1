//! The emulated kernel waits as Linux does, and refuses what it does not do.

use std::time::{Duration, Instant};

use annulus_ring::{
    Clock, Errno, Kernel, Mask, MemRegion, RegionMemory, Ring, RingConfig, SignalSet, TimeLimit,
    Wait, WaitRegion,
};

use crate::signals::{delivered, install, mask, send_to, this_thread, with_signals};
use crate::support::{NEVER, pop_all, push_nop, wait_for};

const SHORT: Duration = Duration::from_millis(10);

fn emulated() -> Ring {
    let kernel = Kernel::emulated(Mask::NONE);
    kernel.open(&RingConfig::default()).expect("a ring")
}

#[test]
fn an_emulated_ring_waits_for_completions_or_its_limit() {
    let mut ring = emulated();
    let start = Instant::now();
    assert_eq!(ring.enter_with(&wait_for(1, SHORT)), Ok(0));
    assert!(start.elapsed() >= SHORT);
    push_nop(&mut ring, 1);
    push_nop(&mut ring, 2);
    assert_eq!(ring.wait(&Wait::default()), Ok(0));
    assert_eq!(ring.sq_queued(), 2);
    assert_eq!(ring.enter_with(&wait_for(3, SHORT)), Ok(2));
    assert_eq!(ring.wait(&wait_for(2, NEVER)), Ok(2));
    assert_eq!(pop_all(&mut ring), [1, 2]);
}

#[test]
fn an_emulated_ring_is_interrupted_by_the_signals_it_lets_through() {
    let signal = libc::SIGRTMIN() + 9;
    install(signal);
    mask(libc::SIG_BLOCK, signal);
    send_to(this_thread(), signal);
    let mut ring = emulated();
    let blocked = with_signals(wait_for(1, SHORT), SignalSet::ALL);
    assert_eq!(ring.enter_with(&blocked), Ok(0));
    assert_eq!(delivered(signal), 0);
    let through = with_signals(wait_for(1, NEVER), SignalSet::NONE);
    assert_eq!(ring.enter_with(&through), Err(Errno::EINTR));
    assert_eq!(delivered(signal), 1);
}

#[test]
fn an_emulated_ring_refuses_what_it_does_not_do_before_it_submits() {
    let mut ring = emulated();
    push_nop(&mut ring, 1);
    let newer = [
        Wait {
            min_wait: Some(SHORT),
            ..wait_for(1, NEVER)
        },
        Wait {
            limit: TimeLimit::At(SHORT),
            ..Wait::default()
        },
        Wait {
            iowait: Some(false),
            ..Wait::default()
        },
    ];
    for wait in newer {
        assert_eq!(ring.enter_with(&wait), Err(Errno::EOPNOTSUPP));
    }
    assert_eq!(ring.register_clock(Clock::Boottime), Err(Errno::EINVAL));
    assert_eq!(ring.resize(16, 0), Err(Errno::EINVAL));
    for memory in [RegionMemory::Process, RegionMemory::Kernel] {
        let region = MemRegion::register(&ring, memory, 1).map(drop);
        assert_eq!(region, Err(Errno::EINVAL));
        let waits = WaitRegion::register(&ring, memory, 1).map(drop);
        assert_eq!(waits, Err(Errno::EINVAL));
    }
    assert_eq!(ring.sq_queued(), 1);
    assert_eq!(ring.enter(1, None), Ok(1));
    assert_eq!(pop_all(&mut ring), [1]);
}
