//! Lengths beyond what one call moves: they are cut or refused, and nothing wraps.

use std::fs::File;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::ptr::NonNull;

use annulus_ring::{BufRing, Errno, Ring, Sqe};

use super::{GROUP, ring, wait};

/// 4 GiB of addresses; only what is written to becomes memory.
struct Large(NonNull<u8>);

const LARGE_BYTES: usize = 1 << 32;

impl Large {
    fn new() -> Large {
        let (access, kind) = (
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
        );
        // SAFETY: there is no MAP_FIXED.
        let start = unsafe { libc::mmap(std::ptr::null_mut(), LARGE_BYTES, access, kind, -1, 0) };
        assert_ne!(start, libc::MAP_FAILED, "4 GiB of addresses");
        Large(NonNull::new(start.cast()).expect("not at zero"))
    }
}

impl Drop for Large {
    fn drop(&mut self) {
        // SAFETY: mapped in `new` with this length; the tests wait for what uses it.
        unsafe { libc::munmap(self.0.as_ptr().cast(), LARGE_BYTES) };
    }
}

fn run(ring: &mut Ring, prep: impl FnOnce(&mut Sqe)) -> Result<u32, Errno> {
    prep(ring.get_sqe().expect("room"));
    ring.submit().expect("submitted");
    wait(ring).result()
}

/// From here on sends and receives are refused: the kernel takes their length as an `int`.
const TOO_LONG: u32 = 1 << 31;

const LENGTHS: [u32; 4] = [0x7fff_f000, 0x7fff_f001, 0x8000_0000, u32::MAX];

#[test]
#[cfg(target_pointer_width = "64")]
fn reads_deliver_what_there_is_and_receives_refuse_2_gib() {
    let mut ring = ring();
    let large = Large::new();
    let start = large.0.as_ptr();
    let version = File::open("/proc/version").expect("opened");
    let (mut ours, theirs) = UnixStream::pair().expect("a pair");
    for len in LENGTHS {
        // SAFETY: the mapping has 4 GiB and outlives the completion, which is waited for.
        let read = run(&mut ring, |sqe| unsafe {
            sqe.prep_read(version.as_raw_fd(), start, len, 0);
        });
        assert!(
            read.is_ok_and(|bytes| (10..4096).contains(&bytes)),
            "{len}: {read:?}"
        );
        ours.write_all(b"hello").expect("written");
        // SAFETY: as above.
        let received = run(&mut ring, |sqe| unsafe {
            sqe.prep_recv(theirs.as_raw_fd(), start, len, 0);
        });
        if len < TOO_LONG {
            assert_eq!(received, Ok(5), "{len}");
        } else {
            assert_eq!(received, Err(Errno::EINVAL), "{len}");
            // What was refused is still there.
            // SAFETY: as above.
            let received = run(&mut ring, |sqe| unsafe {
                sqe.prep_recv(theirs.as_raw_fd(), start, 5, 0);
            });
            assert_eq!(received, Ok(5));
        }
    }
}

#[test]
#[cfg(target_pointer_width = "64")]
fn writes_say_how_much_went_and_sends_refuse_2_gib() {
    let mut ring = ring();
    let large = Large::new();
    let start = large.0.as_ptr();
    let null = File::options()
        .write(true)
        .open("/dev/null")
        .expect("opened");
    for len in LENGTHS {
        // SAFETY: the mapping has 4 GiB and outlives the completion, which is waited for.
        let written = run(&mut ring, |sqe| unsafe {
            sqe.prep_write(null.as_raw_fd(), start, len, 0);
        });
        assert_eq!(
            written,
            Ok(0x7fff_f000),
            "{len}: the most that one call moves"
        );
        let (ours, _theirs) = UnixStream::pair().expect("a pair");
        // SAFETY: as above.
        let sent = run(&mut ring, |sqe| unsafe {
            sqe.prep_send(ours.as_raw_fd(), start, len, libc::MSG_DONTWAIT);
        });
        if len < TOO_LONG {
            assert!(sent.is_ok_and(|bytes| bytes >= 4096), "{len}: {sent:?}");
        } else {
            assert_eq!(sent, Err(Errno::EINVAL), "{len}");
        }
    }
}

#[test]
fn buffers_beyond_all_memory_are_refused() {
    let ring = ring();
    let made = BufRing::new(&ring, GROUP, 1 << 15, u32::MAX).map(drop);
    assert_eq!(made, Err(Errno::ENOMEM));
    assert_eq!(
        BufRing::new(&ring, GROUP, 1, 1).map(drop),
        Ok(()),
        "nothing stayed"
    );
}
