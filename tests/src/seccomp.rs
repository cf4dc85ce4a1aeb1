//! Our own seccomp filter: chosen system calls answer a chosen errno.

use std::io;

use libc::{c_long, sock_filter, sock_fprog};

use crate::is_emulated;

/// The calls without which there is no ring.
pub const IO_URING: &[c_long] = &[
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
];

/// The calls that make or use an epoll instance.
pub const EPOLL: &[c_long] = &[
    #[cfg(target_arch = "x86_64")]
    libc::SYS_epoll_create,
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_epoll_wait,
    libc::SYS_epoll_pwait,
    libc::SYS_epoll_pwait2,
];

/// The calls that wait in an epoll instance.
const EPOLL_WAIT: &[c_long] = &[
    #[cfg(target_arch = "x86_64")]
    libc::SYS_epoll_wait,
    libc::SYS_epoll_pwait,
    libc::SYS_epoll_pwait2,
];

/// From now on no ring can be entered by this thread, nor by those it starts: EPERM.
///
/// # Panics
///
/// If the filter is refused, which it needs no privilege for.
pub fn kill_rings() {
    fail_rings(libc::EPERM);
}

/// As [`kill_rings`], with another error.
///
/// # Panics
///
/// As [`kill_rings`].
pub fn fail_rings(errno: i32) {
    let calls = if is_emulated() {
        EPOLL_WAIT
    } else {
        &IO_URING[1..2]
    };
    refuse(calls, errno).expect("a filter needs no privilege");
}

/// Makes `calls` answer `errno` on this thread and on those it starts from now on. It cannot be
/// taken back, so it belongs into [`in_child`](crate::in_child).
///
/// # Errors
///
/// That of prctl(2).
///
/// # Panics
///
/// On more than 200 calls: the jumps of a filter are bytes.
pub fn refuse(calls: &[c_long], errno: i32) -> io::Result<()> {
    assert!(
        calls.len() <= 200,
        "{} calls do not fit one filter",
        calls.len()
    );
    // if nr is in calls: return ERRNO(errno), else: return ALLOW
    let mut filter = vec![load(std::mem::offset_of!(libc::seccomp_data, nr) as u32)];
    for (index, call) in calls.iter().enumerate() {
        let to_errno = (calls.len() - index) as u8;
        filter.push(jump_if_equal(*call as u32, to_errno));
    }
    filter.push(answer(libc::SECCOMP_RET_ALLOW));
    filter.push(answer(libc::SECCOMP_RET_ERRNO | errno as u32));

    let program = sock_fprog {
        len: filter.len() as u16,
        filter: filter.as_mut_ptr(),
    };
    // SAFETY: this option takes no pointer.
    if unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the program and its filter live across the call, which copies them.
    let set = unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &program) };
    if set != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

fn load(offset: u32) -> sock_filter {
    instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, offset)
}

fn jump_if_equal(value: u32, distance: u8) -> sock_filter {
    instruction(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, distance, value)
}

fn answer(value: u32) -> sock_filter {
    instruction(libc::BPF_RET | libc::BPF_K, 0, value)
}

fn instruction(code: u32, if_true: u8, k: u32) -> sock_filter {
    sock_filter {
        code: code as u16,
        jt: if_true,
        jf: 0,
        k,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::on_thread;

    #[test]
    fn a_refused_call_answers_its_errno_and_others_run() {
        // A filter belongs to its thread, so a thread of its own is room enough.
        on_thread(|| {
            refuse(EPOLL, libc::ENOSYS).expect("a filter needs no privilege");
            // SAFETY: takes no pointer.
            let fd = unsafe { libc::epoll_create1(0) };
            assert_eq!(fd, -1);
            assert_eq!(
                io::Error::last_os_error().raw_os_error(),
                Some(libc::ENOSYS)
            );
            assert!(std::fs::metadata("/").is_ok());
        });
    }
}
