//! The two queues: their layout, one entry there and back, and the wrap.

use annulus_ring::{Cqe, Errno, Opcode, Ring, RingConfig, SqeFlags};
use annulus_syscalls::io_uring::queue::{IORING_OFF_CQ_RING, IORING_OFF_SQ_RING, IORING_OFF_SQES};
use annulus_syscalls::io_uring::{io_uring_cqe, io_uring_params, io_uring_sqe};

use crate::support::{collect, push};

fn ring_of(sq_entries: u32, cq_entries: u32) -> Result<Ring, Errno> {
    Ring::new(&RingConfig {
        sq_entries,
        cq_entries,
        ..RingConfig::default()
    })
}

#[test]
fn structs_and_offsets_are_the_kernel_s_and_entries_are_counted_in_powers_of_two() {
    let sizes = [
        size_of::<io_uring_params>(),
        size_of::<io_uring_sqe>(),
        size_of::<io_uring_cqe>(),
    ];
    assert_eq!(sizes, [120, 64, 16]);
    let offsets = [IORING_OFF_SQ_RING, IORING_OFF_CQ_RING, IORING_OFF_SQES];
    assert_eq!(offsets, [0, 0x800_0000, 0x1000_0000]);
    assert_eq!(ring_of(0, 0).map(drop), Err(Errno::EINVAL));
    let rounded = ring_of(3, 0).expect("a ring");
    assert_eq!((rounded.sq_capacity(), rounded.cq_capacity()), (4, 8));
}

#[test]
fn a_nop_is_counted_on_its_way_and_leaves_the_descriptor_free_when_the_ring_goes() {
    let mut ring = ring_of(1, 0).expect("a ring");
    // 1. Filled, not yet submitted: counted as queued, and the SQ of one is full.
    let sqe = ring.get_sqe().expect("empty");
    sqe.prep_nop().set_user_data(0xaaaa_aaaa);
    let expected = io_uring_sqe {
        opcode: Opcode::NOP.0,
        fd: -1,
        user_data: 0xaaaa_aaaa,
        ..io_uring_sqe::default()
    };
    assert_eq!(*sqe.as_raw(), expected);
    assert_eq!((ring.sq_queued(), ring.sq_space_left()), (1, 0));
    assert!(ring.get_sqe().is_none());
    assert_eq!(ring.cq_ready(), 0);
    // 2. Submitted: the entry is the kernel's, the completion is there.
    assert_eq!(ring.submit(), Ok(1));
    assert_eq!((ring.sq_queued(), ring.sq_space_left()), (0, 1));
    assert_eq!(ring.cq_ready(), 1);
    assert_eq!(ring.pop(), Some(Cqe::synthetic(0xaaaa_aaaa, 0, 0)));
    assert_eq!(ring.cq_ready(), 0);
    // 3. One that waits for all before it works too.
    push(&mut ring, 0xbbbb_bbbb, |sqe| {
        sqe.prep_nop().add_flags(SqeFlags::IO_DRAIN)
    });
    assert_eq!(ring.submit_and_wait(1), Ok(1));
    assert_eq!(ring.pop(), Some(Cqe::synthetic(0xbbbb_bbbb, 0, 0)));
    assert_eq!((ring.sq_dropped(), ring.cq_lost()), (0, 0));
    // 4. Whoever still has a reference to the ring finds it closed.
    let reference = ring.ring_ref();
    drop(ring);
    assert_eq!(reference.sync_cancel(1, None), Err(Errno::EBADF));
}

#[test]
fn popping_across_the_wrap_keeps_the_order_and_the_counts_for_many_rounds() {
    let mut ring = ring_of(2, 4).expect("a ring");
    let (mut sent, mut seen) = (0, 0);
    let mut wraps = 0;
    for _ in 0..1000 {
        // Three of four slots each round, so that the batch begins at each of them in turn.
        for _ in 0..3 {
            if ring.sq_space_left() == 0 {
                ring.submit().expect("submitted");
            }
            push(&mut ring, sent, |sqe| sqe.prep_nop());
            sent += 1;
        }
        ring.submit_and_wait(3).expect("submitted");
        for left in (0..3).rev() {
            let cqe = ring.pop().expect("three are ready");
            assert_eq!((cqe.user_data(), ring.cq_ready()), (seen, left));
            seen += 1;
        }
        assert!(ring.pop().is_none());
        wraps += u32::from(seen % 4 < 3);
    }
    assert_eq!(seen, 3000);
    assert!(wraps >= 700, "{wraps} batches went across the wrap");
    assert!(!ring.cq_overflowed());
    assert_eq!(ring.cq_lost(), 0);
}

#[test]
fn a_full_sq_hands_out_nothing_and_everything_queued_comes_back_in_order() {
    let mut ring = ring_of(8, 16).expect("a ring");
    for user_data in 0..8 {
        push(&mut ring, user_data, |sqe| sqe.prep_nop());
    }
    assert!(ring.get_sqe().is_none());
    let order: Vec<_> = collect(&mut ring, 8).iter().map(Cqe::user_data).collect();
    assert_eq!(order, (0..8).collect::<Vec<_>>());
}

#[test]
fn a_completion_tells_what_its_flags_say() {
    use annulus_syscalls::io_uring::cqe_flags as flag;
    let plain = Cqe::synthetic(7, 3, 0);
    assert_eq!((plain.result(), plain.buffer_id()), (Ok(3), None));
    let all = [plain.more(), plain.notif(), plain.sock_nonempty()];
    assert_eq!((all, plain.buffer_more()), ([false; 3], false));
    let with = |flags| Cqe::synthetic(7, 3, flags);
    assert!(with(flag::IORING_CQE_F_MORE).more());
    assert!(with(flag::IORING_CQE_F_NOTIF).notif());
    assert!(with(flag::IORING_CQE_F_SOCK_NONEMPTY).sock_nonempty());
    assert!(with(flag::IORING_CQE_F_BUF_MORE).buffer_more());
    let id = 0xabcd << flag::IORING_CQE_BUFFER_SHIFT;
    assert_eq!(
        with(id).buffer_id(),
        None,
        "the flag says whether it is one"
    );
    let selected = with(id | flag::IORING_CQE_F_BUFFER);
    assert_eq!(selected.buffer_id(), Some(0xabcd));
    let failed = Cqe::failed(9, Errno::EBADF);
    assert_eq!(
        (failed.user_data(), failed.result()),
        (9, Err(Errno::EBADF))
    );
    assert_eq!(failed.res(), -Errno::EBADF.raw());
}
