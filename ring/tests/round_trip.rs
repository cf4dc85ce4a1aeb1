//! One operation there and back.

use std::fs::File;
use std::os::fd::AsRawFd;

use annulus_ring::{Cqe, Errno, Kernel, Mask, Opcode, Ring, RingConfig};

fn ring() -> Ring {
    Ring::new(&RingConfig::default()).expect("a ring")
}

#[test]
fn a_nop_comes_back_with_its_user_data() {
    let mut ring = ring();
    assert!(ring.pop().is_none());
    ring.get_sqe().expect("room").prep_nop().set_user_data(7);
    assert_eq!(ring.sq_queued(), 1);
    assert_eq!(ring.submit_and_wait(1), Ok(1));
    assert_eq!(ring.sq_queued(), 0);
    let cqe = ring.pop().expect("waited for");
    assert_eq!(cqe, Cqe::synthetic(7, 0, 0));
    assert!(ring.pop().is_none());
}

#[test]
fn a_read_fills_the_buffer_it_was_lent() {
    let mut ring = ring();
    let file = File::open("/dev/zero").expect("/dev/zero");
    let mut buf = [1_u8; 64];
    let sqe = ring.get_sqe().expect("room");
    // SAFETY: `buf` outlives the completion, which is waited for below.
    unsafe { sqe.prep_read(file.as_raw_fd(), buf.as_mut_ptr(), 64, 0) };
    ring.submit_and_wait(1).expect("submitted");
    assert_eq!(ring.pop().expect("waited for").result(), Ok(64));
    assert_eq!(buf, [0; 64]);
}

#[test]
fn a_failure_is_an_errno() {
    let mut ring = ring();
    ring.get_sqe().expect("room").prep_close(-1);
    ring.submit_and_wait(1).expect("submitted");
    let cqe = ring.pop().expect("waited for");
    assert_eq!(cqe.result(), Err(Errno::EBADF));
    assert_eq!(cqe.res(), -Errno::EBADF.raw());
}

#[test]
fn the_kernel_opens_rings_and_enters_them() {
    let kernel = Kernel::uring(Mask::NONE).expect("io_uring");
    assert!(kernel.supports(Opcode::RECV));
    let mut ring = kernel.open(&RingConfig::default()).expect("a ring");
    ring.get_sqe().expect("room").prep_nop();
    assert_eq!(kernel.enter(&mut ring, 1, None), Ok(1));
    assert_eq!(ring.cq_ready(), 1);
}
