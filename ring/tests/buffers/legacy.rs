//! Buffers that are handed over by entries, the way before buffer rings.

use std::fs::File;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;

use annulus_ring::{BufRing, Errno, Opcode, Ring, SqeFlags};

use super::{GROUP, ring, wait};

const COUNT: u16 = 4;
const LEN: u32 = 16;

/// Hands over `count` buffers of the memory, ids from `first` on.
fn provide(ring: &mut Ring, memory: &mut [u8], first: u16, count: u16) {
    let sqe = ring.get_sqe().expect("room");
    // SAFETY: each test keeps the memory until its ring is dropped, and nothing is under way then.
    unsafe { sqe.prep_provide_buffers(memory.as_mut_ptr(), LEN, count, GROUP, first) };
    ring.submit_and_wait(1).expect("submitted");
    assert_eq!(wait(ring).result(), Ok(0));
}

fn read_zeros(ring: &mut Ring, zeros: &File) -> (Result<u32, Errno>, Option<u16>) {
    let sqe = ring.get_sqe().expect("room");
    // SAFETY: as in `provide`.
    unsafe { sqe.prep_read_select(zeros.as_raw_fd(), LEN, 0, GROUP) };
    ring.submit_and_wait(1).expect("submitted");
    let cqe = wait(ring);
    (cqe.result(), cqe.buffer_id())
}

#[test]
fn each_read_takes_the_next_provided_buffer_until_there_is_none() {
    let mut ring = ring();
    let mut memory = [0xff_u8; LEN as usize * COUNT as usize];
    let zeros = File::open("/dev/zero").expect("zeros");
    provide(&mut ring, &mut memory, 0, COUNT);
    for id in 0..COUNT {
        assert_eq!(read_zeros(&mut ring, &zeros), (Ok(LEN), Some(id)));
    }
    assert_eq!(memory, [0; LEN as usize * COUNT as usize]);
    assert_eq!(read_zeros(&mut ring, &zeros), (Err(Errno::ENOBUFS), None));
    // Provided again, a buffer is taken again.
    let at = LEN as usize * 2;
    provide(&mut ring, &mut memory[at..], 2, 1);
    assert_eq!(read_zeros(&mut ring, &zeros), (Ok(LEN), Some(2)));
}

#[test]
fn removed_buffers_are_not_taken_any_more() {
    let mut ring = ring();
    let mut memory = [0_u8; LEN as usize * COUNT as usize];
    let zeros = File::open("/dev/zero").expect("zeros");
    provide(&mut ring, &mut memory, 0, COUNT);
    ring.get_sqe().expect("room").prep_remove_buffers(3, GROUP);
    ring.submit_and_wait(1).expect("submitted");
    assert_eq!(wait(&mut ring).result(), Ok(3), "how many were removed");
    assert_eq!(read_zeros(&mut ring, &zeros).0, Ok(LEN));
    assert_eq!(read_zeros(&mut ring, &zeros), (Err(Errno::ENOBUFS), None));
}

#[test]
fn receives_take_provided_buffers_in_order_and_one_enter_reaps_four() {
    let mut ring = ring();
    let mut memory = [0_u8; LEN as usize * COUNT as usize];
    provide(&mut ring, &mut memory, 0, COUNT);
    let (mut ours, theirs) = UnixStream::pair().expect("a pair");
    // 1. Four receives wait; each names the group where a plain one has its memory.
    for user_data in 0..u64::from(COUNT) {
        let sqe = ring.get_sqe().expect("room");
        // SAFETY: as in `provide`.
        unsafe { sqe.prep_recv_select(theirs.as_raw_fd(), LEN, 0, GROUP) };
        sqe.set_user_data(user_data);
        assert_eq!(sqe.opcode(), Opcode::RECV);
        assert!(sqe.flags().contains(SqeFlags::BUFFER_SELECT));
        assert_eq!((sqe.as_raw().addr, sqe.as_raw().buf_index), (0, GROUP));
        ring.submit().expect("submitted");
        ours.write_all(&[b'a' + user_data as u8; LEN as usize])
            .expect("written");
    }
    ring.enter(u32::from(COUNT), None).expect("entered");
    // 2. All four have completed, each in a buffer of its own.
    let mut ids = Vec::new();
    for _ in 0..COUNT {
        let cqe = ring.pop().expect("waited for four");
        assert_eq!(cqe.result(), Ok(LEN));
        ids.push(cqe.buffer_id().expect("a buffer"));
    }
    assert_eq!(ids, [0, 1, 2, 3]);
    assert_eq!(
        memory
            .chunks(LEN as usize)
            .map(|buf| buf[0])
            .collect::<Vec<_>>(),
        b"abcd"
    );
    // 3. The fifth finds none; a buffer that comes back serves the sixth.
    ours.write_all(&[b'e'; LEN as usize]).expect("written");
    let recv = |ring: &mut Ring| {
        let sqe = ring.get_sqe().expect("room");
        // SAFETY: as in `provide`.
        unsafe { sqe.prep_recv_select(theirs.as_raw_fd(), LEN, 0, GROUP) };
        ring.submit_and_wait(1).expect("submitted");
        wait(ring)
    };
    assert_eq!(recv(&mut ring).result(), Err(Errno::ENOBUFS));
    provide(&mut ring, &mut memory, 0, 1);
    let last = recv(&mut ring);
    assert_eq!((last.result(), last.buffer_id()), (Ok(LEN), Some(0)));
    assert_eq!(memory[0], b'e');
}

#[test]
fn a_legacy_group_that_is_empty_becomes_a_buffer_ring_and_a_full_one_does_not() {
    let mut ring = ring();
    let mut memory = [0_u8; LEN as usize];
    provide(&mut ring, &mut memory, 0, 1);
    assert_eq!(
        BufRing::new(&ring, GROUP, 1, LEN).map(drop),
        Err(Errno::EEXIST),
        "it has a buffer"
    );
    let zeros = File::open("/dev/zero").expect("zeros");
    assert_eq!(read_zeros(&mut ring, &zeros), (Ok(LEN), Some(0)));
    let upgraded = BufRing::new(&ring, GROUP, 1, LEN).expect("it is empty");
    assert_eq!(read_zeros(&mut ring, &zeros), (Ok(LEN), Some(0)));
    // What it was before does not work on it.
    let sqe = ring.get_sqe().expect("room");
    // SAFETY: as in `provide`.
    unsafe { sqe.prep_provide_buffers(memory.as_mut_ptr(), LEN, 1, GROUP, 0) };
    ring.submit_and_wait(1).expect("submitted");
    assert_eq!(wait(&mut ring).result(), Err(Errno::EINVAL));
    ring.get_sqe().expect("room").prep_remove_buffers(1, GROUP);
    ring.submit_and_wait(1).expect("submitted");
    assert_eq!(wait(&mut ring).result(), Err(Errno::EINVAL));
    assert_eq!(upgraded.unregister(), Ok(()));
}
