//! Reads, writes, sends, receives, polls and splices: every argument at its byte.

use annulus_ring::Sqe;
use proptest::prelude::proptest;

use super::abi::{Abi, Args, args};
use super::{entry, prepared};

const BUFFER_SELECT: u8 = 0x20;

fn reads_and_writes(args: &Args) {
    let (fd, [_, len, flags, ..]) = (args.fd(), args.words);
    let (off, addr, index) = (args.longs[0], args.address(1), args.shorts[0]);
    let (bytes, iov) = (args.pointer(1), args.pointer(1));
    let rw = |opcode| Abi::of(opcode).fd(fd).off(off).len(len);
    rw(22).addr(addr).is(entry!(prep_read(fd, bytes, len, off)));
    rw(23)
        .addr(addr)
        .is(entry!(prep_write(fd, bytes, len, off)));
    let vectored = |opcode| rw(opcode).addr(addr).op_flags(flags);
    vectored(1).is(entry!(prep_readv(fd, iov, len, off, flags)));
    vectored(2).is(entry!(prep_writev(fd, iov, len, off, flags)));
    let fixed = |opcode| rw(opcode).addr(addr).buf_index(index);
    fixed(4).is(entry!(prep_read_fixed(fd, bytes, len, off, index)));
    fixed(5).is(entry!(prep_write_fixed(fd, bytes, len, off, index)));
    let both = |opcode| vectored(opcode).buf_index(index);
    both(60).is(entry!(prep_readv_fixed(fd, iov, len, off, flags, index)));
    both(61).is(entry!(prep_writev_fixed(fd, iov, len, off, flags, index)));
    rw(22)
        .sqe_flags(BUFFER_SELECT)
        .buf_index(index)
        .is(entry!(prep_read_select(fd, len, off, index)));
    Abi::of(49)
        .fd(fd)
        .off(u64::MAX)
        .sqe_flags(BUFFER_SELECT)
        .buf_index(index)
        .is(entry!(prep_read_multishot(fd, index)));
    rw(22)
        .addr(addr)
        .op_flags(flags)
        .ioprio(index)
        .is(prepared(|sqe| {
            // SAFETY: the entry is never submitted.
            unsafe { sqe.prep_read(fd, bytes, len, off) }
                .set_rw_flags(flags)
                .set_io_priority(index);
        }));
}

fn sends(args: &Args) {
    let (fd, [_, len, flags, ..]) = (args.fd(), args.words);
    let (addr, to, [index, zc, to_len]) = (args.address(0), args.address(1), args.shorts);
    let (bytes, iov, message) = (args.pointer(0), args.pointer(0), args.pointer(0));
    let (destination, signed) = (args.pointer(1), flags as i32);
    let send = |opcode| Abi::of(opcode).fd(fd).addr(addr).len(len).op_flags(flags);
    let addressed = |opcode| send(opcode).off(to).addr_len(to_len);
    send(26).is(entry!(prep_send(fd, bytes, len, signed)));
    addressed(26).is(entry!(prep_sendto(
        fd,
        bytes,
        len,
        signed,
        destination,
        to_len
    )));
    send(26)
        .addr(0)
        .sqe_flags(BUFFER_SELECT)
        .buf_index(index)
        .is(entry!(prep_send_select(fd, len, signed, index)));
    send(47)
        .ioprio(zc)
        .is(entry!(prep_send_zc(fd, bytes, len, signed, zc)));
    send(47)
        .ioprio(zc | 4)
        .buf_index(index)
        .is(entry!(prep_send_zc_fixed(
            fd, bytes, len, signed, zc, index
        )));
    addressed(47).ioprio(zc).is(entry!(prep_sendto_zc(
        fd,
        bytes,
        len,
        signed,
        zc,
        destination,
        to_len
    )));
    send(47)
        .ioprio(zc | 0x20)
        .is(entry!(prep_send_zc_vectored(fd, iov, len, signed, zc)));
    let one = |opcode| send(opcode).len(1);
    one(9).is(entry!(prep_sendmsg(fd, message, signed)));
    one(48)
        .ioprio(zc)
        .is(entry!(prep_sendmsg_zc(fd, message, signed, zc)));
    one(48)
        .ioprio(zc | 4)
        .buf_index(index)
        .is(entry!(prep_sendmsg_zc_fixed(
            fd, message, signed, zc, index
        )));
}

fn receives(args: &Args) {
    let (fd, [_, len, flags, queue, ..]) = (args.fd(), args.words);
    let (addr, group) = (args.address(0), args.shorts[0]);
    let (bytes, message, signed) = (args.pointer(0), args.pointer(0), flags as i32);
    let recv = |opcode| Abi::of(opcode).fd(fd).op_flags(flags);
    recv(27)
        .addr(addr)
        .len(len)
        .is(entry!(prep_recv(fd, bytes, len, signed)));
    let select = |opcode| recv(opcode).sqe_flags(BUFFER_SELECT).buf_index(group);
    select(27)
        .len(len)
        .is(entry!(prep_recv_select(fd, len, signed, group)));
    select(27)
        .ioprio(2)
        .is(entry!(prep_recv_multishot(fd, signed, group)));
    recv(10)
        .addr(addr)
        .len(1)
        .is(entry!(prep_recvmsg(fd, message, signed)));
    select(10)
        .ioprio(2)
        .addr(addr)
        .len(1)
        .is(entry!(prep_recvmsg_multishot(fd, message, signed, group)));
    Abi::of(58)
        .fd(fd)
        .len(len)
        .ioprio(2)
        .file_index(queue)
        .is(entry!(prep_recv_zc(fd, len, queue)));
    select(27)
        .ioprio(2 | 1 | 0x10)
        .is(prepared(|sqe: &mut Sqe| {
            // SAFETY: the entry is never submitted.
            unsafe { sqe.prep_recv_multishot(fd, signed, group) }
                .set_poll_first()
                .set_bundle();
        }));
}

fn provided_buffers(args: &Args) {
    let ([_, len, ..], [count, group, first]) = (args.words, args.shorts);
    Abi::of(31)
        .fd(i32::from(count))
        .addr(args.address(0))
        .len(len)
        .off(u64::from(first))
        .buf_index(group)
        .is(entry!(prep_provide_buffers(
            args.pointer(0),
            len,
            count,
            group,
            first
        )));
    Abi::of(32)
        .fd(i32::from(count))
        .buf_index(group)
        .is(entry!(prep_remove_buffers(count, group)));
}

fn polls(args: &Args) {
    let (fd, [_, mask, flags, ..]) = (args.fd(), args.words);
    let [old, new, ..] = args.longs;
    // On big endian the kernel reads the mask with its halves swapped.
    let placed = if cfg!(target_endian = "big") {
        mask.rotate_left(16)
    } else {
        mask
    };
    let poll = Abi::of(6).fd(fd).op_flags(placed);
    poll.is(entry!(prep_poll_add(fd, mask)));
    poll.len(1).is(entry!(prep_poll_multishot(fd, mask)));
    Abi::of(7)
        .fd(-1)
        .addr(old)
        .is(entry!(prep_poll_remove(old)));
    Abi::of(7)
        .fd(-1)
        .addr(old)
        .off(new)
        .len(flags)
        .op_flags(placed)
        .is(entry!(prep_poll_update(old, new, mask, flags)));
}

fn splices(args: &Args) {
    let (fd_in, [_, fd_out, len, flags, ..]) = (args.fd(), args.words);
    let [off_in, off_out, ..] = args.longs;
    let out = fd_out as i32;
    let move_data = |opcode| {
        Abi::of(opcode)
            .fd(out)
            .file_index(fd_in as u32)
            .len(len)
            .op_flags(flags)
    };
    move_data(30)
        .addr(off_in)
        .off(off_out)
        .is(entry!(prep_splice(fd_in, off_in, out, off_out, len, flags)));
    move_data(33).is(entry!(prep_tee(fd_in, out, len, flags)));
}

proptest! {
    #[test]
    fn every_argument_about_data_lands_at_its_byte(args in args()) {
        reads_and_writes(&args);
        sends(&args);
        receives(&args);
        provided_buffers(&args);
        polls(&args);
        splices(&args);
    }
}
