//! Sends without copying: a result, then the notification that the memory is free again.

use std::io::{IoSlice, Read};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;

use annulus_ring::{Cqe, Errno, Opcode, Probe, Ring, SockAddr, Sqe, SqeFlags};
use annulus_syscalls::io_uring::flags::net::{
    IORING_NOTIF_USAGE_ZC_COPIED, IORING_SEND_ZC_REPORT_USAGE,
};
use annulus_syscalls::io_uring::register::op::IORING_REGISTER_BUFFERS;
use socket2::{Domain, SockRef, Socket, Type};

use super::{ring, skip, wait};

const SEND: u64 = 1;

/// A connection over loopback: ours, theirs.
fn connection() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let ours = TcpStream::connect(listener.local_addr().expect("bound")).expect("connected");
    let (theirs, _) = listener.accept().expect("accepted");
    (ours, theirs)
}

/// A connection whose receiving end has hardly any room, so that data stays with the sender.
fn narrow_connection() -> (TcpStream, TcpStream) {
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    listener.set_recv_buffer_size(2048).expect("set");
    let any: std::net::SocketAddr = "127.0.0.1:0".parse().expect("an address");
    listener.bind(&any.into()).expect("bound");
    listener.listen(1).expect("listening");
    let listener = TcpListener::from(listener);
    let ours = TcpStream::connect(listener.local_addr().expect("bound")).expect("connected");
    SockRef::from(&ours)
        .set_send_buffer_size(1 << 20)
        .expect("set");
    let (theirs, _) = listener.accept().expect("accepted");
    (ours, theirs)
}

fn submit(ring: &mut Ring, prep: impl FnOnce(&mut Sqe)) {
    let sqe = ring.get_sqe().expect("room");
    prep(sqe);
    sqe.set_user_data(SEND);
    ring.submit().expect("submitted");
}

/// The result of the send that was submitted, and its notification if there is one.
fn outcome(ring: &mut Ring) -> (Result<u32, Errno>, Option<Cqe>) {
    let result = wait(ring);
    assert_eq!((result.user_data(), result.notif()), (SEND, false));
    if !result.more() {
        return (result.result(), None);
    }
    let notification = wait(ring);
    assert_eq!(notification.user_data(), SEND);
    assert!(notification.notif() && !notification.more());
    (result.result(), Some(notification))
}

fn has_send_zc(ring: &Ring, opcode: Opcode) -> bool {
    let has = Probe::of(ring).expect("probed").supports(opcode);
    if !has {
        skip("zero-copy sends are newer than this kernel (6.0, with messages 6.1)");
    }
    has
}

#[test]
fn a_zero_copy_send_completes_and_then_notifies_while_receives_go_on() {
    let mut ring = ring();
    if !has_send_zc(&ring, Opcode::SEND_ZC) {
        return;
    }
    // 1. Accept and connect through the ring, in whichever order they complete.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let address = SockAddr::from(listener.local_addr().expect("bound"));
    let ours = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    let null = std::ptr::null_mut;
    let sqe = ring.get_sqe().expect("room");
    // SAFETY: there is no memory.
    unsafe { sqe.prep_accept(listener.as_raw_fd(), null(), null().cast(), 0) };
    sqe.set_user_data(10);
    let sqe = ring.get_sqe().expect("room");
    // SAFETY: the address outlives the submission below.
    unsafe { sqe.prep_connect(ours.as_raw_fd(), address.as_ptr().cast(), address.len()) };
    sqe.set_user_data(11);
    ring.submit().expect("submitted");
    let mut accepted = -1;
    for _ in 0..2 {
        let cqe = wait(&mut ring);
        let result = cqe.result().expect("connected");
        if cqe.user_data() == 10 {
            accepted = result as i32;
        }
    }
    // SAFETY: the ring has made the descriptor for us.
    let theirs = unsafe { <TcpStream as std::os::fd::FromRawFd>::from_raw_fd(accepted) };
    // 2. The send gives two completions; the one of the receive may come between them.
    let message = *b"0123456789";
    let mut buf = [0_u8; 20];
    let sqe = ring.get_sqe().expect("room");
    // SAFETY: the message is kept until the notification, which is waited for.
    unsafe { sqe.prep_send_zc(ours.as_raw_fd(), message.as_ptr(), 10, 0, 0) };
    sqe.set_user_data(SEND);
    let sqe = ring.get_sqe().expect("room");
    // SAFETY: the buffer is kept until the completion, which is waited for.
    unsafe { sqe.prep_recv(theirs.as_raw_fd(), buf.as_mut_ptr(), 20, 0) };
    sqe.set_user_data(2);
    ring.submit().expect("submitted");
    let (mut results, mut notifications, mut received) = (0, 0, 0);
    while notifications + received < 2 {
        let cqe = wait(&mut ring);
        match (cqe.user_data(), cqe.notif()) {
            (SEND, false) => {
                assert_eq!((cqe.result(), cqe.more()), (Ok(10), true));
                assert_eq!(notifications, 0, "the result comes first");
                results += 1;
            }
            (SEND, true) => {
                assert_eq!((cqe.result(), cqe.more()), (Ok(0), false));
                notifications += 1;
            }
            _ => {
                assert_eq!(cqe.result(), Ok(10));
                received += 1;
            }
        }
    }
    assert_eq!((results, &buf[..10]), (1, &message[..]));
}

#[test]
fn a_zero_copy_send_that_fails_notifies_whenever_it_said_so() {
    let mut ring = ring();
    if !has_send_zc(&ring, Opcode::SEND_ZC) {
        return;
    }
    let message = [7_u8; 4096];
    // 1. A descriptor that is none; even this may notify.
    // SAFETY: the message outlives the completions, which are waited for.
    submit(&mut ring, |sqe| unsafe {
        sqe.prep_send_zc(-1, message.as_ptr(), 4096, 0, 0);
    });
    let (result, notification) = outcome(&mut ring);
    assert_eq!(result, Err(Errno::EBADF));
    let mut notified = u32::from(notification.is_some());
    // 2. A connection that the peer has reset fails later; the notification comes if `more` said
    // so, and `outcome` has waited for it then.
    let mut failures = 0;
    let (ours, theirs) = connection();
    SockRef::from(&theirs)
        .set_linger(Some(std::time::Duration::ZERO))
        .expect("set");
    drop(theirs);
    for _ in 0..10 {
        // SAFETY: as above.
        submit(&mut ring, |sqe| unsafe {
            sqe.prep_send_zc(
                ours.as_raw_fd(),
                message.as_ptr(),
                4096,
                libc::MSG_NOSIGNAL,
                0,
            );
        });
        let (result, notification) = outcome(&mut ring);
        failures += u32::from(result.is_err());
        notified += u32::from(result.is_err() && notification.is_some());
    }
    assert!(failures >= 9, "{failures} of 10 failed");
    eprintln!(
        "{notified} of {} errors were followed by a notification",
        failures + 1
    );
    // 3. A socket that cannot do it says so.
    let (ours, _theirs) = UnixStream::pair().expect("a pair");
    // SAFETY: as above.
    submit(&mut ring, |sqe| unsafe {
        sqe.prep_send_zc(ours.as_raw_fd(), message.as_ptr(), 4096, 0, 0);
    });
    assert_eq!(outcome(&mut ring).0, Err(Errno::EOPNOTSUPP));
    assert!(ring.pop().is_none());
}

#[test]
fn the_notification_reports_whether_data_was_copied_after_all() {
    let mut ring = ring();
    if !has_send_zc(&ring, Opcode::SEND_ZC) {
        return;
    }
    let (ours, mut theirs) = connection();
    let message = vec![3_u8; 16 * 1024];
    // SAFETY: the message outlives the notification, which is waited for.
    submit(&mut ring, |sqe| unsafe {
        let (start, len) = (message.as_ptr(), message.len() as u32);
        sqe.prep_send_zc(ours.as_raw_fd(), start, len, 0, IORING_SEND_ZC_REPORT_USAGE);
    });
    let mut got = vec![0; message.len()];
    theirs.read_exact(&mut got).expect("read");
    let (result, notification) = outcome(&mut ring);
    if result == Err(Errno::EINVAL) {
        return skip("the usage report is newer than this kernel (6.2)");
    }
    assert_eq!(result, Ok(16 * 1024));
    // Loopback copies: a reader may hold its data for as long as it likes.
    let report = notification.expect("it was lent").res();
    assert_eq!(report, IORING_NOTIF_USAGE_ZC_COPIED);
    assert_eq!(got, message);
}

#[test]
fn the_memory_is_lent_until_the_notification_even_after_the_result() {
    let mut ring = ring();
    if !has_send_zc(&ring, Opcode::SEND_ZC) {
        return;
    }
    let (ours, mut theirs) = narrow_connection();
    let message: Vec<u8> = (0..256 * 1024_u32).map(|at| (at % 251) as u8).collect();
    // SAFETY: the message outlives the notification, which is waited for.
    submit(&mut ring, |sqe| unsafe {
        let (start, len) = (message.as_ptr(), message.len() as u32);
        sqe.prep_send_zc(ours.as_raw_fd(), start, len, 0, 0);
    });
    // 1. The result says how much was taken over; the peer has no room for most of it, so it
    // still lies in our memory.
    let result = wait(&mut ring);
    assert!(result.more() && !result.notif());
    let taken = result.result().expect("sent") as usize;
    assert!(taken > 64 * 1024, "the send buffer has room: {taken}");
    ring.enter(0, None).expect("entered");
    assert!(ring.pop().is_none(), "the memory is lent");
    // 2. Read by the peer, it is ours again.
    SockRef::from(&theirs)
        .set_recv_buffer_size(1 << 20)
        .expect("set");
    let mut got = vec![0; taken];
    theirs.read_exact(&mut got).expect("read");
    assert_eq!(got, message[..taken]);
    let notification = wait(&mut ring);
    assert_eq!((notification.notif(), notification.more()), (true, false));
}

#[test]
fn a_connection_that_is_dropped_first_still_notifies() {
    let mut ring = ring();
    if !has_send_zc(&ring, Opcode::SEND_ZC) {
        return;
    }
    for drops_ours in [false, true] {
        let (ours, theirs) = narrow_connection();
        let message = vec![5_u8; 256 * 1024];
        // SAFETY: the message outlives the notification, which is waited for.
        submit(&mut ring, |sqe| unsafe {
            let (start, len) = (message.as_ptr(), message.len() as u32);
            sqe.prep_send_zc(ours.as_raw_fd(), start, len, 0, 0);
        });
        let result = wait(&mut ring);
        assert!(result.more(), "{result:?}");
        assert!(ring.pop().is_none(), "the memory is lent");
        if drops_ours {
            // With a linger of zero closing throws away what was not sent.
            let linger = Some(std::time::Duration::ZERO);
            SockRef::from(&ours).set_linger(linger).expect("set");
            drop(ours);
            assert!(wait(&mut ring).notif());
            drop(theirs);
        } else {
            // With unread data closing resets the connection.
            drop(theirs);
            assert!(wait(&mut ring).notif());
            drop(ours);
        }
    }
}

#[test]
fn registered_memory_is_sent_without_copying_too() {
    let mut ring = ring();
    if !has_send_zc(&ring, Opcode::SEND_ZC) {
        return;
    }
    let memory = vec![9_u8; 64 * 1024];
    let table = [IoSlice::new(&memory)];
    let arg = table.as_ptr().expose_provenance();
    // SAFETY: the table is one `iovec`, and its memory outlives the ring's last operation.
    match unsafe { ring.register(IORING_REGISTER_BUFFERS, arg, 1) } {
        Err(Errno::ENOMEM) => return skip("the limit of locked memory is too low"),
        done => done.expect("registered"),
    };
    let (ours, mut theirs) = connection();
    // 1. From the middle of it.
    // SAFETY: the memory outlives the notification, which is waited for.
    submit(&mut ring, |sqe| unsafe {
        let start = memory[100..].as_ptr();
        sqe.prep_send_zc_fixed(ours.as_raw_fd(), start, 5000, 0, 0, 0);
    });
    let mut got = vec![0; 5000];
    theirs.read_exact(&mut got).expect("read");
    assert_eq!(got, memory[..5000]);
    assert_eq!(outcome(&mut ring).0, Ok(5000));
    // 2. As a message of two parts of it, where the kernel knows that.
    let parts = [
        IoSlice::new(&memory[..100]),
        IoSlice::new(&memory[200..300]),
    ];
    // SAFETY: a zeroed `msghdr` has neither name nor control data.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = parts.as_ptr().cast_mut().cast();
    message.msg_iovlen = 2;
    // SAFETY: all of it outlives the notification, which is waited for.
    submit(&mut ring, |sqe| unsafe {
        sqe.prep_sendmsg_zc_fixed(ours.as_raw_fd(), (&raw const message).cast(), 0, 0, 0);
    });
    match outcome(&mut ring).0 {
        Err(Errno::EINVAL) => {
            skip("registered memory in messages is newer than this kernel (6.15)")
        }
        sent => {
            assert_eq!(sent, Ok(200));
            theirs.read_exact(&mut got[..200]).expect("read");
        }
    }
    // 3. Beyond its end, and from a slot that is not there.
    for (start, slot) in [(memory.len() - 10, 0), (0, 1)] {
        // SAFETY: as above; nothing is read, as it is refused.
        submit(&mut ring, |sqe| unsafe {
            let start = memory[start..].as_ptr();
            sqe.prep_send_zc_fixed(ours.as_raw_fd(), start, 5000, 0, 0, slot);
        });
        assert_eq!(outcome(&mut ring).0, Err(Errno::EFAULT));
    }
}

#[test]
fn vectors_are_sent_without_copying() {
    let mut ring = ring();
    if !has_send_zc(&ring, Opcode::SENDMSG_ZC) {
        return;
    }
    let (ours, mut theirs) = connection();
    let parts = [vec![1_u8; 3000], vec![2; 10], vec![3; 5000]];
    let want = parts.concat();
    let slices = [0, 1, 2].map(|part: usize| IoSlice::new(&parts[part]));
    let mut got = vec![0; want.len()];
    // 1. As a message.
    // SAFETY: a zeroed `msghdr` has neither name nor control data.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = slices.as_ptr().cast_mut().cast();
    message.msg_iovlen = 3;
    // SAFETY: all of it outlives the notification, which is waited for.
    submit(&mut ring, |sqe| unsafe {
        sqe.prep_sendmsg_zc(ours.as_raw_fd(), (&raw const message).cast(), 0, 0);
    });
    theirs.read_exact(&mut got).expect("read");
    assert_eq!(got, want);
    assert_eq!(outcome(&mut ring).0, Ok(8010));
    // 2. As a vector.
    // SAFETY: as above.
    submit(&mut ring, |sqe| unsafe {
        sqe.prep_send_zc_vectored(ours.as_raw_fd(), slices.as_ptr().cast(), 3, 0, 0);
    });
    let (result, notification) = outcome(&mut ring);
    if result == Err(Errno::EINVAL) {
        return skip("vectors in SEND_ZC are newer than this kernel (6.17)");
    }
    assert_eq!((result, notification.is_some()), (Ok(8010), true));
    theirs.read_exact(&mut got).expect("read");
    assert_eq!(got, want);
}

#[test]
fn a_datagram_is_sent_to_an_address_without_copying() {
    let mut ring = ring();
    if !has_send_zc(&ring, Opcode::SEND_ZC) {
        return;
    }
    let [ours, theirs] = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").expect("bound"));
    let to = SockAddr::from(theirs.local_addr().expect("bound"));
    let message = [4_u8; 1000];
    // SAFETY: message and address outlive the notification, which is waited for.
    submit(&mut ring, |sqe| unsafe {
        let (pointer, len) = (to.as_ptr().cast(), to.len() as u16);
        sqe.prep_sendto_zc(ours.as_raw_fd(), message.as_ptr(), 1000, 0, 0, pointer, len);
    });
    let mut got = [0; 2000];
    let (len, from) = theirs.recv_from(&mut got).expect("received");
    assert_eq!(
        (&got[..len], from),
        (&message[..], ours.local_addr().expect("bound"))
    );
    let (result, notification) = outcome(&mut ring);
    assert_eq!((result, notification.is_some()), (Ok(1000), true));
}

#[test]
fn a_link_goes_on_after_the_result_and_does_not_wait_for_the_notification() {
    let mut ring = ring();
    if !has_send_zc(&ring, Opcode::SEND_ZC) {
        return;
    }
    let (ours, theirs) = narrow_connection();
    let message = vec![6_u8; 128 * 1024];
    let (start, len) = (message.as_ptr(), message.len() as u32);
    let sqe = ring.get_sqe().expect("room");
    // SAFETY: the message outlives the notification, which is waited for.
    unsafe { sqe.prep_send_zc(ours.as_raw_fd(), start, len, 0, 0) };
    sqe.set_user_data(SEND).add_flags(SqeFlags::IO_LINK);
    let sqe = ring.get_sqe().expect("room");
    sqe.prep_nop().set_user_data(2);
    ring.submit().expect("submitted");
    let [first, second] = [wait(&mut ring), wait(&mut ring)];
    assert_eq!((first.user_data(), first.result()), (SEND, Ok(len)));
    assert!(first.more());
    assert_eq!((second.user_data(), second.result()), (2, Ok(0)));
    assert!(ring.pop().is_none(), "the memory is lent");
    drop(theirs);
    assert!(wait(&mut ring).notif());
    // A failing one breaks its link.
    let sqe = ring.get_sqe().expect("room");
    // SAFETY: as above.
    unsafe { sqe.prep_send_zc(-1, start, len, 0, 0) };
    sqe.set_user_data(SEND).add_flags(SqeFlags::IO_LINK);
    let sqe = ring.get_sqe().expect("room");
    sqe.prep_nop().set_user_data(2);
    ring.submit().expect("submitted");
    let [first, second] = [wait(&mut ring), wait(&mut ring)];
    assert_eq!(first.result(), Err(Errno::EBADF));
    assert_eq!(second.result(), Err(Errno::ECANCELED));
}

#[test]
fn what_zero_copy_sends_cannot_be_told_is_refused() {
    let mut ring = ring();
    if !has_send_zc(&ring, Opcode::SEND_ZC) {
        return;
    }
    let (ours, _theirs) = connection();
    let message = [0_u8; 16];
    // SAFETY: the message outlives the completions, which are waited for.
    submit(&mut ring, |sqe| unsafe {
        sqe.prep_send_zc(ours.as_raw_fd(), message.as_ptr(), 16, 0, 0)
            .add_flags(SqeFlags::CQE_SKIP_SUCCESS);
    });
    assert_eq!(outcome(&mut ring).0, Err(Errno::EINVAL), "both are needed");
    // SAFETY: as above.
    submit(&mut ring, |sqe| unsafe {
        sqe.prep_send_zc(ours.as_raw_fd(), message.as_ptr(), 16, 0, 0x8000);
    });
    assert_eq!(outcome(&mut ring).0, Err(Errno::EINVAL), "no such flag");
}
