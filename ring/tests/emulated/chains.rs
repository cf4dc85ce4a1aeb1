//! Links, hard links, drains and linked timeouts.

use std::os::fd::AsRawFd;

use annulus_ring::{Errno, Opcode, Ring, Sqe, SqeFlags};
use annulus_syscalls::io_uring::__kernel_timespec;

use crate::both::{now, on_both, on_both_with, push, reap, reap_sorted};
use crate::support::{pipe, unix_pair};

const LATER: __kernel_timespec = __kernel_timespec {
    tv_sec: 1000,
    tv_nsec: 0,
};
const SOON: __kernel_timespec = __kernel_timespec {
    tv_sec: 0,
    tv_nsec: 1_000_000,
};

/// An entry that fails when it runs.
fn fail(sqe: &mut Sqe) {
    sqe.prep_timeout_remove(u64::MAX);
}

/// An entry that cannot be.
fn unknown(sqe: &mut Sqe) {
    // SAFETY: no kernel knows the opcode.
    unsafe { sqe.prep_nop().as_raw_mut() }.opcode = 250;
}

fn nop(sqe: &mut Sqe) {
    sqe.prep_nop();
}

#[test]
fn every_shape_of_a_chain_ends_alike() {
    const LINK: SqeFlags = SqeFlags::IO_LINK;
    const HARD: SqeFlags = SqeFlags::IO_HARDLINK;
    const QUIET: SqeFlags = SqeFlags::CQE_SKIP_SUCCESS;
    const NONE: SqeFlags = SqeFlags::NONE;
    type Entry = (fn(&mut Sqe), SqeFlags);
    let shapes: [&[Entry]; 11] = [
        &[(nop, LINK), (nop, LINK), (nop, NONE)],
        &[(fail, LINK), (nop, LINK), (nop, NONE)],
        &[(nop, LINK), (fail, LINK), (nop, NONE), (nop, NONE)],
        &[(fail, HARD), (nop, HARD), (nop, NONE)],
        &[(fail, HARD), (fail, LINK), (nop, NONE)],
        &[(nop, LINK), (unknown, LINK), (nop, NONE), (nop, NONE)],
        &[(unknown, LINK), (nop, NONE), (nop, NONE)],
        &[(unknown, HARD), (nop, NONE)],
        &[(nop, LINK | QUIET), (nop, LINK | QUIET), (nop, NONE)],
        &[(fail, LINK | QUIET), (nop, LINK), (nop, NONE), (nop, NONE)],
        &[(nop, QUIET), (fail, QUIET), (nop, NONE)],
    ];
    for (number, shape) in shapes.iter().enumerate() {
        on_both(|ring| {
            for (index, (prep, flags)) in shape.iter().enumerate() {
                push(ring, index as u64, |sqe| {
                    prep(sqe);
                    sqe.set_flags(*flags);
                });
            }
            // All of it runs within one enter.
            let mut all = now(ring);
            all.extend(now(ring));
            (number, all)
        });
    }
}

#[test]
fn a_chain_ends_with_the_submission() {
    on_both(|ring| {
        for user_data in 0..2 {
            push(ring, user_data, |sqe| {
                sqe.prep_nop().set_flags(SqeFlags::IO_LINK);
            });
        }
        reap(ring, 2)
    });
}

#[test]
fn a_drain_waits_for_what_was_before_and_is_waited_for() {
    on_both(|ring| {
        let (reader, mut writer) = pipe(0);
        let mut buf = [0_u8; 4];
        let (start, fd) = (buf.as_mut_ptr(), reader.as_raw_fd());
        push(ring, 0, |sqe| {
            // SAFETY: the buffer outlives the completion.
            unsafe { sqe.prep_read(fd, start, 4, u64::MAX) };
        });
        push(ring, 1, |sqe| {
            sqe.prep_nop().set_flags(SqeFlags::IO_DRAIN);
        });
        push(ring, 2, nop);
        assert_eq!(now(ring), [], "everything waits for the read");
        std::io::Write::write_all(&mut writer, b"data").expect("written");
        reap(ring, 3)
    });
}

#[test]
fn a_linked_timeout_cancels_what_it_limits_or_is_cancelled() {
    for (time, is_ready) in [(SOON, false), (LATER, true)] {
        on_both(|ring| {
            let (ours, mut theirs) = unix_pair();
            let mut buf = [0_u8; 4];
            let (start, fd) = (buf.as_mut_ptr(), ours.as_raw_fd());
            push(ring, 0, |sqe| {
                // SAFETY: the buffer outlives the completion.
                unsafe { sqe.prep_recv(fd, start, 4, 0) };
                sqe.set_flags(SqeFlags::IO_LINK);
            });
            push(ring, 1, |sqe| {
                // SAFETY: the time outlives the submission.
                unsafe { sqe.prep_link_timeout(&raw const time, 0) };
                sqe.set_flags(SqeFlags::IO_LINK);
            });
            push(ring, 2, nop);
            assert_eq!(now(ring), [], "the receive waits");
            if is_ready {
                std::io::Write::write_all(&mut theirs, b"data").expect("written");
            }
            reap_sorted(ring, 3)
        });
    }
}

#[test]
fn a_linked_timeout_needs_something_to_limit() {
    let alone = |ring: &mut Ring| {
        push(ring, 0, |sqe| {
            // SAFETY: the time is a constant.
            unsafe { sqe.prep_link_timeout(&raw const LATER_STATIC, 0) };
        });
        reap(ring, 1)
    };
    assert_eq!(on_both(alone)[0].1, Err(Errno::EINVAL));
    // What it limits is done at once.
    on_both(|ring| {
        push(ring, 0, |sqe| {
            sqe.prep_nop().set_flags(SqeFlags::IO_LINK);
        });
        push(ring, 1, |sqe| {
            // SAFETY: as above.
            unsafe { sqe.prep_link_timeout(&raw const LATER_STATIC, 0) };
        });
        reap(ring, 2)
    });
}

static LATER_STATIC: __kernel_timespec = LATER;

#[test]
fn a_timeout_counts_completions_and_can_be_removed() {
    on_both(|ring| {
        for (user_data, count) in [(0, 2), (1, 0)] {
            push(ring, user_data, |sqe| {
                // SAFETY: the time is a constant.
                unsafe { sqe.prep_timeout(&raw const LATER_STATIC, count, 0) };
            });
        }
        push(ring, 2, nop);
        assert_eq!(now(ring).len(), 1, "one of two");
        push(ring, 3, nop);
        let counted = now(ring);
        push(ring, 4, |sqe| {
            sqe.prep_timeout_remove(1);
        });
        push(ring, 5, |sqe| {
            sqe.prep_timeout_remove(99);
        });
        (counted, reap_sorted(ring, 3))
    });
}

#[test]
fn completions_beyond_the_queue_wait_and_none_is_lost() {
    let config = annulus_ring::RingConfig {
        sq_entries: 8,
        cq_entries: 8,
        ..annulus_ring::RingConfig::default()
    };
    let all = on_both_with(&config, |ring| {
        for round in 0..4 {
            for nth in 0..8 {
                push(ring, round * 8 + nth, nop);
            }
            ring.submit().expect("submitted");
        }
        assert!(ring.cq_overflowed());
        let mut all = Vec::new();
        while all.len() < 32 {
            all.extend(now(ring).into_iter().map(|seen| seen.0));
        }
        assert!(!ring.cq_overflowed());
        all
    });
    assert_eq!(all, (0..32).collect::<Vec<_>>());
}

#[test]
fn an_opcode_that_nobody_knows_is_refused_in_its_completion() {
    let all = on_both(|ring| {
        push(ring, 7, unknown);
        reap(ring, 1)
    });
    assert_eq!(all, [(7, Err(Errno::EINVAL), 0)]);
    assert_eq!(Opcode(250).since(), None);
}

#[test]
fn which_failures_break_a_chain_is_the_same() {
    type Prep = fn(&mut Sqe);
    const ON_SOCKET: i32 = i32::MAX;
    let failing: [Prep; 12] = [
        |sqe| {
            sqe.prep_fsync(ON_SOCKET, 0);
        },
        |sqe| {
            sqe.prep_fallocate(ON_SOCKET, 0, 0, 1);
        },
        |sqe| {
            sqe.prep_shutdown(ON_SOCKET, 9);
        },
        |sqe| {
            sqe.prep_close(-1);
        },
        |sqe| {
            sqe.prep_listen(ON_SOCKET, 1);
        },
        |sqe| {
            sqe.prep_socket(-1, 0, 0);
        },
        |sqe| {
            sqe.prep_ftruncate(ON_SOCKET, 1);
        },
        |sqe| {
            sqe.prep_fadvise(ON_SOCKET, 0, 0, 99);
        },
        |sqe| {
            // SAFETY: the path is static.
            unsafe { sqe.prep_unlinkat(-1, c"absent".as_ptr(), 0) };
        },
        |sqe| {
            // SAFETY: as above.
            unsafe { sqe.prep_mkdirat(-1, c"absent".as_ptr(), 0) };
        },
        |sqe| {
            // SAFETY: as above.
            unsafe { sqe.prep_openat(-1, c"absent".as_ptr(), 0, 0) };
        },
        |sqe| {
            // SAFETY: as above.
            unsafe { sqe.prep_symlinkat(c"x".as_ptr(), -1, c"absent".as_ptr()) };
        },
    ];
    for (number, prep) in failing.iter().enumerate() {
        let seen = on_both(|ring| {
            let (socket, _peer) = unix_pair();
            push(ring, 0, |sqe| {
                prep(sqe);
                // SAFETY: none of them lends memory that depends on the descriptor.
                let raw = unsafe { sqe.as_raw_mut() };
                if raw.fd == ON_SOCKET {
                    raw.fd = socket.as_raw_fd();
                }
                sqe.set_flags(SqeFlags::IO_LINK);
            });
            push(ring, 1, nop);
            (number, reap_sorted(ring, 2))
        });
        assert!(seen.1[0].1.is_err(), "{number} fails");
    }
}

#[test]
fn vectors_that_move_all_let_their_chain_go_on() {
    let all = on_both(|ring| {
        let file = crate::support::TempFile::new();
        let parts = [
            std::io::IoSlice::new(b"one "),
            std::io::IoSlice::new(b"two"),
        ];
        push(ring, 0, |sqe| {
            // SAFETY: the parts outlive the completion.
            unsafe { sqe.prep_writev(file.fd(), parts.as_ptr().cast(), 2, 0, 0) };
            sqe.set_flags(SqeFlags::IO_LINK);
        });
        push(ring, 1, nop);
        (reap_sorted(ring, 2), file.content())
    });
    assert_eq!(all.0[1].1, Ok(0));
}
