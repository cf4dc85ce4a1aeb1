//! Files, names, attributes and sockets: every argument at its byte.

use proptest::prelude::proptest;

use super::abi::{Abi, Args, args};
use super::{entry, prepared};

const FIXED_FILE: u8 = 1;

fn files(args: &Args) {
    let (fd, [_, len, flags, mode, ..]) = (args.fd(), args.words);
    let [off, long, ..] = args.longs;
    let (path, other) = (args.pointer(0), args.pointer(1));
    let (path_at, other_at) = (args.address(0), args.address(1));
    let signed = flags as i32;
    let at_path = |opcode| Abi::of(opcode).fd(fd).addr(path_at);
    at_path(18)
        .len(mode)
        .op_flags(flags)
        .is(entry!(prep_openat(fd, path, signed, mode)));
    at_path(28)
        .len(24)
        .off(other_at)
        .is(entry!(prep_openat2(fd, path, args.pointer(1))));
    at_path(21)
        .len(mode)
        .op_flags(flags)
        .off(other_at)
        .is(entry!(prep_statx(fd, path, signed, mode, other)));
    let file = |opcode| Abi::of(opcode).fd(fd);
    file(3).op_flags(flags).is(entry!(prep_fsync(fd, flags)));
    let range = |opcode| file(opcode).op_flags(flags).len(len).off(off);
    range(3).is(entry!(prep_fsync_range(fd, flags, off, len)));
    range(8).is(entry!(prep_sync_file_range(fd, len, off, flags)));
    file(17)
        .len(mode)
        .off(off)
        .addr(long)
        .is(entry!(prep_fallocate(fd, mode as i32, off, long)));
    file(55).off(off).is(entry!(prep_ftruncate(fd, off)));
    range(24).is(entry!(prep_fadvise(fd, off, len, signed)));
    file(24)
        .op_flags(flags)
        .off(off)
        .addr(long)
        .is(entry!(prep_fadvise64(fd, off, long, signed)));
    let advice = Abi::of(25).fd(-1).addr(path_at).op_flags(flags);
    advice
        .len(len)
        .is(entry!(prep_madvise(args.pointer(0), len, signed)));
    advice
        .off(long)
        .is(entry!(prep_madvise64(args.pointer(0), long, signed)));
    Abi::of(20)
        .fd(-1)
        .addr(path_at)
        .len(len)
        .off(u64::from(mode))
        .is(entry!(prep_files_update(args.pointer(0), len, mode)));
    Abi::of(54)
        .fd(len as i32)
        .op_flags(flags)
        .sqe_flags(FIXED_FILE)
        .is(entry!(prep_fixed_fd_install(len, flags)));
    Abi::of(62)
        .addr(path_at)
        .op_flags(flags)
        .is(entry!(prep_pipe(args.pointer(0), signed)));
}

fn names(args: &Args) {
    let (fd, [_, other_fd, flags, mode, ..]) = (args.fd(), args.words);
    let (old, new) = (args.pointer(0), args.pointer(1));
    let (other, signed) = (other_fd as i32, flags as i32);
    let one = |opcode| Abi::of(opcode).fd(fd).addr(args.address(0));
    let two = |opcode| one(opcode).off(args.address(1));
    two(35)
        .len(other_fd)
        .op_flags(flags)
        .is(entry!(prep_renameat(fd, old, other, new, flags)));
    one(36)
        .op_flags(flags)
        .is(entry!(prep_unlinkat(fd, old, signed)));
    one(37).len(mode).is(entry!(prep_mkdirat(fd, old, mode)));
    two(38).is(entry!(prep_symlinkat(old, fd, new)));
    two(39)
        .len(other_fd)
        .op_flags(flags)
        .is(entry!(prep_linkat(fd, old, other, new, signed)));
}

fn attributes(args: &Args) {
    let (fd, [_, len, flags, ..]) = (args.fd(), args.words);
    let (name, path) = (args.pointer(0), args.pointer(2));
    let signed = flags as i32;
    let attribute = |opcode| {
        Abi::of(opcode)
            .addr(args.address(0))
            .off(args.address(1))
            .len(len)
    };
    attribute(41)
        .fd(fd)
        .op_flags(flags)
        .is(entry!(prep_fsetxattr(
            fd,
            name,
            args.pointer(1),
            signed,
            len
        )));
    attribute(42)
        .addr3(args.address(2))
        .op_flags(flags)
        .is(entry!(prep_setxattr(
            name,
            args.pointer(1),
            path,
            signed,
            len
        )));
    attribute(43)
        .fd(fd)
        .is(entry!(prep_fgetxattr(fd, name, args.pointer(1), len)));
    attribute(44)
        .addr3(args.address(2))
        .is(entry!(prep_getxattr(name, args.pointer(1), path, len)));
}

fn sockets(args: &Args) {
    let (fd, [_, len, flags, level, name, command]) = (args.fd(), args.words);
    let (addr, addr_at, signed) = (args.pointer(0), args.address(0), flags as i32);
    let socket = |opcode| Abi::of(opcode).fd(fd);
    socket(13)
        .addr(addr_at)
        .off(args.address(1))
        .op_flags(flags)
        .is(entry!(prep_accept(fd, addr, args.pointer(1), signed)));
    let multishot = socket(13).op_flags(flags);
    multishot
        .ioprio(1)
        .is(entry!(prep_multishot_accept(fd, signed)));
    multishot.ioprio(1 | 2 | 4).is(prepared(|sqe| {
        sqe.prep_multishot_accept(fd, signed)
            .set_accept_dontwait()
            .set_accept_poll_first();
    }));
    let named = |opcode| socket(opcode).addr(addr_at).off(u64::from(len));
    named(16).is(entry!(prep_connect(fd, args.pointer(0), len)));
    named(56).is(entry!(prep_bind(fd, args.pointer(0), len)));
    socket(45)
        .off(u64::from(flags))
        .len(len)
        .is(entry!(prep_socket(fd, signed, len as i32)));
    socket(57).len(len).is(entry!(prep_listen(fd, len as i32)));
    socket(34)
        .len(len)
        .is(entry!(prep_shutdown(fd, len as i32)));
    socket(19).is(entry!(prep_close(fd)));
    let commanded = socket(46).cmd_op(command);
    commanded
        .level_and_name(level, name)
        .file_index(len)
        .addr3(addr_at)
        .is(entry!(prep_cmd_sock(
            command,
            fd,
            level as i32,
            name as i32,
            addr,
            len
        )));
    commanded
        .op_flags(flags)
        .addr3(args.longs[2])
        .last(args.longs[3])
        .is(entry!(prep_uring_cmd(
            command,
            fd,
            flags,
            [args.longs[2], args.longs[3]]
        )));
    socket(46)
        .cmd_op(5)
        .addr(addr_at)
        .file_index(1)
        .addr3(args.address(1))
        .is(entry!(prep_cmd_getsockname(
            fd,
            addr,
            args.pointer(1),
            true
        )));
    socket(46)
        .cmd_op(0x1200)
        .addr(args.longs[2])
        .addr3(args.longs[3])
        .is(entry!(prep_cmd_discard(fd, args.longs[2], args.longs[3])));
}

fn slots(args: &Args) {
    let slot = args.words[1];
    // The largest slot numbers would wrap to "none" and to "any": they become one that no table
    // has.
    let placed = match slot {
        0xffff_fffe | u32::MAX => 0xffff_fffe,
        other => other + 1,
    };
    Abi::of(19)
        .file_index(placed)
        .is(entry!(prep_close_direct(slot)));
    Abi::of(19).file_index(u32::MAX).is(prepared(|sqe| {
        sqe.prep_close(0).set_direct_alloc();
    }));
}

proptest! {
    #[test]
    fn every_argument_about_files_lands_at_its_byte(args in args()) {
        files(&args);
        names(&args);
        attributes(&args);
        sockets(&args);
        slots(&args);
    }
}
