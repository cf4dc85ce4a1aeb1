//! What steers rings, other operations and processes: every argument at its byte.

use annulus_ring::{CancelMatch, Opcode, SqeFlags};
use proptest::prelude::proptest;

use super::abi::{Abi, Args, args};
use super::{entry, prepared};

/// The time stands in the entry: `IORING_TIMEOUT_IMMEDIATE_ARG`.
const IMMEDIATE: u32 = 0x80;

fn nops(args: &Args) {
    let (fd, [_, res, flags, ..]) = (args.fd(), args.words);
    let index = args.shorts[0];
    Abi::of(0).fd(-1).is(entry!(prep_nop()));
    Abi::of(0)
        .fd(fd)
        .len(res)
        .op_flags(flags)
        .buf_index(index)
        .is(entry!(prep_nop_with(flags, res as i32, fd, index)));
    let bits = args.shorts[1] as u8;
    Abi::of(0)
        .fd(-1)
        .sqe_flags(bits)
        .personality(index)
        .is(prepared(|sqe| {
            sqe.prep_nop()
                .set_flags(SqeFlags::from_bits(bits))
                .set_personality(index);
        }));
}

fn cancels(args: &Args) {
    let (fd, flags, target) = (args.fd(), args.words[1], args.longs[0]);
    let cancel = |fd| Abi::of(14).fd(fd);
    cancel(-1)
        .addr(target)
        .op_flags(flags)
        .is(entry!(prep_cancel64(target, flags)));
    cancel(fd)
        .op_flags(flags | 2)
        .is(entry!(prep_cancel_fd(fd, flags)));
    cancel(fd)
        .addr(target)
        .op_flags(2 | 16)
        .is(entry!(prep_cancel_match(
            &CancelMatch::fd(fd).with_user_data(target)
        )));
    cancel(-1)
        .len(27)
        .op_flags(1 | 32)
        .is(entry!(prep_cancel_match(
            &CancelMatch::opcode(Opcode::RECV).all()
        )));
    cancel(-1).op_flags(1 | 4).is(entry!(prep_cancel_any()));
}

fn timeouts(args: &Args) {
    let [_, count, flags, ..] = args.words;
    let (target, time_ns) = (args.longs[1], args.longs[2]);
    let time = || args.pointer(0);
    let timeout = |opcode| Abi::of(opcode).fd(-1).op_flags(flags);
    let counted = timeout(11).len(1).off(u64::from(count));
    counted
        .addr(args.address(0))
        .is(entry!(prep_timeout(time(), count, flags)));
    counted
        .addr(time_ns)
        .op_flags(flags | IMMEDIATE)
        .is(entry!(prep_timeout_immediate(time_ns, count, flags)));
    Abi::of(12)
        .fd(-1)
        .addr(target)
        .is(entry!(prep_timeout_remove(target)));
    let update = timeout(12).addr(target);
    update
        .off(args.address(0))
        .op_flags(flags | 2)
        .is(entry!(prep_timeout_update(target, time(), flags)));
    update
        .off(time_ns)
        .op_flags(flags | 2 | IMMEDIATE)
        .is(entry!(prep_timeout_update_immediate(
            target, time_ns, flags
        )));
    update
        .off(args.address(0))
        .op_flags(flags | 2 | 16)
        .is(entry!(prep_link_timeout_update(target, time(), flags)));
    let link = timeout(15).len(1);
    link.addr(args.address(0))
        .is(entry!(prep_link_timeout(time(), flags)));
    link.addr(time_ns)
        .op_flags(flags | IMMEDIATE)
        .is(entry!(prep_link_timeout_immediate(time_ns, flags)));
}

fn messages(args: &Args) {
    let (fd, [_, res, flags, cqe_flags, source, target]) = (args.fd(), args.words);
    let user_data = args.longs[0];
    let message = Abi::of(40).fd(fd).off(user_data).op_flags(flags);
    message
        .len(res)
        .is(entry!(prep_msg_ring(fd, user_data, res as i32, flags)));
    message
        .len(res)
        .op_flags(flags | 2)
        .file_index(cqe_flags)
        .is(entry!(prep_msg_ring_cqe_flags(
            fd, user_data, res as i32, flags, cqe_flags
        )));
    let target = target.min(0x7fff_ffff);
    message
        .addr(1)
        .addr3(u64::from(source))
        .file_index(target + 1)
        .is(entry!(prep_msg_ring_fd(
            fd, source, target, user_data, flags
        )));
}

fn futexes_and_children(args: &Args) {
    let [flags, count, options, ..] = args.words;
    let [_, value, mask, _] = args.longs;
    let futex = |opcode| {
        Abi::of(opcode)
            .fd(flags as i32)
            .addr(args.address(0))
            .off(value)
            .addr3(mask)
    };
    futex(51).is(entry!(prep_futex_wait(args.pointer(0), value, mask, flags)));
    futex(52).is(entry!(prep_futex_wake(args.pointer(0), value, mask, flags)));
    Abi::of(53)
        .addr(args.address(0))
        .len(count)
        .is(entry!(prep_futex_waitv(args.pointer(0), count)));
    Abi::of(50)
        .fd(flags as i32)
        .len(count)
        .off(args.address(0))
        .file_index(options)
        .is(entry!(prep_waitid(count, flags, args.pointer(0), options)));
}

fn epoll(args: &Args) {
    let (epoll_fd, [_, operation, fd, ..]) = (args.fd(), args.words);
    let epoll = |opcode| Abi::of(opcode).fd(epoll_fd).addr(args.address(0));
    epoll(29)
        .len(operation)
        .off(u64::from(fd))
        .is(entry!(prep_epoll_ctl(
            epoll_fd,
            operation as i32,
            fd as i32,
            args.pointer(0)
        )));
    epoll(59)
        .len(fd)
        .is(entry!(prep_epoll_wait(epoll_fd, args.pointer(0), fd)));
}

proptest! {
    #[test]
    fn every_argument_about_control_lands_at_its_byte(args in args()) {
        nops(&args);
        cancels(&args);
        timeouts(&args);
        messages(&args);
        futexes_and_children(&args);
        epoll(&args);
    }
}
