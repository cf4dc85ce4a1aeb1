//! Entries of 128 and completions of 32 bytes, alone and mixed with the plain ones.

use std::io::Write;
use std::os::fd::AsRawFd;

use annulus_ring::{
    BufRing, COMMAND_BYTES, Cqe, Cqe32, Errno, Mask, MixedCqe, MixedCqes, MixedSqes, Opcode, Probe,
    Ring, RingConfig, Sqe, Sqe128,
};
use annulus_syscalls::io_uring::flags::rw::IORING_NOP_CQE32;
use annulus_syscalls::io_uring::setup;

use super::{if_known, nop_works, push_nop, skip, small};

/// Turns the NOP of this entry into one with a completion of 32 bytes, which ends in `extra`.
fn widen(sqe: &mut Sqe, extra: [u64; 2]) {
    // SAFETY: a NOP is lent no memory, whatever its numbers.
    let raw = unsafe { sqe.as_raw_mut() };
    raw.op_flags = IORING_NOP_CQE32;
    [raw.off, raw.addr] = extra;
}

/// Runs one NOP with a wide completion; `None` where the kernel has no such NOP.
fn wide_nop(ring: &mut Ring<Sqe, MixedCqes>, user_data: u64) -> Option<MixedCqe> {
    let sqe = ring.get_sqe().expect("room");
    sqe.prep_nop().set_user_data(user_data);
    widen(sqe, [user_data + 1, user_data + 2]);
    ring.submit_and_wait(1).expect("submitted");
    let cqe = ring.pop().expect("waited for");
    if cqe.result() == Err(Errno::EINVAL) {
        skip("a NOP with a completion of 32 bytes needs Linux 6.18");
        return None;
    }
    Some(cqe)
}

fn mixed(sq_entries: u32, cq_entries: u32) -> Option<Ring<Sqe, MixedCqes>> {
    let config = RingConfig {
        sq_entries,
        cq_entries,
        ..RingConfig::default()
    };
    if_known(Ring::with_entries(&config), "CQE_MIXED", "6.18")
}

#[test]
fn entries_of_128_bytes_keep_their_order_and_wrap() {
    let mut ring = Ring::<Sqe128>::with_entries(&small()).expect("a ring");
    assert_ne!(ring.setup_flags() & setup::IORING_SETUP_SQE128, 0);
    for round in 0..40 {
        let count = 1 + round % 8;
        for user_data in 0..count {
            push_nop(&mut ring, user_data);
        }
        assert_eq!(ring.submit_and_wait(count as u32), Ok(count as u32));
        for user_data in 0..count {
            assert_eq!(ring.pop().expect("ready").user_data(), user_data);
        }
    }
}

#[test]
fn an_entry_of_128_bytes_is_zeroed_when_it_is_handed_out_again() {
    let config = RingConfig {
        sq_entries: 1,
        ..small()
    };
    let mut ring = Ring::<Sqe128>::with_entries(&config).expect("a ring");
    let sqe = ring.get_sqe().expect("room");
    // SAFETY: there is no such descriptor, so no command runs.
    unsafe { sqe.prep_uring_cmd128(1, -1, 0, &[7; COMMAND_BYTES]) };
    ring.submit_and_wait(1).expect("submitted");
    assert_eq!(ring.pop().expect("waited for").result(), Err(Errno::EBADF));
    assert_eq!(ring.get_sqe().expect("room"), &Sqe128::new());
}

#[test]
fn a_command_of_80_bytes_reaches_its_file() {
    let null = std::fs::File::open("/dev/null").expect("opened");
    let mut ring = Ring::<Sqe128, Cqe32>::with_entries(&small()).expect("a ring");
    let sqe = ring.get_sqe().expect("room");
    sqe.set_user_data(5);
    // SAFETY: the null device takes every command and does nothing.
    unsafe { sqe.prep_uring_cmd128(1, null.as_raw_fd(), 0, &[7; COMMAND_BYTES]) };
    ring.submit_and_wait(1).expect("submitted");
    let cqe = ring.pop().expect("waited for");
    assert_eq!((cqe.user_data(), cqe.result()), (5, Ok(0)));
}

#[test]
fn completions_of_32_bytes_carry_two_words_more() {
    let config = RingConfig {
        cq_entries: 8,
        ..small()
    };
    let mut ring = Ring::<Sqe, Cqe32>::with_entries(&config).expect("a ring");
    assert_ne!(ring.setup_flags() & setup::IORING_SETUP_CQE32, 0);
    for user_data in 0..50 {
        nop_works(&mut ring);
        let sqe = ring.get_sqe().expect("room");
        sqe.prep_nop().set_user_data(user_data);
        widen(sqe, [user_data << 32, u64::MAX - user_data]);
        ring.submit_and_wait(1).expect("submitted");
        let cqe = ring.pop().expect("waited for");
        if cqe.result() == Err(Errno::EINVAL) {
            return skip("a NOP with a completion of 32 bytes needs Linux 6.18");
        }
        assert_eq!((cqe.user_data(), cqe.result()), (user_data, Ok(0)));
        assert_eq!(cqe.extra(), [user_data << 32, u64::MAX - user_data]);
    }
}

#[test]
fn a_plain_ring_refuses_completions_of_32_bytes() {
    let mut ring = Ring::new(&small()).expect("a ring");
    let sqe = ring.get_sqe().expect("room");
    sqe.prep_nop();
    widen(sqe, [1, 2]);
    ring.submit_and_wait(1).expect("submitted");
    assert_eq!(ring.pop().expect("waited for").result(), Err(Errno::EINVAL));
}

#[test]
fn an_overflowing_cq_of_32_bytes_loses_nothing() {
    let config = RingConfig {
        sq_entries: 4,
        cq_entries: 4,
        ..small()
    };
    let mut ring = Ring::<Sqe, Cqe32>::with_entries(&config).expect("a ring");
    for user_data in 0..32 {
        let sqe = ring.get_sqe().expect("room");
        sqe.prep_nop().set_user_data(user_data);
        widen(sqe, [user_data, !user_data]);
        ring.submit().expect("submitted");
    }
    assert!(ring.cq_overflowed());
    let mut seen = 0;
    while seen < 32 {
        ring.enter(1, None).expect("the rest is brought");
        while let Some(cqe) = ring.pop() {
            if cqe.result() == Err(Errno::EINVAL) {
                return skip("a NOP with a completion of 32 bytes needs Linux 6.18");
            }
            assert_eq!(cqe.user_data(), seen);
            assert_eq!(cqe.extra(), [seen, !seen]);
            seen += 1;
        }
    }
    assert_eq!(ring.cq_lost(), 0);
}

#[test]
fn a_mixed_cq_tells_which_completions_are_wide() {
    let Some(mut ring) = mixed(8, 0) else { return };
    assert_ne!(ring.setup_flags() & setup::IORING_SETUP_CQE_MIXED, 0);
    nop_works(&mut ring);
    let Some(cqe) = wide_nop(&mut ring, 5) else {
        return;
    };
    assert!(matches!(cqe, MixedCqe::Wide(_)));
    assert_eq!((cqe.user_data(), cqe.slots()), (5, 2));
    assert_eq!(cqe.extra(), Some([6, 7]));
    push_nop(&mut ring, 6);
    ring.submit_and_wait(1).expect("submitted");
    let cqe = ring.pop().expect("waited for");
    assert!(matches!(cqe, MixedCqe::Plain(_)));
    assert_eq!((cqe.user_data(), cqe.slots(), cqe.extra()), (6, 1, None));
}

#[test]
fn gaps_at_the_end_of_a_mixed_cq_are_passed_over() {
    // 7 of 8 slots are taken by every pattern of this test at some offset, so that a wide
    // completion meets the last slot again and again.
    let Some(mut ring) = mixed(8, 8) else { return };
    let (mut gaps, mut wide) = (0, 0);
    for round in 0..64 {
        let slots_before = ring.cq_ready();
        assert_eq!(slots_before, 0);
        for _ in 0..round % 3 {
            nop_works(&mut ring);
        }
        let sqe = ring.get_sqe().expect("room");
        sqe.prep_nop().set_user_data(round);
        widen(sqe, [round, round]);
        ring.submit_and_wait(1).expect("submitted");
        let slots = ring.cq_ready();
        let cqe = ring.pop().expect("waited for");
        if cqe.result() == Err(Errno::EINVAL) {
            return skip("a NOP with a completion of 32 bytes needs Linux 6.18");
        }
        assert_eq!(cqe.user_data(), round);
        assert_eq!(cqe.extra(), Some([round; 2]));
        wide += 1;
        gaps += u32::from(slots == 3);
        assert!(slots == 2 || slots == 3, "{slots}");
        assert!(ring.pop().is_none());
    }
    assert!(gaps >= 5, "{gaps} gaps among {wide} wide completions");
}

#[test]
fn an_overflowing_mixed_cq_loses_nothing_and_keeps_the_order() {
    let Some(mut ring) = mixed(4, 8) else { return };
    if wide_nop(&mut ring, 0).is_none() {
        return;
    }
    let total = 60;
    for user_data in 0..total {
        push_nop_of(&mut ring, user_data);
        ring.submit().expect("submitted");
    }
    assert!(ring.cq_overflowed());
    let mut seen = 0;
    while seen < total {
        ring.enter(1, None).expect("the rest is brought");
        let mut cqes = [MixedCqe::default(); 3];
        let reaped = ring.reap(&mut cqes);
        for cqe in &cqes[..reaped] {
            assert_eq!(cqe.user_data(), seen);
            let extra = (seen % 3 == 0).then_some([seen, seen + 1]);
            assert_eq!(cqe.extra(), extra);
            seen += 1;
        }
    }
    assert_eq!(ring.cq_lost(), 0);
}

/// Every third completion is wide.
fn push_nop_of(ring: &mut Ring<Sqe, MixedCqes>, user_data: u64) {
    let sqe = ring.get_sqe().expect("room");
    sqe.prep_nop().set_user_data(user_data);
    if user_data.is_multiple_of(3) {
        widen(sqe, [user_data, user_data + 1]);
    }
}

#[test]
fn both_sizes_of_completions_in_one_ring_exclude_a_ring_of_one_wide_size() {
    // The types leave no way to ask for CQE32 and CQE_MIXED at once; a CQ of one slot has no room
    // for a wide completion.
    let config = RingConfig {
        sq_entries: 1,
        cq_entries: 1,
        ..small()
    };
    let made = Ring::<Sqe, MixedCqes>::with_entries(&config);
    assert!(made.is_err());
}

#[test]
fn entries_of_two_slots_run_between_plain_ones_and_never_go_round_the_end() {
    let made = Ring::<MixedSqes>::with_entries(&small());
    let Some(mut ring) = if_known(made, "SQE_MIXED", "6.19") else {
        return;
    };
    for round in 0..100 {
        push_nop(&mut ring, 2 * round);
        let sqe = ring.get_sqe128().expect("room");
        sqe.prep_nop128().set_user_data(2 * round + 1);
        let queued = ring.sq_queued();
        assert_eq!(ring.submit_and_wait(2), Ok(queued));
        for user_data in [2 * round, 2 * round + 1] {
            let cqe = ring.pop().expect("two are ready");
            assert_eq!((cqe.user_data(), cqe.result()), (user_data, Ok(0)));
        }
        assert!(ring.pop().is_none());
    }
}

#[test]
fn a_command_of_two_slots_reaches_its_file() {
    let made = Ring::<MixedSqes>::with_entries(&small());
    let Some(mut ring) = if_known(made, "SQE_MIXED", "6.19") else {
        return;
    };
    let null = std::fs::File::open("/dev/null").expect("opened");
    let sqe = ring.get_sqe128().expect("room");
    sqe.set_user_data(5);
    // SAFETY: the null device takes every command and does nothing.
    unsafe { sqe.prep_uring_cmd128(1, null.as_raw_fd(), 0, &[7; COMMAND_BYTES]) };
    ring.submit_and_wait(1).expect("submitted");
    let cqe = ring.pop().expect("waited for");
    assert_eq!((cqe.user_data(), cqe.result()), (5, Ok(0)));
}

#[test]
fn wide_entries_are_never_given_up_on_an_older_kernel() {
    let config = RingConfig {
        mask: Mask::V6_12,
        ..small()
    };
    let refused = Ring::<Sqe, MixedCqes>::with_entries(&config);
    assert_eq!(refused.map(drop), Err(Errno::EINVAL));
    let refused = Ring::<MixedSqes, Cqe>::with_entries(&config);
    assert_eq!(refused.map(drop), Err(Errno::EINVAL));
    let granted = Ring::<Sqe128, Cqe32>::with_entries(&config);
    nop_works(&mut granted.expect("since 5.19"));
}

#[test]
fn all_entries_of_every_size_work_with_every_other_mode() {
    for pinned in [false, true] {
        for no_sqarray in [false, true] {
            let config = RingConfig {
                pinned,
                no_sqarray,
                ..small()
            };
            nop_works(&mut Ring::<Sqe128, Cqe>::with_entries(&config).expect("a ring"));
            nop_works(&mut Ring::<Sqe, Cqe32>::with_entries(&config).expect("a ring"));
            nop_works(&mut Ring::<Sqe128, Cqe32>::with_entries(&config).expect("a ring"));
            let made = Ring::<Sqe128, MixedCqes>::with_entries(&config);
            if let Some(mut ring) = if_known(made, "CQE_MIXED", "6.18") {
                nop_works(&mut ring);
            }
        }
    }
}

#[test]
fn registrations_and_buffer_rings_serve_rings_of_wide_entries_too() {
    let mut ring = Ring::<Sqe128, Cqe32>::with_entries(&small()).expect("a ring");
    let probe = Probe::of(&ring).expect("probed");
    assert!(probe.supports(Opcode::URING_CMD));
    ring.register_ring_fd().expect("registered");
    let bufs = BufRing::new(&ring, 1, 4, 64).expect("a buffer ring");
    let (reader, writer) = std::io::pipe().expect("a pipe");
    (&writer).write_all(b"wide").expect("written");
    let sqe = ring.get_sqe().expect("room");
    // SAFETY: the group stays until the completion has come.
    unsafe { sqe.prep_read_select(reader.as_raw_fd(), 64, 0, 1) };
    ring.submit_and_wait(1).expect("submitted");
    let cqe = ring.pop().expect("waited for");
    assert_eq!(cqe.result(), Ok(4));
    assert!(cqe.buffer_id().is_some());
    drop(bufs);
}
