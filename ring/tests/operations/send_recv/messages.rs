//! Message headers: many vectors, none, too many; control data; and how long each part of a
//! header must stay.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, FromRawFd};

use annulus_ring::{Errno, SqeFlags};

use super::{Message, recvmsg, sendmsg};
use crate::support::{collect, in_order, outcome, pattern, pipe, push, result, ring, unix_pair};

#[test]
fn a_message_is_gathered_from_and_scattered_into_many_vectors() {
    let mut ring = ring();
    let (ours, theirs) = unix_pair();
    for flags in [SqeFlags::NONE, SqeFlags::ASYNC] {
        let mut data = pattern(1000);
        let mut pieces: Vec<_> = data.chunks_mut(13).collect();
        assert!(pieces.len() > 64, "more than the kernel keeps at hand");
        // SAFETY: the data outlives the completion.
        let mut message = unsafe { Message::of(&mut pieces) };
        let at = message.at();
        // SAFETY: as above.
        let sent = result(&mut ring, |sqe| unsafe {
            sqe.prep_sendmsg(ours.as_raw_fd(), at, 0).add_flags(flags)
        });
        assert_eq!(sent, Ok(1000));
        let mut back = vec![0; 1000];
        let mut pieces: Vec<_> = back.chunks_mut(101).collect();
        // SAFETY: the buffers outlive the completion.
        let mut message = unsafe { Message::of(&mut pieces) };
        let at = message.at();
        // SAFETY: as above.
        let got = result(&mut ring, |sqe| unsafe {
            sqe.prep_recvmsg(theirs.as_raw_fd(), at, 0).add_flags(flags)
        });
        assert_eq!(got, Ok(1000));
        assert_eq!(back, pattern(1000));
    }
}

#[test]
fn a_message_of_nothing_is_sent_and_one_of_too_many_vectors_or_nowhere_refused() {
    let mut ring = ring();
    let (ours, _theirs) = unix_pair();
    let fd = ours.as_raw_fd();
    // SAFETY: there are no buffers.
    let mut nothing = unsafe { Message::of(&mut []) };
    assert_eq!(sendmsg(&mut ring, fd, &mut nothing, 0), Ok(0));
    assert_eq!(
        recvmsg(&mut ring, fd, &mut nothing, libc::MSG_DONTWAIT),
        Err(Errno::EAGAIN)
    );
    let mut bytes = [0_u8; 1025];
    let mut pieces: Vec<_> = bytes.chunks_mut(1).collect();
    // SAFETY: the bytes outlive the completions.
    let mut many = unsafe { Message::of(&mut pieces) };
    assert_eq!(many.vectors.len(), 1025);
    assert_eq!(sendmsg(&mut ring, fd, &mut many, 0), Err(Errno::EMSGSIZE));
    assert_eq!(recvmsg(&mut ring, fd, &mut many, 0), Err(Errno::EMSGSIZE));
    // SAFETY: the kernel checks the address.
    let nowhere = result(&mut ring, |sqe| unsafe {
        sqe.prep_sendmsg(fd, std::ptr::without_provenance(8), 0)
    });
    assert_eq!(nowhere, Err(Errno::EFAULT));
    let (reading, _writing) = pipe(0);
    let no_socket = recvmsg(&mut ring, reading.as_raw_fd(), &mut nothing, 0);
    assert_eq!(no_socket, Err(Errno::ENOTSOCK));
}

#[test]
fn the_vectors_of_a_receive_that_waits_may_change_once_it_was_submitted() {
    let mut ring = ring();
    let (ours, theirs) = unix_pair();
    let (mut first, mut second) = (vec![0_u8; 4], vec![0_u8; 60]);
    // SAFETY: the buffers outlive the completion.
    let mut message = unsafe { Message::of(&mut [&mut first, &mut second]) };
    let at = message.at();
    // SAFETY: as above; the header stays to its end.
    push(&mut ring, 1, |sqe| unsafe {
        sqe.prep_recvmsg(theirs.as_raw_fd(), at, 0)
    });
    ring.submit().expect("submitted");
    assert_eq!(ring.cq_ready(), 0, "it waits");
    // The array was read when the entry was consumed.
    for vector in &mut message.vectors {
        *vector = libc::iovec {
            iov_base: std::ptr::null_mut(),
            iov_len: usize::MAX,
        };
    }
    (&ours)
        .write_all(b"into the buffers of before")
        .expect("written");
    assert_eq!(collect(&mut ring, 1)[0].result(), Ok(26));
    first.extend_from_slice(&second[..22]);
    assert_eq!(first, b"into the buffers of before");
}

#[test]
fn many_vectors_of_messages_that_are_cancelled_or_fail_are_given_back() {
    let mut ring = ring();
    let (ours, theirs) = unix_pair();
    for _ in 0..50 {
        let mut bytes = [0_u8; 100];
        let mut pieces: Vec<_> = bytes.chunks_mut(5).collect();
        // SAFETY: the bytes outlive the completions.
        let mut message = unsafe { Message::of(&mut pieces) };
        let at = message.at();
        // 1. Waits, with a copy of its vectors in the kernel, and is cancelled.
        // SAFETY: as above.
        let cancelled = outcome(&mut ring, |sqe| unsafe {
            sqe.prep_recvmsg(theirs.as_raw_fd(), at, 0)
        });
        assert_eq!(cancelled, Err(Errno::ECANCELED));
        // 2. Never starts, as the one before it in the chain fails.
        push(&mut ring, 0, |sqe| {
            sqe.prep_close(-1).add_flags(SqeFlags::IO_LINK)
        });
        // SAFETY: as above.
        push(&mut ring, 1, |sqe| unsafe {
            sqe.prep_sendmsg(ours.as_raw_fd(), at, 0)
                .add_flags(SqeFlags::ASYNC)
        });
        let results = in_order(&mut ring, 2);
        assert_eq!(results, [-Errno::EBADF.raw(), -Errno::ECANCELED.raw()]);
    }
}

#[test]
fn a_descriptor_travels_in_control_data() {
    let mut ring = ring();
    let (ours, theirs) = unix_pair();
    let (reading, writing) = pipe(0);
    let mut byte = [7_u8; 1];
    // SAFETY: takes a number only.
    let space = unsafe { libc::CMSG_SPACE(4) } as usize;
    // 1. Sent: the writing end of a pipe.
    // SAFETY: the byte outlives the completion.
    let mut message = unsafe { Message::of(&mut [&mut byte]) }.with_room_for_control(space);
    // SAFETY: the header has room for control data.
    let control = unsafe { libc::CMSG_FIRSTHDR(&raw const *message.header) };
    let filled = libc::cmsghdr {
        // SAFETY: takes a number only.
        cmsg_len: unsafe { libc::CMSG_LEN(4) } as usize,
        cmsg_level: libc::SOL_SOCKET,
        cmsg_type: libc::SCM_RIGHTS,
    };
    // SAFETY: there is room for it, aligned.
    unsafe { control.write(filled) };
    // SAFETY: the data lies behind the header, in the room.
    let place = unsafe { libc::CMSG_DATA(control) }.cast::<i32>();
    // SAFETY: as above.
    unsafe { place.write_unaligned(writing.as_raw_fd()) };
    assert_eq!(sendmsg(&mut ring, ours.as_raw_fd(), &mut message, 0), Ok(1));
    // 2. Received, with close-on-exec as asked.
    let mut byte = [0_u8; 1];
    // SAFETY: the byte outlives the completion.
    let mut message = unsafe { Message::of(&mut [&mut byte]) }.with_room_for_control(space);
    let flags = libc::MSG_CMSG_CLOEXEC;
    let got = recvmsg(&mut ring, theirs.as_raw_fd(), &mut message, flags);
    assert_eq!(got, Ok(1));
    // SAFETY: the kernel filled the control data in.
    let control = unsafe { libc::CMSG_FIRSTHDR(&raw const *message.header) };
    assert!(!control.is_null());
    // SAFETY: not null, so it lies in the room.
    let filled = unsafe { control.read() };
    assert_eq!(
        (filled.cmsg_level, filled.cmsg_type),
        (libc::SOL_SOCKET, libc::SCM_RIGHTS)
    );
    // SAFETY: the data lies behind the header.
    let place = unsafe { libc::CMSG_DATA(control) }.cast::<i32>();
    // SAFETY: the type says that it is a descriptor.
    let fd = unsafe { place.read_unaligned() };
    // SAFETY: the kernel just made it for us.
    let mut received = unsafe { File::from_raw_fd(fd) };
    drop(writing);
    received.write_all(b"through").expect("written");
    drop(received);
    let mut all = String::new();
    (&reading).read_to_string(&mut all).expect("read");
    assert_eq!(all, "through");
}
