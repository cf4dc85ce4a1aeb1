//! The error numbers of x86_64 and aarch64 (`asm-generic/errno-base.h`, `asm-generic/errno.h`).
//!
//! Other architectures number some of them differently; they need a table of their own.

use super::Errno;

impl Errno {
    /// Operation not permitted: the privilege is missing.
    pub const EPERM: Errno = Errno(1);
    /// No such file, directory or object.
    pub const ENOENT: Errno = Errno(2);
    /// No such process.
    pub const ESRCH: Errno = Errno(3);
    /// A signal arrived before anything was done.
    pub const EINTR: Errno = Errno(4);
    /// The device reported an error.
    pub const EIO: Errno = Errno(5);
    /// No such device or address.
    pub const ENXIO: Errno = Errno(6);
    /// An argument is larger than the kernel takes.
    pub const E2BIG: Errno = Errno(7);
    /// Not an executable the kernel knows.
    pub const ENOEXEC: Errno = Errno(8);
    /// Not an open file descriptor, or not open for this.
    pub const EBADF: Errno = Errno(9);
    /// No child processes.
    pub const ECHILD: Errno = Errno(10);
    /// It would block, or a resource is momentarily short: try again.
    pub const EAGAIN: Errno = Errno(11);
    /// Not enough memory, or over a memory limit.
    pub const ENOMEM: Errno = Errno(12);
    /// Permission denied.
    pub const EACCES: Errno = Errno(13);
    /// An address is not mapped as the call needs it.
    pub const EFAULT: Errno = Errno(14);
    /// A block device is needed.
    pub const ENOTBLK: Errno = Errno(15);
    /// In use.
    pub const EBUSY: Errno = Errno(16);
    /// It exists already.
    pub const EEXIST: Errno = Errno(17);
    /// A link across file systems.
    pub const EXDEV: Errno = Errno(18);
    /// No such device.
    pub const ENODEV: Errno = Errno(19);
    /// A path component is not a directory.
    pub const ENOTDIR: Errno = Errno(20);
    /// It is a directory.
    pub const EISDIR: Errno = Errno(21);
    /// An argument is not valid, or not known to this kernel.
    pub const EINVAL: Errno = Errno(22);
    /// The system, or a ring's file table, has no free file left.
    pub const ENFILE: Errno = Errno(23);
    /// The process has no free descriptor left.
    pub const EMFILE: Errno = Errno(24);
    /// The file does not take this ioctl.
    pub const ENOTTY: Errno = Errno(25);
    /// The file is being executed.
    pub const ETXTBSY: Errno = Errno(26);
    /// The file would grow too large.
    pub const EFBIG: Errno = Errno(27);
    /// No space left.
    pub const ENOSPC: Errno = Errno(28);
    /// The file cannot seek.
    pub const ESPIPE: Errno = Errno(29);
    /// The file system is read-only.
    pub const EROFS: Errno = Errno(30);
    /// Too many links.
    pub const EMLINK: Errno = Errno(31);
    /// The reading end is closed.
    pub const EPIPE: Errno = Errno(32);
    /// An argument outside a function's domain.
    pub const EDOM: Errno = Errno(33);
    /// A result that does not fit.
    pub const ERANGE: Errno = Errno(34);
    /// It would deadlock.
    pub const EDEADLK: Errno = Errno(35);
    /// A file name is too long.
    pub const ENAMETOOLONG: Errno = Errno(36);
    /// No locks available.
    pub const ENOLCK: Errno = Errno(37);
    /// The kernel, or a filter before it, does not have this call.
    pub const ENOSYS: Errno = Errno(38);
    /// The directory is not empty.
    pub const ENOTEMPTY: Errno = Errno(39);
    /// Too many symbolic links.
    pub const ELOOP: Errno = Errno(40);
    /// No message of the wanted type.
    pub const ENOMSG: Errno = Errno(42);
    /// The identifier was removed.
    pub const EIDRM: Errno = Errno(43);
    /// Channel number out of range.
    pub const ECHRNG: Errno = Errno(44);
    /// Level 2 is not synchronised.
    pub const EL2NSYNC: Errno = Errno(45);
    /// Level 3 halted.
    pub const EL3HLT: Errno = Errno(46);
    /// Level 3 was reset.
    pub const EL3RST: Errno = Errno(47);
    /// Link number out of range.
    pub const ELNRNG: Errno = Errno(48);
    /// The protocol driver is not attached.
    pub const EUNATCH: Errno = Errno(49);
    /// No CSI structure available.
    pub const ENOCSI: Errno = Errno(50);
    /// Level 2 halted.
    pub const EL2HLT: Errno = Errno(51);
    /// An exchange that is not valid.
    pub const EBADE: Errno = Errno(52);
    /// A request descriptor that is not valid.
    pub const EBADR: Errno = Errno(53);
    /// The exchange is full.
    pub const EXFULL: Errno = Errno(54);
    /// No anode.
    pub const ENOANO: Errno = Errno(55);
    /// A request code that is not valid.
    pub const EBADRQC: Errno = Errno(56);
    /// A slot that is not valid.
    pub const EBADSLT: Errno = Errno(57);
    /// A font file of the wrong format.
    pub const EBFONT: Errno = Errno(59);
    /// The device is not a stream.
    pub const ENOSTR: Errno = Errno(60);
    /// There is no data, or no such attribute.
    pub const ENODATA: Errno = Errno(61);
    /// The time ran out.
    pub const ETIME: Errno = Errno(62);
    /// No stream resources left.
    pub const ENOSR: Errno = Errno(63);
    /// The machine is not on the network.
    pub const ENONET: Errno = Errno(64);
    /// The package is not installed.
    pub const ENOPKG: Errno = Errno(65);
    /// The object is remote.
    pub const EREMOTE: Errno = Errno(66);
    /// The link was severed.
    pub const ENOLINK: Errno = Errno(67);
    /// Advertise error.
    pub const EADV: Errno = Errno(68);
    /// Srmount error.
    pub const ESRMNT: Errno = Errno(69);
    /// Communication failed while sending.
    pub const ECOMM: Errno = Errno(70);
    /// The protocol was not kept.
    pub const EPROTO: Errno = Errno(71);
    /// Multihop attempted.
    pub const EMULTIHOP: Errno = Errno(72);
    /// RFS specific error.
    pub const EDOTDOT: Errno = Errno(73);
    /// Not a data message.
    pub const EBADMSG: Errno = Errno(74);
    /// The value does not fit its type.
    pub const EOVERFLOW: Errno = Errno(75);
    /// The name is not unique on the network.
    pub const ENOTUNIQ: Errno = Errno(76);
    /// The descriptor is in the wrong state; for a ring: it is still disabled.
    pub const EBADFD: Errno = Errno(77);
    /// The remote address changed.
    pub const EREMCHG: Errno = Errno(78);
    /// A needed shared library cannot be reached.
    pub const ELIBACC: Errno = Errno(79);
    /// A shared library is damaged.
    pub const ELIBBAD: Errno = Errno(80);
    /// The library section of an executable is damaged.
    pub const ELIBSCN: Errno = Errno(81);
    /// Too many shared libraries.
    pub const ELIBMAX: Errno = Errno(82);
    /// A shared library cannot be executed.
    pub const ELIBEXEC: Errno = Errno(83);
    /// A byte sequence that is not valid.
    pub const EILSEQ: Errno = Errno(84);
    /// The call should be restarted.
    pub const ERESTART: Errno = Errno(85);
    /// Streams pipe error.
    pub const ESTRPIPE: Errno = Errno(86);
    /// Too many users.
    pub const EUSERS: Errno = Errno(87);
    /// Not a socket.
    pub const ENOTSOCK: Errno = Errno(88);
    /// A destination address is needed.
    pub const EDESTADDRREQ: Errno = Errno(89);
    /// The message is too long.
    pub const EMSGSIZE: Errno = Errno(90);
    /// The wrong protocol for the socket.
    pub const EPROTOTYPE: Errno = Errno(91);
    /// The protocol does not have this option.
    pub const ENOPROTOOPT: Errno = Errno(92);
    /// The protocol is not supported.
    pub const EPROTONOSUPPORT: Errno = Errno(93);
    /// The socket type is not supported.
    pub const ESOCKTNOSUPPORT: Errno = Errno(94);
    /// The operation is not supported here.
    pub const EOPNOTSUPP: Errno = Errno(95);
    /// The protocol family is not supported.
    pub const EPFNOSUPPORT: Errno = Errno(96);
    /// The address family is not supported.
    pub const EAFNOSUPPORT: Errno = Errno(97);
    /// The address is in use.
    pub const EADDRINUSE: Errno = Errno(98);
    /// The address is not one of this machine's.
    pub const EADDRNOTAVAIL: Errno = Errno(99);
    /// The network is down.
    pub const ENETDOWN: Errno = Errno(100);
    /// The network cannot be reached.
    pub const ENETUNREACH: Errno = Errno(101);
    /// The network dropped the connection.
    pub const ENETRESET: Errno = Errno(102);
    /// The connection was aborted.
    pub const ECONNABORTED: Errno = Errno(103);
    /// The peer reset the connection.
    pub const ECONNRESET: Errno = Errno(104);
    /// No buffer space; for a ring: the buffer group is empty.
    pub const ENOBUFS: Errno = Errno(105);
    /// The socket is connected already.
    pub const EISCONN: Errno = Errno(106);
    /// The socket is not connected.
    pub const ENOTCONN: Errno = Errno(107);
    /// The socket was shut down.
    pub const ESHUTDOWN: Errno = Errno(108);
    /// Too many references.
    pub const ETOOMANYREFS: Errno = Errno(109);
    /// The peer did not answer in time.
    pub const ETIMEDOUT: Errno = Errno(110);
    /// The peer refused.
    pub const ECONNREFUSED: Errno = Errno(111);
    /// The host is down.
    pub const EHOSTDOWN: Errno = Errno(112);
    /// No route to the host.
    pub const EHOSTUNREACH: Errno = Errno(113);
    /// It is under way already; for a cancel: it runs and cannot be stopped.
    pub const EALREADY: Errno = Errno(114);
    /// It was started and goes on.
    pub const EINPROGRESS: Errno = Errno(115);
    /// A stale file handle.
    pub const ESTALE: Errno = Errno(116);
    /// The structure needs cleaning.
    pub const EUCLEAN: Errno = Errno(117);
    /// Not a XENIX named type file.
    pub const ENOTNAM: Errno = Errno(118);
    /// No XENIX semaphores available.
    pub const ENAVAIL: Errno = Errno(119);
    /// A named type file.
    pub const EISNAM: Errno = Errno(120);
    /// The remote device reported an error.
    pub const EREMOTEIO: Errno = Errno(121);
    /// Over the disk quota.
    pub const EDQUOT: Errno = Errno(122);
    /// No medium.
    pub const ENOMEDIUM: Errno = Errno(123);
    /// The wrong medium type.
    pub const EMEDIUMTYPE: Errno = Errno(124);
    /// It was cancelled.
    pub const ECANCELED: Errno = Errno(125);
    /// The key is not there.
    pub const ENOKEY: Errno = Errno(126);
    /// The key has expired.
    pub const EKEYEXPIRED: Errno = Errno(127);
    /// The key was revoked.
    pub const EKEYREVOKED: Errno = Errno(128);
    /// The key was rejected.
    pub const EKEYREJECTED: Errno = Errno(129);
    /// The owner died.
    pub const EOWNERDEAD: Errno = Errno(130);
    /// The state cannot be recovered.
    pub const ENOTRECOVERABLE: Errno = Errno(131);
    /// A radio switch forbids it.
    pub const ERFKILL: Errno = Errno(132);
    /// The memory page is broken.
    pub const EHWPOISON: Errno = Errno(133);
    /// Another name of [`Errno::EAGAIN`].
    pub const EWOULDBLOCK: Errno = Errno::EAGAIN;
    /// Another name of [`Errno::EOPNOTSUPP`].
    pub const ENOTSUP: Errno = Errno::EOPNOTSUPP;
}

/// The C name of each number, sorted by number.
pub(super) const NAMES: &[(Errno, &str)] = &[
    (Errno::EPERM, "EPERM"),
    (Errno::ENOENT, "ENOENT"),
    (Errno::ESRCH, "ESRCH"),
    (Errno::EINTR, "EINTR"),
    (Errno::EIO, "EIO"),
    (Errno::ENXIO, "ENXIO"),
    (Errno::E2BIG, "E2BIG"),
    (Errno::ENOEXEC, "ENOEXEC"),
    (Errno::EBADF, "EBADF"),
    (Errno::ECHILD, "ECHILD"),
    (Errno::EAGAIN, "EAGAIN"),
    (Errno::ENOMEM, "ENOMEM"),
    (Errno::EACCES, "EACCES"),
    (Errno::EFAULT, "EFAULT"),
    (Errno::ENOTBLK, "ENOTBLK"),
    (Errno::EBUSY, "EBUSY"),
    (Errno::EEXIST, "EEXIST"),
    (Errno::EXDEV, "EXDEV"),
    (Errno::ENODEV, "ENODEV"),
    (Errno::ENOTDIR, "ENOTDIR"),
    (Errno::EISDIR, "EISDIR"),
    (Errno::EINVAL, "EINVAL"),
    (Errno::ENFILE, "ENFILE"),
    (Errno::EMFILE, "EMFILE"),
    (Errno::ENOTTY, "ENOTTY"),
    (Errno::ETXTBSY, "ETXTBSY"),
    (Errno::EFBIG, "EFBIG"),
    (Errno::ENOSPC, "ENOSPC"),
    (Errno::ESPIPE, "ESPIPE"),
    (Errno::EROFS, "EROFS"),
    (Errno::EMLINK, "EMLINK"),
    (Errno::EPIPE, "EPIPE"),
    (Errno::EDOM, "EDOM"),
    (Errno::ERANGE, "ERANGE"),
    (Errno::EDEADLK, "EDEADLK"),
    (Errno::ENAMETOOLONG, "ENAMETOOLONG"),
    (Errno::ENOLCK, "ENOLCK"),
    (Errno::ENOSYS, "ENOSYS"),
    (Errno::ENOTEMPTY, "ENOTEMPTY"),
    (Errno::ELOOP, "ELOOP"),
    (Errno::ENOMSG, "ENOMSG"),
    (Errno::EIDRM, "EIDRM"),
    (Errno::ECHRNG, "ECHRNG"),
    (Errno::EL2NSYNC, "EL2NSYNC"),
    (Errno::EL3HLT, "EL3HLT"),
    (Errno::EL3RST, "EL3RST"),
    (Errno::ELNRNG, "ELNRNG"),
    (Errno::EUNATCH, "EUNATCH"),
    (Errno::ENOCSI, "ENOCSI"),
    (Errno::EL2HLT, "EL2HLT"),
    (Errno::EBADE, "EBADE"),
    (Errno::EBADR, "EBADR"),
    (Errno::EXFULL, "EXFULL"),
    (Errno::ENOANO, "ENOANO"),
    (Errno::EBADRQC, "EBADRQC"),
    (Errno::EBADSLT, "EBADSLT"),
    (Errno::EBFONT, "EBFONT"),
    (Errno::ENOSTR, "ENOSTR"),
    (Errno::ENODATA, "ENODATA"),
    (Errno::ETIME, "ETIME"),
    (Errno::ENOSR, "ENOSR"),
    (Errno::ENONET, "ENONET"),
    (Errno::ENOPKG, "ENOPKG"),
    (Errno::EREMOTE, "EREMOTE"),
    (Errno::ENOLINK, "ENOLINK"),
    (Errno::EADV, "EADV"),
    (Errno::ESRMNT, "ESRMNT"),
    (Errno::ECOMM, "ECOMM"),
    (Errno::EPROTO, "EPROTO"),
    (Errno::EMULTIHOP, "EMULTIHOP"),
    (Errno::EDOTDOT, "EDOTDOT"),
    (Errno::EBADMSG, "EBADMSG"),
    (Errno::EOVERFLOW, "EOVERFLOW"),
    (Errno::ENOTUNIQ, "ENOTUNIQ"),
    (Errno::EBADFD, "EBADFD"),
    (Errno::EREMCHG, "EREMCHG"),
    (Errno::ELIBACC, "ELIBACC"),
    (Errno::ELIBBAD, "ELIBBAD"),
    (Errno::ELIBSCN, "ELIBSCN"),
    (Errno::ELIBMAX, "ELIBMAX"),
    (Errno::ELIBEXEC, "ELIBEXEC"),
    (Errno::EILSEQ, "EILSEQ"),
    (Errno::ERESTART, "ERESTART"),
    (Errno::ESTRPIPE, "ESTRPIPE"),
    (Errno::EUSERS, "EUSERS"),
    (Errno::ENOTSOCK, "ENOTSOCK"),
    (Errno::EDESTADDRREQ, "EDESTADDRREQ"),
    (Errno::EMSGSIZE, "EMSGSIZE"),
    (Errno::EPROTOTYPE, "EPROTOTYPE"),
    (Errno::ENOPROTOOPT, "ENOPROTOOPT"),
    (Errno::EPROTONOSUPPORT, "EPROTONOSUPPORT"),
    (Errno::ESOCKTNOSUPPORT, "ESOCKTNOSUPPORT"),
    (Errno::EOPNOTSUPP, "EOPNOTSUPP"),
    (Errno::EPFNOSUPPORT, "EPFNOSUPPORT"),
    (Errno::EAFNOSUPPORT, "EAFNOSUPPORT"),
    (Errno::EADDRINUSE, "EADDRINUSE"),
    (Errno::EADDRNOTAVAIL, "EADDRNOTAVAIL"),
    (Errno::ENETDOWN, "ENETDOWN"),
    (Errno::ENETUNREACH, "ENETUNREACH"),
    (Errno::ENETRESET, "ENETRESET"),
    (Errno::ECONNABORTED, "ECONNABORTED"),
    (Errno::ECONNRESET, "ECONNRESET"),
    (Errno::ENOBUFS, "ENOBUFS"),
    (Errno::EISCONN, "EISCONN"),
    (Errno::ENOTCONN, "ENOTCONN"),
    (Errno::ESHUTDOWN, "ESHUTDOWN"),
    (Errno::ETOOMANYREFS, "ETOOMANYREFS"),
    (Errno::ETIMEDOUT, "ETIMEDOUT"),
    (Errno::ECONNREFUSED, "ECONNREFUSED"),
    (Errno::EHOSTDOWN, "EHOSTDOWN"),
    (Errno::EHOSTUNREACH, "EHOSTUNREACH"),
    (Errno::EALREADY, "EALREADY"),
    (Errno::EINPROGRESS, "EINPROGRESS"),
    (Errno::ESTALE, "ESTALE"),
    (Errno::EUCLEAN, "EUCLEAN"),
    (Errno::ENOTNAM, "ENOTNAM"),
    (Errno::ENAVAIL, "ENAVAIL"),
    (Errno::EISNAM, "EISNAM"),
    (Errno::EREMOTEIO, "EREMOTEIO"),
    (Errno::EDQUOT, "EDQUOT"),
    (Errno::ENOMEDIUM, "ENOMEDIUM"),
    (Errno::EMEDIUMTYPE, "EMEDIUMTYPE"),
    (Errno::ECANCELED, "ECANCELED"),
    (Errno::ENOKEY, "ENOKEY"),
    (Errno::EKEYEXPIRED, "EKEYEXPIRED"),
    (Errno::EKEYREVOKED, "EKEYREVOKED"),
    (Errno::EKEYREJECTED, "EKEYREJECTED"),
    (Errno::EOWNERDEAD, "EOWNERDEAD"),
    (Errno::ENOTRECOVERABLE, "ENOTRECOVERABLE"),
    (Errno::ERFKILL, "ERFKILL"),
    (Errno::EHWPOISON, "EHWPOISON"),
];
