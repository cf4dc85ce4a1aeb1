//! Waiting for child processes.

use std::mem::MaybeUninit;
use std::process::Command;

use annulus_ring::{Errno, Opcode};

use crate::support::{has, result, ring};

#[test]
fn a_child_s_exit_is_waited_for_and_its_status_told() {
    let mut ring = ring();
    if !has(&ring, Opcode::WAITID) {
        return;
    }
    #[expect(clippy::zombie_processes, reason = "the ring waits for it")]
    let child = Command::new("/bin/sh")
        .args(["-c", "exit 7"])
        .spawn()
        .expect("a shell");
    let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
    let at = info.as_mut_ptr().cast();
    let options = libc::WEXITED as u32;
    // SAFETY: `info` outlives the completion.
    let waited = result(&mut ring, |sqe| unsafe {
        sqe.prep_waitid(libc::P_PID, child.id(), at, options)
    });
    assert_eq!(waited, Ok(0));
    // SAFETY: every bit pattern is a siginfo_t, and it was zeroed at first.
    let info = unsafe { info.assume_init() };
    assert_eq!(info.si_signo, libc::SIGCHLD);
    assert_eq!(info.si_code, libc::CLD_EXITED);
    // SAFETY: the signal is SIGCHLD, so this is the arm that was filled.
    let pid = unsafe { info.si_pid() };
    // SAFETY: as above.
    let status = unsafe { info.si_status() };
    assert_eq!((pid, status), (child.id() as i32, 7));
    // SAFETY: as above.
    let again = result(&mut ring, |sqe| unsafe {
        sqe.prep_waitid(libc::P_PID, child.id(), at, options)
    });
    assert_eq!(again, Err(Errno::ECHILD), "it was reaped");
}
