//! Registered files: the table, its updates, tags, the kernel's range and slot guards.

use std::io::Write;
use std::os::fd::AsRawFd;
use std::thread;

use annulus_ring::{Errno, FileTable, Ring, RingConfig, SKIP_SLOT, SqeFlags};
use annulus_syscalls::io_uring::register::op::IORING_UNREGISTER_FILES;

use super::{
    FAR, assert_quiet, file_with, hangs_up, next, pinned_ring, pipe, queue, read_slot, ring, run,
    skip_newer,
};

#[test]
fn files_are_read_by_slot_and_holes_are_not_open() {
    let mut ring = ring();
    let (one, two) = (file_with(b"one"), file_with(b"two"));
    let fds = [one.as_raw_fd(), -1, two.as_raw_fd()];
    let table = FileTable::register(&ring, &fds).expect("registered");
    drop((one, two)); // the table has its own
    assert_eq!(table.capacity(), 3);
    assert_eq!(read_slot(&mut ring, 0), Ok(b"one".to_vec()));
    assert_eq!(read_slot(&mut ring, 1), Err(Errno::EBADF));
    assert_eq!(read_slot(&mut ring, 2), Ok(b"two".to_vec()));
    assert_eq!(read_slot(&mut ring, 3), Err(Errno::EBADF));
    table.unregister().expect("unregistered");
    assert_eq!(read_slot(&mut ring, 0), Err(Errno::EBADF));
}

#[test]
fn an_update_fills_skips_and_empties_slots() {
    let mut ring = ring();
    let mut table = FileTable::register(&ring, &[-1; 9]).expect("nine holes");
    let (one, two) = (file_with(b"one"), file_with(b"two"));
    assert_eq!(table.update(0, &[one.as_raw_fd()]), Ok(1));
    assert_eq!(read_slot(&mut ring, 0), Ok(b"one".to_vec()));
    assert_eq!(table.update(7, &[two.as_raw_fd(), one.as_raw_fd()]), Ok(2));
    assert_eq!(table.update(7, &[SKIP_SLOT, two.as_raw_fd()]), Ok(2));
    assert_eq!(read_slot(&mut ring, 7), Ok(b"two".to_vec()));
    assert_eq!(read_slot(&mut ring, 8), Ok(b"two".to_vec()));
    assert_eq!(table.update(0, &[-1]), Ok(1));
    assert_eq!(read_slot(&mut ring, 0), Err(Errno::EBADF));
    // Beyond the end, and with a descriptor that is not open.
    assert_eq!(table.update(8, &[-1, -1]), Err(Errno::EINVAL));
    assert_eq!(table.update(u32::MAX, &[-1]), Err(Errno::EINVAL));
    assert_eq!(table.update(3, &[i32::MAX]), Err(Errno::EBADF));
    // What comes before the bad one is in place.
    assert_eq!(table.update(3, &[one.as_raw_fd(), i32::MAX]), Ok(1));
    assert_eq!(read_slot(&mut ring, 3), Ok(b"one".to_vec()));
}

#[test]
fn a_sparse_table_starts_with_empty_slots_only() {
    let mut ring = ring();
    let mut table = FileTable::sparse(&ring, 300).expect("sparse");
    assert_eq!(read_slot(&mut ring, 299), Err(Errno::EBADF));
    let file = file_with(b"last");
    assert_eq!(table.update(299, &[file.as_raw_fd()]), Ok(1));
    assert_eq!(read_slot(&mut ring, 299), Ok(b"last".to_vec()));
}

#[test]
fn a_refused_table_says_why() {
    let ring = ring();
    let refusal = |fds: &[i32]| FileTable::register(&ring, fds).map(drop);
    assert_eq!(refusal(&[]), Err(Errno::EINVAL));
    assert_eq!(refusal(&[i32::MAX]), Err(Errno::EBADF));
    assert_eq!(refusal(&[-3]), Err(Errno::EBADF));
    // The descriptor of an io_uring may not be in the table of one.
    assert_eq!(refusal(&[ring.fd()]), Err(Errno::EBADF));
    assert_eq!(FileTable::sparse(&ring, 0).map(drop), Err(Errno::EINVAL));
    let too_many = FileTable::sparse(&ring, (1 << 20) + 1).map(drop);
    assert_eq!(too_many, Err(Errno::EMFILE));
    let tagged = FileTable::register_tagged(&ring, &[-1], &[7]).map(drop);
    assert_eq!(tagged, Err(Errno::EINVAL), "a tag on an empty slot");
    let uneven = FileTable::register_tagged(&ring, &[-1, -1], &[0]).map(drop);
    assert_eq!(uneven, Err(Errno::EINVAL));
    // SAFETY: this registration reads nothing.
    let nothing_there = unsafe { ring.register(IORING_UNREGISTER_FILES, 0, 0) };
    assert_eq!(nothing_there, Err(Errno::ENXIO));
    let table = FileTable::sparse(&ring, 1).expect("the first");
    assert_eq!(refusal(&[-1]), Err(Errno::EBUSY), "one table a ring");
    table.unregister().expect("there");
    assert_eq!(refusal(&[-1]), Ok(()));
}

#[test]
fn a_table_outlives_its_ring_without_harm() {
    let ring = ring();
    let mut table = FileTable::sparse(&ring, 4).expect("sparse");
    drop(ring);
    assert_eq!(table.update(0, &[0]), Err(Errno::EBADF));
    assert_eq!(table.unregister(), Err(Errno::EBADF));
}

#[test]
fn a_pinned_rings_table_is_its_threads() {
    let mut ring = pinned_ring();
    let mut table = FileTable::sparse(&ring, 2).expect("sparse");
    if let Err(errno) = table.set_alloc_range(0..0) {
        return skip_newer("range for the kernel's picks", errno);
    }
    let file = file_with(b"pinned");
    let mut slot = table.claim().expect("free");
    slot.install(file.as_raw_fd()).expect("installed");
    let index = slot.index();
    let (table, refused) = thread::spawn(move || {
        let mut table = table;
        let refused = table.update(1, &[-1]);
        drop(slot);
        (table, refused)
    })
    .join()
    .expect("no panic");
    assert_eq!(refused, Err(Errno::EEXIST));
    // The slot came back, with its file in it.
    assert_eq!(read_slot(&mut ring, index), Ok(b"pinned".to_vec()));
    assert_eq!(table.claim().expect("given back").index(), index);
    assert_eq!(read_slot(&mut ring, index), Err(Errno::EBADF));
    table.unregister().expect("at home");
}

#[test]
fn a_slot_that_changes_under_an_operation_keeps_the_old_file_for_it() {
    let mut ring = ring();
    let (first, mut to_first) = pipe();
    let (second, mut to_second) = pipe();
    let mut table = FileTable::register(&ring, &[first.as_raw_fd()]).expect("registered");
    let mut buf = [0; 8];
    let start = buf.as_mut_ptr();
    queue(&mut ring, |sqe| {
        // SAFETY: `buf` stays until the completion, which is waited for below.
        let sqe = unsafe { sqe.prep_read(0, start, 8, u64::MAX) };
        sqe.add_flags(SqeFlags::FIXED_FILE).set_user_data(1);
    });
    assert_quiet(&mut ring);
    assert_eq!(table.update(0, &[second.as_raw_fd()]), Ok(1));
    drop(first);
    to_second.write_all(b"second").expect("written");
    assert_quiet(&mut ring);
    to_first
        .write_all(b"first")
        .expect("the operation holds the read end");
    let cqe = next(&mut ring);
    assert_eq!((cqe.user_data(), cqe.res()), (1, 5));
    assert_eq!(&buf[..5], b"first");
    // A new operation finds the new file.
    let cqe = run(&mut ring, |sqe| {
        // SAFETY: as above.
        let sqe = unsafe { sqe.prep_read(0, start, 8, u64::MAX) };
        sqe.add_flags(SqeFlags::FIXED_FILE);
    });
    assert_eq!(cqe.res(), 6);
    assert_eq!(&buf[..6], b"second");
    // Nobody holds the old read end any more.
    assert!(to_first.write_all(b"x").is_err());
}

#[test]
fn a_tag_tells_when_the_old_file_was_let_go() {
    let mut ring = ring();
    let (reader, mut writer) = pipe();
    let fds = [reader.as_raw_fd(), reader.as_raw_fd()];
    let mut table = FileTable::register_tagged(&ring, &fds, &[70, 71]).expect("registered");
    let mut buf = [0; 8];
    let start = buf.as_mut_ptr();
    queue(&mut ring, |sqe| {
        // SAFETY: `buf` stays until the completion, which is waited for below.
        let sqe = unsafe { sqe.prep_read(0, start, 8, u64::MAX) };
        sqe.add_flags(SqeFlags::FIXED_FILE).set_user_data(1);
    });
    assert_quiet(&mut ring);
    // An idle slot's file goes at once, that of an operation under way after it.
    assert_eq!(table.update(0, &[-1, -1]), Ok(2));
    let cqe = next(&mut ring);
    assert_eq!((cqe.user_data(), cqe.res()), (71, 0));
    assert_quiet(&mut ring);
    writer.write_all(b"data").expect("written");
    let cqe = next(&mut ring);
    assert_eq!((cqe.user_data(), cqe.res()), (1, 4));
    assert_eq!(next(&mut ring).user_data(), 70);
    // A tag given by an update; a slot without one is silent; unregistering tells, too.
    let fd = reader.as_raw_fd();
    assert_eq!(table.update_tagged(0, &[fd, fd], &[72, 0]), Ok(2));
    assert_eq!(table.update_tagged(0, &[-1], &[9]), Err(Errno::EINVAL));
    assert_eq!(table.update_tagged(0, &[fd], &[]), Err(Errno::EINVAL));
    assert_eq!(table.update(1, &[-1]), Ok(1));
    assert_quiet(&mut ring);
    table.unregister().expect("unregistered");
    assert_eq!(next(&mut ring).user_data(), 72);
    assert_quiet(&mut ring);
}

#[test]
fn claimed_slots_are_nobody_elses_and_come_back_empty() {
    let mut ring = ring();
    let file = file_with(b"file");
    let fd = file.as_raw_fd();
    let mut table = FileTable::register(&ring, &[fd, -1, -1, -1, -1, -1]).expect("registered");
    assert_eq!(
        table.claim().map(drop),
        Err(Errno::ENFILE),
        "all the kernel's"
    );
    if let Err(errno) = table.set_alloc_range(4..6) {
        return skip_newer("range for the kernel's picks", errno);
    }
    assert_eq!(table.alloc_range(), 4..6);
    let mut one = table.claim().expect("free");
    let two = table.claim().expect("free");
    let three = table.claim().expect("free");
    assert_eq!([one.index(), two.index(), three.index()], [1, 2, 3]);
    assert_eq!(table.claim().map(drop), Err(Errno::ENFILE));
    // Neither an update nor the kernel's range reaches them.
    assert_eq!(table.update(0, &[-1, fd]), Err(Errno::EBUSY));
    assert_eq!(table.update(0, &[-1, SKIP_SLOT]), Ok(2));
    assert_eq!(table.set_alloc_range(2..6), Err(Errno::EBUSY));
    assert_eq!(table.set_alloc_range(2..7), Err(Errno::EINVAL));
    one.install(fd).expect("installed");
    assert_eq!(read_slot(&mut ring, 1), Ok(b"file".to_vec()));
    one.clear().expect("cleared");
    assert_eq!(read_slot(&mut ring, 1), Err(Errno::EBADF));
    one.install_tagged(fd, 5).expect("installed");
    drop(one);
    assert_eq!(next(&mut ring).user_data(), 5);
    assert_eq!(read_slot(&mut ring, 1), Err(Errno::EBADF));
    drop(two);
    // Slot 0 was emptied above.
    let indices = [(); 3].map(|()| table.claim().expect("free"));
    assert_eq!(indices.each_ref().map(|slot| slot.index()), [0, 1, 2]);
    // The last of table and slots unregisters.
    assert_eq!(table.unregister(), Err(Errno::EBUSY));
    drop(indices);
    assert_eq!(FileTable::sparse(&ring, 1).map(drop), Err(Errno::EBUSY));
    drop(three);
    assert_eq!(FileTable::sparse(&ring, 1).map(drop), Ok(()));
}

#[test]
fn a_table_hides_behind_the_mask_what_came_later() {
    let config = RingConfig {
        mask: annulus_ring::Mask::V5_19,
        ..RingConfig::default()
    };
    let ring = Ring::new(&config).expect("a ring");
    let mut table = FileTable::sparse(&ring, 4).expect("since 5.19");
    assert_eq!(table.set_alloc_range(0..2), Err(Errno::EINVAL));
    assert_eq!(table.alloc_range(), 0..4);
}

#[test]
fn the_files_of_a_table_are_let_go_with_it() {
    let ring = ring();
    let (reader, writer) = pipe();
    let table = FileTable::register(&ring, &[writer.as_raw_fd()]).expect("registered");
    drop(writer);
    assert!(!hangs_up(&reader, 0));
    drop(table);
    assert!(hangs_up(&reader, FAR.as_millis() as i32));
}

#[test]
fn another_thread_changes_the_table_of_a_ring_that_is_not_pinned() {
    let mut ring = ring();
    let mut table = FileTable::sparse(&ring, 2).expect("sparse");
    let file = file_with(b"from afar");
    let fd = file.as_raw_fd();
    let change = move || {
        assert_eq!(table.update(1, &[fd]), Ok(1));
        table
    };
    let table = thread::spawn(change).join().expect("no panic");
    assert_eq!(read_slot(&mut ring, 1), Ok(b"from afar".to_vec()));
    thread::spawn(move || drop(table)).join().expect("no panic");
    assert_eq!(read_slot(&mut ring, 1), Err(Errno::EBADF));
}
