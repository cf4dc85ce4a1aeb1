//! Operations that run with credentials of their own.

use std::ffi::CString;
use std::fs::{self, Permissions};
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::thread;

use annulus_ring::{Errno, Ring};

use super::{ring, run};

const NOBODY: libc::uid_t = 65_534;

/// A file that only root may read, removed when dropped.
struct Secret(PathBuf);

impl Secret {
    fn new(name: &str) -> Secret {
        let name = format!("annulus-ring-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::write(&path, b"secret").expect("a temporary file");
        fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("ours");
        Secret(path)
    }

    /// Opens it with the personality `id`; 0 is the thread's own.
    fn open(&self, ring: &mut Ring, id: u16) -> Result<(), Errno> {
        let path = CString::new(self.0.as_os_str().as_bytes()).expect("no NUL");
        let cqe = run(ring, |sqe| {
            // SAFETY: `path` stays until the completion, which `run` waits for.
            let sqe = unsafe { sqe.prep_openat(libc::AT_FDCWD, path.as_ptr(), libc::O_RDONLY, 0) };
            sqe.set_personality(id);
        });
        let fd = cqe.result()? as i32;
        // SAFETY: just made, and nobody else's.
        drop(unsafe { OwnedFd::from_raw_fd(fd) });
        Ok(())
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Whether the test may become somebody else; says that it is skipped if not.
fn is_root() -> bool {
    // SAFETY: takes nothing.
    let root = unsafe { libc::geteuid() } == 0;
    if !root {
        eprintln!("skipped: only root can become another user");
        assert!(
            std::env::var_os("CI").is_none(),
            "a test was skipped under CI"
        );
    }
    root
}

/// Makes the calling thread, and only it, nobody's.
fn become_nobody() {
    // SAFETY: takes numbers only. The C library's function would change all threads.
    let done = unsafe { libc::syscall(libc::SYS_setresuid, NOBODY, NOBODY, NOBODY) };
    assert_eq!(done, 0);
}

#[test]
fn an_operation_has_the_rights_of_its_personality() {
    if !is_root() {
        return;
    }
    let secret = Secret::new("personality");
    thread::scope(|scope| {
        let nobody = || {
            let mut ring = ring();
            let root = ring.register_personality().expect("registered");
            assert_ne!(root.id(), 0);
            become_nobody();
            assert_eq!(secret.open(&mut ring, 0), Err(Errno::EACCES));
            assert_eq!(secret.open(&mut ring, root.id()), Ok(()));
            let nobody = ring.register_personality().expect("registered");
            assert_ne!(nobody.id(), root.id());
            assert_eq!(secret.open(&mut ring, nobody.id()), Err(Errno::EACCES));
            let id = root.id();
            root.unregister().expect("unregistered");
            assert_eq!(secret.open(&mut ring, id), Err(Errno::EINVAL));
        };
        scope.spawn(nobody).join().expect("no panic");
    });
}

#[test]
fn a_personality_takes_rights_away_too() {
    if !is_root() {
        return;
    }
    let secret = Secret::new("less");
    let mut ring = ring();
    let nobody = thread::scope(|scope| {
        let ring = &mut ring;
        let register = move || {
            become_nobody();
            ring.register_personality().expect("registered")
        };
        scope.spawn(register).join().expect("no panic")
    });
    assert_eq!(secret.open(&mut ring, 0), Ok(()));
    assert_eq!(secret.open(&mut ring, nobody.id()), Err(Errno::EACCES));
    assert_eq!(secret.open(&mut ring, 0), Ok(()), "only that operation");
}

#[test]
fn a_personality_that_is_gone_is_no_number() {
    let mut ring = ring();
    let nop = |ring: &mut Ring, id| {
        let cqe = run(ring, |sqe| {
            sqe.prep_nop().set_personality(id);
        });
        cqe.result()
    };
    assert_eq!(nop(&mut ring, 1234), Err(Errno::EINVAL));
    let mine = ring.register_personality().expect("registered");
    let id = mine.id();
    assert_eq!(nop(&mut ring, id), Ok(0));
    drop(mine);
    assert_eq!(nop(&mut ring, id), Err(Errno::EINVAL));
    let late = ring.register_personality().expect("registered");
    drop(ring);
    assert_eq!(late.unregister(), Err(Errno::EBADF));
}
