//! Sockets and files that live in the file table and never get a descriptor.

use std::ffi::CStr;

use annulus_ring::{Errno, Ring, SqeFlags};

use crate::support::{
    Address, TempDir, listener, register_empty_files, result, ring, unregister_files,
};

fn close_slot(ring: &mut Ring, slot: u32) -> Result<u32, Errno> {
    result(ring, |sqe| sqe.prep_close_direct(slot))
}

#[test]
fn sockets_are_made_in_a_chosen_and_in_a_free_slot_and_connected_there() {
    let mut ring = ring();
    let listener = listener();
    register_empty_files(&ring, 2).expect("registered");
    let (domain, kind) = (libc::AF_INET, libc::SOCK_STREAM);
    let chosen = result(&mut ring, |sqe| {
        sqe.prep_socket(domain, kind, 0).set_direct_slot(0)
    });
    assert_eq!(chosen, Ok(0), "success, not the slot");
    let free = |ring: &mut Ring| {
        result(ring, |sqe| {
            sqe.prep_socket(domain, kind, 0).set_direct_alloc()
        })
    };
    assert_eq!(free(&mut ring), Ok(1), "the slot");
    assert_eq!(free(&mut ring), Err(Errno::ENFILE));
    let address = listener.address();
    let (start, len) = (address.as_ptr().cast(), address.len());
    for slot in [0, 1] {
        // SAFETY: `address` outlives the submission.
        let connected = result(&mut ring, |sqe| unsafe {
            sqe.prep_connect(slot, start, len)
                .add_flags(SqeFlags::FIXED_FILE)
        });
        assert_eq!(connected, Ok(0));
        listener.accept().expect("accepted");
        assert_eq!(close_slot(&mut ring, slot as u32), Ok(0));
        assert_eq!(close_slot(&mut ring, slot as u32), Err(Errno::EBADF));
    }
    assert_eq!(free(&mut ring).map(drop), Ok(()), "there is room again");
    unregister_files(&ring).expect("unregistered");
}

#[test]
fn files_are_opened_into_a_chosen_and_into_free_slots() {
    let mut ring = ring();
    register_empty_files(&ring, 3).expect("registered");
    let directory = TempDir::new();
    let path = directory.c_path("file");
    let flags = libc::O_RDWR | libc::O_CREAT;
    let open = |ring: &mut Ring, path: &CStr, slot: Option<u32>| {
        // SAFETY: `path` outlives the submission.
        result(ring, |sqe| unsafe {
            let sqe = sqe.prep_openat(libc::AT_FDCWD, path.as_ptr(), flags, 0o600);
            match slot {
                Some(slot) => sqe.set_direct_slot(slot),
                None => sqe.set_direct_alloc(),
            }
        })
    };
    assert_eq!(open(&mut ring, &path, Some(0)), Ok(0));
    assert_eq!(open(&mut ring, &path, None), Ok(1));
    assert_eq!(open(&mut ring, &path, None), Ok(2));
    assert_eq!(open(&mut ring, &path, None), Err(Errno::ENFILE));
    assert_eq!(open(&mut ring, &path, Some(3)), Err(Errno::EINVAL));
    for slot in 0..3 {
        assert_eq!(close_slot(&mut ring, slot), Ok(0));
    }
    unregister_files(&ring).expect("unregistered");
}
