//! Children waited for through the ring: how they ended, and what else may happen.

#![expect(
    clippy::zombie_processes,
    reason = "the ring waits for these children, which std does not know"
)]

use std::mem::MaybeUninit;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use annulus_ring::{Errno, Opcode, Ring, SqeFlags};

use super::support::{assert_quiet, entry, has, reap_one, results, ring, span, until};

fn ready() -> Option<Ring> {
    let ring = ring();
    has(&ring, Opcode::WAITID).then_some(ring)
}

fn shell(script: &str) -> Child {
    Command::new("/bin/sh")
        .args(["-c", script])
        .stdin(Stdio::piped())
        .spawn()
        .expect("there is a shell")
}

/// A child that lives until its input ends, and ends with 3 then.
fn waiting() -> Child {
    shell("read line; exit 3")
}

/// Queues a wait for `child`.
///
/// # Safety
/// `info` stays until the completion.
unsafe fn wait(ring: &mut Ring, child: &Child, info: *mut libc::siginfo_t, options: i32) {
    let (id_type, id) = (libc::P_PID, child.id());
    let sqe = entry(ring, 1);
    // SAFETY: promised by the caller.
    unsafe { sqe.prep_waitid(id_type, id, info.cast(), options as u32) };
}

/// Who changed, how, and with which status.
fn told(info: &MaybeUninit<libc::siginfo_t>) -> (i32, i32, i32) {
    // SAFETY: zeroed at first, which is a valid `siginfo_t`.
    let info = unsafe { info.assume_init_ref() };
    // SAFETY: the kernel filled it as for SIGCHLD.
    let pid = unsafe { info.si_pid() };
    // SAFETY: as above.
    let status = unsafe { info.si_status() };
    (pid, info.si_code, status)
}

#[test]
fn a_child_that_ends_tells_its_exit_code() {
    let Some(mut ring) = ready() else { return };
    for (script, code) in [("exit 0", 0), ("exit 7", 7), ("exit 255", 255)] {
        let child = shell(script);
        let mut info = MaybeUninit::zeroed();
        // SAFETY: `info` outlives the completion, which is waited for.
        unsafe { wait(&mut ring, &child, info.as_mut_ptr(), libc::WEXITED) };
        assert_eq!(reap_one(&mut ring).result(), Ok(0));
        assert_eq!(told(&info), (child.id() as i32, libc::CLD_EXITED, code));
    }
}

#[test]
fn a_child_that_is_killed_tells_the_signal() {
    let Some(mut ring) = ready() else { return };
    let mut child = waiting();
    let mut info = MaybeUninit::zeroed();
    // SAFETY: `info` outlives the completion, which is waited for.
    unsafe { wait(&mut ring, &child, info.as_mut_ptr(), libc::WEXITED) };
    ring.submit().expect("submitted");
    assert_quiet(&mut ring);
    child.kill().expect("it lives");
    assert_eq!(reap_one(&mut ring).result(), Ok(0));
    assert_eq!(
        told(&info),
        (child.id() as i32, libc::CLD_KILLED, libc::SIGKILL)
    );
}

#[test]
fn a_child_that_stops_and_goes_on_tells_both() {
    let Some(mut ring) = ready() else { return };
    let child = waiting();
    let pid = child.id() as i32;
    let steps = [
        (libc::SIGSTOP, libc::WSTOPPED, libc::CLD_STOPPED),
        (libc::SIGCONT, libc::WCONTINUED, libc::CLD_CONTINUED),
        (libc::SIGKILL, libc::WEXITED, libc::CLD_KILLED),
    ];
    for (signal, options, code) in steps {
        let mut info = MaybeUninit::zeroed();
        // SAFETY: `info` outlives the completion, which is waited for.
        unsafe { wait(&mut ring, &child, info.as_mut_ptr(), options) };
        ring.submit().expect("submitted");
        // SAFETY: our child, which has not been reaped.
        assert_eq!(unsafe { libc::kill(pid, signal) }, 0);
        assert_eq!(reap_one(&mut ring).result(), Ok(0));
        assert_eq!(told(&info), (pid, code, signal));
    }
}

#[test]
fn a_child_is_left_to_be_waited_for_again_and_the_information_may_be_left_out() {
    let Some(mut ring) = ready() else { return };
    let mut child = shell("exit 4");
    // SAFETY: there is no memory.
    unsafe {
        wait(
            &mut ring,
            &child,
            std::ptr::null_mut(),
            libc::WEXITED | libc::WNOWAIT,
        )
    };
    assert_eq!(reap_one(&mut ring).result(), Ok(0));
    let status = child.wait().expect("still there");
    assert_eq!(status.code(), Some(4));
    // Reaped: nobody is there.
    // SAFETY: as above.
    unsafe { wait(&mut ring, &child, std::ptr::null_mut(), libc::WEXITED) };
    assert_eq!(reap_one(&mut ring).result(), Err(Errno::ECHILD));
}

#[test]
fn a_wait_that_may_not_wait_says_that_nothing_is_there() {
    let Some(mut ring) = ready() else { return };
    let mut child = waiting();
    let mut info = MaybeUninit::zeroed();
    let options = libc::WEXITED | libc::WNOHANG;
    // SAFETY: `info` outlives the completion, which is waited for.
    unsafe { wait(&mut ring, &child, info.as_mut_ptr(), options) };
    assert_eq!(reap_one(&mut ring).result(), Ok(0));
    assert_eq!(told(&info).0, 0, "nobody");
    drop(child.stdin.take());
    assert_eq!(child.wait().expect("it ends").code(), Some(3));
}

#[test]
fn a_wait_is_cancelled_and_limited_and_the_child_lives_on() {
    let Some(mut ring) = ready() else { return };
    let mut child = waiting();
    let mut info = MaybeUninit::zeroed();
    // SAFETY: `info` outlives the completion, which is waited for.
    unsafe { wait(&mut ring, &child, info.as_mut_ptr(), libc::WEXITED) };
    ring.submit().expect("submitted");
    entry(&mut ring, 2).prep_cancel64(1, 0);
    let ended = results(&mut ring, 2);
    // How many were found, where others say 0.
    assert_eq!((ended[&1], ended[&2]), (Err(Errno::ECANCELED), Ok(1)));
    let time = span(Duration::from_millis(5));
    let options = libc::WEXITED as u32;
    let at = info.as_mut_ptr().cast();
    // SAFETY: as above.
    unsafe { entry(&mut ring, 3).prep_waitid(libc::P_PID, child.id(), at, options) }
        .add_flags(SqeFlags::IO_LINK);
    // SAFETY: `time` outlives the submission in `results`.
    unsafe { entry(&mut ring, 4).prep_link_timeout(&raw const time, 0) };
    let ended = results(&mut ring, 2);
    assert_eq!((ended[&3], ended[&4]), (Err(Errno::ECANCELED), Ok(1)));
    // The child is nobody's but ours again.
    drop(child.stdin.take());
    assert_eq!(child.wait().expect("it ends").code(), Some(3));
}

#[test]
fn waits_race_with_cancels_and_the_child_is_reaped_by_one_of_us() {
    let Some(mut ring) = ready() else { return };
    let (mut by_ring, mut by_us) = (0, 0);
    for round in 0..super::support::rounds(200) {
        let mut child = waiting();
        let mut info = MaybeUninit::zeroed();
        // SAFETY: `info` outlives the completion, which is waited for.
        unsafe { wait(&mut ring, &child, info.as_mut_ptr(), libc::WEXITED) };
        ring.submit().expect("submitted");
        drop(child.stdin.take());
        if round % 2 == 0 {
            until("the end of the child", || has_ended(child.id()));
        }
        entry(&mut ring, 2).prep_cancel64(1, 0);
        let ended = results(&mut ring, 2);
        match (ended[&1], ended[&2]) {
            (Ok(0), Err(Errno::ENOENT | Errno::EALREADY)) => {
                assert_eq!(told(&info), (child.id() as i32, libc::CLD_EXITED, 3));
                by_ring += 1;
            }
            (Err(Errno::ECANCELED), Ok(1)) => {
                assert_eq!(child.wait().expect("not reaped").code(), Some(3));
                by_us += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    println!("by the ring {by_ring}, by us {by_us}");
}

/// Whether the process has ended: a zombie, or reaped.
fn has_ended(pid: u32) -> bool {
    match std::fs::read_to_string(format!("/proc/{pid}/stat")) {
        Ok(stat) => stat
            .rsplit(')')
            .next()
            .is_some_and(|rest| rest.starts_with(" Z")),
        Err(_) => true,
    }
}

#[test]
fn bad_waits_are_refused() {
    let Some(mut ring) = ready() else { return };
    let mut child = waiting();
    let null = std::ptr::null_mut;
    let bad = [
        (99, child.id(), libc::WEXITED as u32, Errno::EINVAL),
        (libc::P_PID, child.id(), 0, Errno::EINVAL),
        (libc::P_PID, child.id(), 1 << 30, Errno::EINVAL),
        (libc::P_PID, 0, libc::WEXITED as u32, Errno::EINVAL),
        (libc::P_PID, 1, libc::WEXITED as u32, Errno::ECHILD),
    ];
    for (id_type, id, options, errno) in bad {
        // SAFETY: there is no memory.
        unsafe { entry(&mut ring, 1).prep_waitid(id_type, id, null(), options) };
        assert_eq!(
            reap_one(&mut ring).result(),
            Err(errno),
            "{id_type} {id} {options:#x}"
        );
    }
    drop(child.stdin.take());
    assert_eq!(child.wait().expect("it ends").code(), Some(3));
}
