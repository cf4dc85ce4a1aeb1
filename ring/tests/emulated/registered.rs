//! Registered files and buffers.

use std::io::{Read, Write};
use std::os::fd::AsRawFd;

use annulus_ring::{BufferSpan, BufferTable, Errno, FileTable, Ring, SKIP_SLOT, Sqe, SqeFlags};
use annulus_syscalls::io_uring::flags::cancel::{
    IORING_ASYNC_CANCEL_FD, IORING_ASYNC_CANCEL_FD_FIXED,
};

use crate::both::{Seen, fd_of, now, on_both, push, reap, reap_sorted};
use crate::support::{TempFile, listener, pipe, tcp_pair, unix_pair};

/// Reads up to eight bytes from the start of what `slot` stands for.
fn read_slot(ring: &mut Ring, slot: i32) -> (Seen, [u8; 8]) {
    let mut buf = [0; 8];
    let start = buf.as_mut_ptr();
    push(ring, 1, |sqe| {
        // SAFETY: the buffer outlives the completion.
        unsafe { sqe.prep_read(slot, start, 8, 0) }.set_flags(SqeFlags::FIXED_FILE);
    });
    let seen = reap(ring, 1)[0];
    (seen, buf)
}

#[test]
fn a_slot_stands_for_a_file_that_the_user_has_closed() {
    let _same = on_both(|ring| {
        let file = TempFile::with(b"here");
        let other = TempFile::with(b"another");
        let mut table = FileTable::register(ring, &[-1, file.fd(), -1]).expect("registered");
        drop(file);
        let mut all = vec![read_slot(ring, 1)];
        // Empty, beyond the table, and no number at all.
        all.extend([0, 3, -5].map(|slot| read_slot(ring, slot)));
        let updates = [
            table.update(0, &[other.fd(), SKIP_SLOT, -1]),
            table.update(1, &[other.fd(), 1000, -1]),
            table.update(1, &[1000]),
            table.update(2, &[-1, -1]),
        ];
        all.extend([0, 1, 2].map(|slot| read_slot(ring, slot)));
        let twice = FileTable::sparse(ring, 4).map(drop);
        let gone = table.unregister();
        all.push(read_slot(ring, 0));
        (all, updates, twice, gone)
    });
}

#[test]
fn what_runs_keeps_its_file_when_the_slot_is_emptied_and_then_the_tag_comes() {
    let _same = on_both(|ring| {
        let (ours, mut theirs) = unix_pair();
        let table = FileTable::register_tagged(ring, &[ours.as_raw_fd(), -1], &[70, 0]);
        let mut table = table.expect("registered");
        drop(ours);
        let mut buf = [0; 8];
        let start = buf.as_mut_ptr();
        push(ring, 1, |sqe| {
            // SAFETY: the buffer outlives the completion.
            unsafe { sqe.prep_recv(0, start, 8, 0) }.set_flags(SqeFlags::FIXED_FILE);
        });
        let mut all = now(ring);
        let updated = table.update(0, &[-1]);
        all.extend(now(ring));
        theirs.write_all(b"late").expect("it is open");
        all.extend(reap_sorted(ring, 2));
        (all, updated, buf)
    });
}

#[test]
fn a_wait_by_slot_is_cancelled_by_slot() {
    let _same = on_both(|ring| {
        let (ours, _theirs) = unix_pair();
        let table = FileTable::register(ring, &[ours.as_raw_fd()]).expect("registered");
        push(ring, 1, |sqe| {
            sqe.prep_poll_add(0, libc::POLLIN as u32)
                .set_flags(SqeFlags::FIXED_FILE);
        });
        let mut all = now(ring);
        let by_slot = IORING_ASYNC_CANCEL_FD | IORING_ASYNC_CANCEL_FD_FIXED;
        for slot in [7, 0] {
            push(ring, 2, |sqe| {
                sqe.prep_cancel_fd(slot, by_slot);
            });
            all.extend(reap_sorted(ring, 1 + usize::from(slot == 0)));
        }
        drop(table);
        all
    });
}

/// Opens a file directly as `direct` says, and tells what a read of `slot` finds.
fn open_direct(
    ring: &mut Ring,
    file: &TempFile,
    direct: impl FnOnce(&mut Sqe),
    flags: i32,
    slot: i32,
) -> (Seen, (Seen, [u8; 8])) {
    let path = file.c_path();
    push(ring, 5, |sqe| {
        // SAFETY: the path outlives the submission.
        direct(unsafe { sqe.prep_openat(libc::AT_FDCWD, path.as_ptr(), flags, 0) });
    });
    let opened = reap(ring, 1)[0];
    (opened, read_slot(ring, slot))
}

#[test]
fn a_direct_open_fills_the_slot_that_was_named_or_one_that_is_picked() {
    let _same = on_both(|ring| {
        let file = TempFile::with(b"direct");
        let slot = |slot| {
            move |sqe: &mut Sqe| {
                sqe.set_direct_slot(slot);
            }
        };
        let pick = |sqe: &mut Sqe| {
            sqe.set_direct_alloc();
        };
        let without = [
            open_direct(ring, &file, slot(0), 0, 0),
            open_direct(ring, &file, pick, 0, 0),
        ];
        let mut table = FileTable::sparse(ring, 4).expect("registered");
        let named = [
            open_direct(ring, &file, slot(2), 0, 2),
            open_direct(ring, &file, slot(2), 0, 2),
            open_direct(ring, &file, slot(4), 0, 4),
            open_direct(ring, &file, slot(1), libc::O_CLOEXEC, 1),
        ];
        let ranged = table.set_alloc_range(1..3);
        let picked = [1, 2, 3].map(|slot| open_direct(ring, &file, pick, 0, slot));
        let ranges = [table.set_alloc_range(3..6), table.set_alloc_range(0..1)];
        let last = open_direct(ring, &file, pick, 0, 0);
        let mut closed = Vec::new();
        for slot in [2, 2, 9] {
            push(ring, 6, |sqe| {
                sqe.prep_close_direct(slot);
            });
            closed.extend(reap(ring, 1));
        }
        (without, named, ranged, picked, ranges, last, closed)
    });
}

#[test]
fn sockets_live_in_slots_from_the_first_to_the_last() {
    let _same = on_both(|ring| {
        let table = FileTable::sparse(ring, 4).expect("registered");
        let listener = listener();
        let mut clients = Vec::new();
        push(ring, 1, |sqe| {
            sqe.prep_multishot_accept(listener.as_raw_fd(), 0)
                .set_direct_alloc();
        });
        let mut all = now(ring);
        let address = listener.local_addr().expect("it has one");
        for _ in 0..5 {
            clients.push(std::net::TcpStream::connect(address).expect("it listens"));
            all.extend(reap(ring, 1));
        }
        // The fifth found no slot, and that was the end of it.
        for (slot, client) in clients.iter_mut().enumerate().take(4) {
            push(ring, 2, |sqe| {
                // SAFETY: the data is static.
                unsafe { sqe.prep_send(slot as i32, b"hello".as_ptr(), 5, 0) }
                    .set_flags(SqeFlags::FIXED_FILE);
            });
            all.extend(reap(ring, 1));
            let mut buf = [0; 5];
            client.read_exact(&mut buf).expect("it was sent");
            assert_eq!(&buf, b"hello");
        }
        push(ring, 3, |sqe| {
            sqe.prep_close_direct(1);
        });
        all.extend(reap(ring, 1));
        assert_eq!(clients[1].read(&mut [0; 1]).expect("it was closed"), 0);
        push(ring, 4, |sqe| {
            sqe.prep_socket(libc::AF_INET, libc::SOCK_STREAM, 0)
                .set_direct_alloc();
        });
        all.extend(reap(ring, 1));
        drop(table);
        all
    });
}

#[test]
fn a_descriptor_is_made_of_a_slot_and_slots_of_descriptors() {
    let _same = on_both(|ring| {
        let (mut reader, writer) = pipe(0);
        let table = FileTable::sparse(ring, 3).expect("registered");
        let mut fds = [writer.as_raw_fd(), 1000, -1];
        let mut all = Vec::new();
        for (first, count) in [(0, 1), (1, 2), (2, 2)] {
            push(ring, 1, |sqe| {
                // SAFETY: the array outlives the completion.
                unsafe { sqe.prep_files_update(fds.as_mut_ptr(), count, first) };
            });
            all.extend(reap(ring, 1));
        }
        push(ring, 2, |sqe| {
            // SAFETY: as above.
            unsafe { sqe.prep_files_update_alloc(fds.as_mut_ptr(), 2) };
        });
        all.extend(reap(ring, 1));
        let picked = fds;
        drop(writer);
        push(ring, 3, |sqe| {
            sqe.prep_fixed_fd_install(0, 0);
        });
        let mut seen = reap(ring, 1)[0];
        let mut again = std::fs::File::from(fd_of(&seen));
        // SAFETY: this command takes no argument.
        let flags = unsafe { libc::fcntl(again.as_raw_fd(), libc::F_GETFD) };
        assert_eq!(flags, libc::FD_CLOEXEC);
        again.write_all(b"through").expect("somebody reads");
        seen.1 = Ok(0);
        all.push(seen);
        for slot in [3, 9] {
            push(ring, 4, |sqe| {
                sqe.prep_fixed_fd_install(slot, 0);
            });
            all.extend(reap(ring, 1));
        }
        drop((again, table));
        let mut text = String::new();
        reader.read_to_string(&mut text).expect("it ends");
        assert_eq!(text, "through");
        (all, picked)
    });
}

#[test]
fn registered_memory_is_read_into_and_written_from_and_nothing_beside_it() {
    let _same = on_both(|ring| {
        let file = TempFile::with(b"0123456789");
        let mut memory = vec![0_u8; 16];
        let span = BufferSpan::of(&mut memory);
        let without = {
            push(ring, 1, |sqe| {
                // SAFETY: the memory outlives the completion.
                unsafe { sqe.prep_read_fixed(file.fd(), span.start, 4, 0, 0) };
            });
            reap(ring, 1)
        };
        let spans = [span, BufferSpan::EMPTY];
        // SAFETY: the memory outlives the table.
        let table = unsafe { BufferTable::register_tagged(ring, &spans, &[80, 0]) };
        let mut table = table.expect("registered");
        let mut all = Vec::new();
        // Inside, at its end, beyond it, an empty slot, and none.
        for (at, len, slot) in [(0, 8, 0), (8, 8, 0), (8, 9, 0), (0, 1, 1), (0, 1, 2)] {
            let start = span.start.wrapping_add(at);
            push(ring, 2, |sqe| {
                // SAFETY: as above.
                unsafe { sqe.prep_read_fixed(file.fd(), start, len, 2, slot) };
            });
            all.extend(reap(ring, 1));
        }
        push(ring, 3, |sqe| {
            // SAFETY: as above.
            unsafe { sqe.prep_write_fixed(file.fd(), span.start, 3, 5, 0) };
        });
        all.extend(reap(ring, 1));
        let nowhere = BufferSpan {
            start: std::ptr::null_mut(),
            size_bytes: 1,
        };
        let updates = [(1, span), (1, nowhere), (0, BufferSpan::EMPTY)].map(|(slot, span)| {
            // SAFETY: as above.
            unsafe { table.update(slot, &[span]) }
        });
        all.extend(reap(ring, 1));
        let gone = table.unregister();
        (without, all, updates, gone, file.content(), memory)
    });
}

#[test]
fn registered_memory_is_sent_from() {
    let _same = on_both(|ring| {
        let (ours, mut theirs) = tcp_pair();
        let mut memory = *b"registered";
        // SAFETY: the memory outlives the table.
        let table = unsafe { BufferTable::register(ring, &[BufferSpan::of(&mut memory)]) };
        let mut all = Vec::new();
        for (len, notified) in [(10, true), (11, false)] {
            push(ring, 1, |sqe| {
                let start = memory.as_ptr();
                // SAFETY: as above.
                unsafe { sqe.prep_send_zc_fixed(ours.as_raw_fd(), start, len, 0, 0, 0) };
            });
            let seen = reap(ring, 1 + usize::from(notified));
            // What a notification says of copies is another thing.
            all.extend(seen.iter().map(|(user_data, res, _)| (*user_data, *res)));
        }
        let mut buf = [0; 10];
        theirs.read_exact(&mut buf).expect("it was sent");
        drop(table);
        (all, buf)
    });
}

#[test]
fn a_table_is_refused_for_what_it_cannot_be() {
    let _same = on_both(|ring| {
        let files = [
            FileTable::register(ring, &[]).map(drop),
            FileTable::register(ring, &[1000]).map(drop),
            FileTable::register_tagged(ring, &[-1], &[1]).map(drop),
            FileTable::sparse(ring, u32::MAX).map(drop),
        ];
        let nowhere = BufferSpan {
            start: std::ptr::without_provenance_mut(4096),
            size_bytes: 4096,
        };
        let spans = [
            BufferTable::sparse(ring, 0).map(drop),
            BufferTable::sparse(ring, 1 << 20).map(drop),
            // SAFETY: nothing is registered.
            unsafe { BufferTable::register(ring, &[nowhere]) }.map(drop),
            // SAFETY: as above.
            unsafe { BufferTable::register_tagged(ring, &[BufferSpan::EMPTY], &[1]) }.map(drop),
        ];
        assert_eq!(spans[2], Err(Errno::EFAULT));
        (files, spans)
    });
}
