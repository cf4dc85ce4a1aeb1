//! Registered buffers that own their memory, as slices and as lent to operations.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::thread;

use annulus_ring::{BufferPool, BufferTable, Errno, Opcode, Ring, Sqe, SqeFlags};
use annulus_syscalls::io_uring::flags::net::IORING_RECVSEND_FIXED_BUF;

use super::buffers::{one_lent, pattern};
use super::{assert_quiet, file_with, has, next, next_sorted, pipe, queue, ring, run};

#[test]
fn what_one_buffer_wrote_another_reads() {
    let mut ring = ring();
    let pool = BufferPool::new(&ring, 2, 4096).expect("registered");
    assert_eq!((pool.count(), pool.size_bytes()), (2, 4096));
    let file = file_with(b"");
    let mut out = pool.claim().expect("free");
    out[..6].copy_from_slice(b"foobar");
    let mut back = pool.claim().expect("free");
    back.fill(b'z');
    assert!(pool.claim().is_none());
    let (out, back) = (out.lend(), back.lend());
    let cqe = run(&mut ring, |sqe| {
        out.prep_write(sqe, file.as_raw_fd(), 0..6, 3);
    });
    assert_eq!(cqe.res(), 6);
    let cqe = run(&mut ring, |sqe| {
        back.prep_read(sqe, file.as_raw_fd(), 0..4096, 0);
    });
    assert_eq!(cqe.res(), 9);
    // SAFETY: the read has completed.
    let back = unsafe { back.land() };
    assert_eq!(&back[..10], b"\0\0\0foobarz");
    // SAFETY: the write has completed.
    drop(unsafe { out.land() });
    assert_eq!(pool.claim().expect("given back").index(), 0);
}

#[test]
fn a_table_that_goes_leaves_its_memory_to_operations_under_way() {
    let mut ring = ring();
    let (reader, mut writer) = pipe();
    let (pool, lent) = one_lent(&ring, 64);
    queue(&mut ring, |sqe| {
        lent.prep_read(sqe, reader.as_raw_fd(), 0..64, u64::MAX);
    });
    assert_quiet(&mut ring);
    drop(pool); // the lent buffer keeps table and memory
    writer.write_all(b"late").expect("written");
    assert_eq!(next(&mut ring).res(), 4);
    // SAFETY: the read has completed.
    let buf = unsafe { lent.land() };
    assert_eq!(&buf[..4], b"late");
    drop(buf);
    assert!(
        BufferTable::sparse(&ring, 1).is_ok(),
        "unregistered with the last buffer"
    );
}

#[test]
fn a_lent_buffer_that_is_dropped_is_never_handed_out_again() {
    let ring = ring();
    let pool = BufferPool::new(&ring, 2, 64).expect("registered");
    drop(pool.claim().expect("free").lend());
    let other = pool.claim().expect("free");
    assert_eq!(other.index(), 1);
    assert!(pool.claim().is_none());
    drop((other, pool));
    assert_eq!(
        BufferTable::sparse(&ring, 1).map(drop),
        Err(Errno::EBUSY),
        "leaked"
    );
}

#[test]
#[should_panic(expected = "a buffer has no more bytes")]
fn a_range_beyond_the_buffer_is_a_panic() {
    let ring = ring();
    let (_pool, lent) = one_lent(&ring, 64);
    lent.prep_read(&mut Sqe::new(), 0, 60..65, 0);
}

#[test]
fn linked_operations_share_registered_buffers() {
    let mut ring = ring();
    let pool = BufferPool::new(&ring, 2, 128).expect("registered");
    let file = file_with(b"");
    let mut one = pool.claim().expect("free");
    one.copy_from_slice(&pattern(128));
    let (one, two) = (one.lend(), pool.claim().expect("free").lend());
    let fd = file.as_raw_fd();
    // one -> file -> two -> file, behind the first -> one
    queue(&mut ring, |sqe| {
        one.prep_write(sqe, fd, 0..128, 0)
            .add_flags(SqeFlags::IO_LINK)
            .set_user_data(1);
    });
    queue(&mut ring, |sqe| {
        two.prep_read(sqe, fd, 0..128, 0)
            .add_flags(SqeFlags::IO_LINK)
            .set_user_data(2);
    });
    queue(&mut ring, |sqe| {
        two.prep_write(sqe, fd, 64..128, 128)
            .add_flags(SqeFlags::IO_LINK)
            .set_user_data(3);
    });
    queue(&mut ring, |sqe| {
        one.prep_read(sqe, fd, 0..64, 128).set_user_data(4);
    });
    let done = next_sorted(&mut ring, 4);
    assert_eq!(done, [(1, 128), (2, 128), (3, 64), (4, 64)]);
    // SAFETY: all have completed.
    let one = unsafe { one.land() };
    // SAFETY: as above.
    let two = unsafe { two.land() };
    assert_eq!(two[..], pattern(128));
    assert_eq!(one[..64], pattern(128)[64..]);
}

fn connection() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let client = TcpStream::connect(listener.local_addr().expect("bound")).expect("connected");
    let (server, _) = listener.accept().expect("accepted");
    (client, server)
}

/// The result of a zero-copy send, after its notification.
fn sent(ring: &mut Ring, prep: impl FnOnce(&mut Sqe)) -> Result<u32, Errno> {
    let cqe = run(ring, prep);
    if cqe.more() {
        assert!(next(ring).notif());
    }
    cqe.result()
}

#[test]
fn a_zero_copy_send_uses_a_registered_buffer() {
    let mut ring = ring();
    if !has(&ring, Opcode::SEND_ZC) {
        return;
    }
    let (client, mut server) = connection();
    let pool = BufferPool::new(&ring, 1, 8192).expect("registered");
    let mut buf = pool.claim().expect("free");
    buf.copy_from_slice(&pattern(8192));
    let lent = buf.lend();
    let fd = client.as_raw_fd();
    let result = sent(&mut ring, |sqe| {
        lent.prep_send_zc(sqe, fd, 100..8192, 0);
    });
    assert_eq!(result, Ok(8092));
    let mut received = vec![0; 8092];
    server.read_exact(&mut received).expect("received");
    assert!(received == pattern(8192)[100..]);
    // Memory that is not in the slot.
    let result = sent(&mut ring, |sqe| {
        let start = lent.start().as_ptr();
        // SAFETY: the kernel refuses what is beyond the lent buffer.
        unsafe { sqe.prep_send_zc_fixed(fd, start, 8193, 0, 0, 0) };
    });
    assert_eq!(result, Err(Errno::EFAULT));
    // SAFETY: the notification has come.
    drop(unsafe { lent.land() });
}

#[test]
fn a_zero_copy_message_takes_vectors_of_a_registered_buffer() {
    let mut ring = ring();
    // The vectors came with READV_FIXED.
    if !has(&ring, Opcode::READV_FIXED) {
        return;
    }
    let (client, mut server) = connection();
    let (_pool, lent) = one_lent(&ring, 4096);
    let start = lent.start().as_ptr();
    // SAFETY: inside the lent buffer, which no operation uses yet.
    unsafe { start.copy_from(b"onetwo".as_ptr(), 6) };
    let part = |offset: usize| libc::iovec {
        iov_base: start.wrapping_add(offset).cast(),
        iov_len: 3,
    };
    let mut parts = [part(3), part(0)];
    // SAFETY: zero is a value of every field.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = parts.as_mut_ptr();
    message.msg_iovlen = 2;
    let fd = client.as_raw_fd();
    let result = sent(&mut ring, |sqe| {
        let message = (&raw const message).cast();
        // SAFETY: message and buffer stay until the notification, which `sent` waits for.
        let sqe = unsafe { sqe.prep_sendmsg_zc(fd, message, 0, IORING_RECVSEND_FIXED_BUF) };
        // SAFETY: the index is that of the lent buffer.
        unsafe { sqe.as_raw_mut() }.buf_index = lent.index();
    });
    assert_eq!(result, Ok(6));
    let mut received = [0; 6];
    server.read_exact(&mut received).expect("received");
    assert_eq!(&received, b"twoone");
    // SAFETY: the notification has come.
    drop(unsafe { lent.land() });
}

#[test]
fn a_pool_is_used_from_other_threads() {
    let mut ring = ring();
    let pool = BufferPool::new(&ring, 8, 64).expect("registered");
    let buffers: Vec<_> = thread::scope(|scope| {
        let claims: Vec<_> = (0..8_u8)
            .map(|n| {
                let pool = &pool;
                scope.spawn(move || {
                    let mut buf = pool.claim().expect("eight for eight");
                    buf.fill(n);
                    (n, buf)
                })
            })
            .collect();
        claims
            .into_iter()
            .map(|claim| claim.join().expect("no panic"))
            .collect()
    });
    let file = file_with(b"");
    for (n, buf) in buffers {
        let lent = buf.lend();
        let cqe = run(&mut ring, |sqe| {
            lent.prep_write(sqe, file.as_raw_fd(), 0..64, 64 * u64::from(n));
        });
        assert_eq!(cqe.res(), 64);
        // SAFETY: the write has completed.
        drop(unsafe { lent.land() });
    }
    let mut written = [0; 512];
    file.read_exact_at(&mut written, 0).expect("written");
    assert!((0..512).all(|i| usize::from(written[i]) == i / 64));
}
