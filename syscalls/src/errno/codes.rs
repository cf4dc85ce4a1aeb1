//! The error numbers (`asm-generic/errno-base.h`, `asm-generic/errno.h`, and the `asm/errno.h` of
//! the architectures that number them otherwise).
//!
//! Up to 34 all agree, but for two. Those that differ are in a table of their own, by name.

use super::Errno;
use super::differing::{self, Column};

/// The number on the architecture this is compiled for; the name has to be in the table.
const fn of(name: &str) -> Errno {
    match differing::number(name, Column::HOST) {
        Some(number) => Errno(number),
        None => panic!("the table has every error that this is asked for"),
    }
}

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
    pub const EAGAIN: Errno = of("EAGAIN");
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
    pub const EDEADLK: Errno = of("EDEADLK");
    /// A file name is too long.
    pub const ENAMETOOLONG: Errno = of("ENAMETOOLONG");
    /// No locks available.
    pub const ENOLCK: Errno = of("ENOLCK");
    /// The kernel, or a filter before it, does not have this call.
    pub const ENOSYS: Errno = of("ENOSYS");
    /// The directory is not empty.
    pub const ENOTEMPTY: Errno = of("ENOTEMPTY");
    /// Too many symbolic links.
    pub const ELOOP: Errno = of("ELOOP");
    /// No message of the wanted type.
    pub const ENOMSG: Errno = of("ENOMSG");
    /// The identifier was removed.
    pub const EIDRM: Errno = of("EIDRM");
    /// Channel number out of range.
    pub const ECHRNG: Errno = of("ECHRNG");
    /// Level 2 is not synchronised.
    pub const EL2NSYNC: Errno = of("EL2NSYNC");
    /// Level 3 halted.
    pub const EL3HLT: Errno = of("EL3HLT");
    /// Level 3 was reset.
    pub const EL3RST: Errno = of("EL3RST");
    /// Link number out of range.
    pub const ELNRNG: Errno = of("ELNRNG");
    /// The protocol driver is not attached.
    pub const EUNATCH: Errno = of("EUNATCH");
    /// No CSI structure available.
    pub const ENOCSI: Errno = of("ENOCSI");
    /// Level 2 halted.
    pub const EL2HLT: Errno = of("EL2HLT");
    /// An exchange that is not valid.
    pub const EBADE: Errno = of("EBADE");
    /// A request descriptor that is not valid.
    pub const EBADR: Errno = of("EBADR");
    /// The exchange is full.
    pub const EXFULL: Errno = of("EXFULL");
    /// No anode.
    pub const ENOANO: Errno = of("ENOANO");
    /// A request code that is not valid.
    pub const EBADRQC: Errno = of("EBADRQC");
    /// A slot that is not valid.
    pub const EBADSLT: Errno = of("EBADSLT");
    /// A font file of the wrong format.
    pub const EBFONT: Errno = of("EBFONT");
    /// The device is not a stream.
    pub const ENOSTR: Errno = of("ENOSTR");
    /// There is no data, or no such attribute.
    pub const ENODATA: Errno = of("ENODATA");
    /// The time ran out.
    pub const ETIME: Errno = of("ETIME");
    /// No stream resources left.
    pub const ENOSR: Errno = of("ENOSR");
    /// The machine is not on the network.
    pub const ENONET: Errno = of("ENONET");
    /// The package is not installed.
    pub const ENOPKG: Errno = of("ENOPKG");
    /// The object is remote.
    pub const EREMOTE: Errno = of("EREMOTE");
    /// The link was severed.
    pub const ENOLINK: Errno = of("ENOLINK");
    /// Advertise error.
    pub const EADV: Errno = of("EADV");
    /// Srmount error.
    pub const ESRMNT: Errno = of("ESRMNT");
    /// Communication failed while sending.
    pub const ECOMM: Errno = of("ECOMM");
    /// The protocol was not kept.
    pub const EPROTO: Errno = of("EPROTO");
    /// Multihop attempted.
    pub const EMULTIHOP: Errno = of("EMULTIHOP");
    /// RFS specific error.
    pub const EDOTDOT: Errno = of("EDOTDOT");
    /// Not a data message.
    pub const EBADMSG: Errno = of("EBADMSG");
    /// The value does not fit its type.
    pub const EOVERFLOW: Errno = of("EOVERFLOW");
    /// The name is not unique on the network.
    pub const ENOTUNIQ: Errno = of("ENOTUNIQ");
    /// The descriptor is in the wrong state; for a ring: it is still disabled.
    pub const EBADFD: Errno = of("EBADFD");
    /// The remote address changed.
    pub const EREMCHG: Errno = of("EREMCHG");
    /// A needed shared library cannot be reached.
    pub const ELIBACC: Errno = of("ELIBACC");
    /// A shared library is damaged.
    pub const ELIBBAD: Errno = of("ELIBBAD");
    /// The library section of an executable is damaged.
    pub const ELIBSCN: Errno = of("ELIBSCN");
    /// Too many shared libraries.
    pub const ELIBMAX: Errno = of("ELIBMAX");
    /// A shared library cannot be executed.
    pub const ELIBEXEC: Errno = of("ELIBEXEC");
    /// A byte sequence that is not valid.
    pub const EILSEQ: Errno = of("EILSEQ");
    /// The call should be restarted.
    pub const ERESTART: Errno = of("ERESTART");
    /// Streams pipe error.
    pub const ESTRPIPE: Errno = of("ESTRPIPE");
    /// Too many users.
    pub const EUSERS: Errno = of("EUSERS");
    /// Not a socket.
    pub const ENOTSOCK: Errno = of("ENOTSOCK");
    /// A destination address is needed.
    pub const EDESTADDRREQ: Errno = of("EDESTADDRREQ");
    /// The message is too long.
    pub const EMSGSIZE: Errno = of("EMSGSIZE");
    /// The wrong protocol for the socket.
    pub const EPROTOTYPE: Errno = of("EPROTOTYPE");
    /// The protocol does not have this option.
    pub const ENOPROTOOPT: Errno = of("ENOPROTOOPT");
    /// The protocol is not supported.
    pub const EPROTONOSUPPORT: Errno = of("EPROTONOSUPPORT");
    /// The socket type is not supported.
    pub const ESOCKTNOSUPPORT: Errno = of("ESOCKTNOSUPPORT");
    /// The operation is not supported here.
    pub const EOPNOTSUPP: Errno = of("EOPNOTSUPP");
    /// The protocol family is not supported.
    pub const EPFNOSUPPORT: Errno = of("EPFNOSUPPORT");
    /// The address family is not supported.
    pub const EAFNOSUPPORT: Errno = of("EAFNOSUPPORT");
    /// The address is in use.
    pub const EADDRINUSE: Errno = of("EADDRINUSE");
    /// The address is not one of this machine's.
    pub const EADDRNOTAVAIL: Errno = of("EADDRNOTAVAIL");
    /// The network is down.
    pub const ENETDOWN: Errno = of("ENETDOWN");
    /// The network cannot be reached.
    pub const ENETUNREACH: Errno = of("ENETUNREACH");
    /// The network dropped the connection.
    pub const ENETRESET: Errno = of("ENETRESET");
    /// The connection was aborted.
    pub const ECONNABORTED: Errno = of("ECONNABORTED");
    /// The peer reset the connection.
    pub const ECONNRESET: Errno = of("ECONNRESET");
    /// No buffer space; for a ring: the buffer group is empty.
    pub const ENOBUFS: Errno = of("ENOBUFS");
    /// The socket is connected already.
    pub const EISCONN: Errno = of("EISCONN");
    /// The socket is not connected.
    pub const ENOTCONN: Errno = of("ENOTCONN");
    /// The socket was shut down.
    pub const ESHUTDOWN: Errno = of("ESHUTDOWN");
    /// Too many references.
    pub const ETOOMANYREFS: Errno = of("ETOOMANYREFS");
    /// The peer did not answer in time.
    pub const ETIMEDOUT: Errno = of("ETIMEDOUT");
    /// The peer refused.
    pub const ECONNREFUSED: Errno = of("ECONNREFUSED");
    /// The host is down.
    pub const EHOSTDOWN: Errno = of("EHOSTDOWN");
    /// No route to the host.
    pub const EHOSTUNREACH: Errno = of("EHOSTUNREACH");
    /// It is under way already; for a cancel: it runs and cannot be stopped.
    pub const EALREADY: Errno = of("EALREADY");
    /// It was started and goes on.
    pub const EINPROGRESS: Errno = of("EINPROGRESS");
    /// A stale file handle.
    pub const ESTALE: Errno = of("ESTALE");
    /// The structure needs cleaning.
    pub const EUCLEAN: Errno = of("EUCLEAN");
    /// Not a XENIX named type file.
    pub const ENOTNAM: Errno = of("ENOTNAM");
    /// No XENIX semaphores available.
    pub const ENAVAIL: Errno = of("ENAVAIL");
    /// A named type file.
    pub const EISNAM: Errno = of("EISNAM");
    /// The remote device reported an error.
    pub const EREMOTEIO: Errno = of("EREMOTEIO");
    /// Over the disk quota.
    pub const EDQUOT: Errno = of("EDQUOT");
    /// No medium.
    pub const ENOMEDIUM: Errno = of("ENOMEDIUM");
    /// The wrong medium type.
    pub const EMEDIUMTYPE: Errno = of("EMEDIUMTYPE");
    /// It was cancelled.
    pub const ECANCELED: Errno = of("ECANCELED");
    /// The key is not there.
    pub const ENOKEY: Errno = of("ENOKEY");
    /// The key has expired.
    pub const EKEYEXPIRED: Errno = of("EKEYEXPIRED");
    /// The key was revoked.
    pub const EKEYREVOKED: Errno = of("EKEYREVOKED");
    /// The key was rejected.
    pub const EKEYREJECTED: Errno = of("EKEYREJECTED");
    /// The owner died.
    pub const EOWNERDEAD: Errno = of("EOWNERDEAD");
    /// The state cannot be recovered.
    pub const ENOTRECOVERABLE: Errno = of("ENOTRECOVERABLE");
    /// A radio switch forbids it.
    pub const ERFKILL: Errno = of("ERFKILL");
    /// The memory page is broken.
    pub const EHWPOISON: Errno = of("EHWPOISON");
    /// Another name of [`Errno::EAGAIN`].
    pub const EWOULDBLOCK: Errno = Errno::EAGAIN;
    /// A deadlock was found. Another name of [`Errno::EDEADLK`], but on mips, sparc and powerpc.
    pub const EDEADLOCK: Errno = of("EDEADLOCK");
    /// Another name of [`Errno::EOPNOTSUPP`].
    pub const ENOTSUP: Errno = Errno::EOPNOTSUPP;
}

/// Every error with its name, by number.
pub(super) const NAMES: &[(Errno, &str)] = &sorted(LISTED);

/// How many errors have a name.
const COUNT: usize = 131;

/// Insertion sort: the list is nearly in order, and entirely so with the generic numbers.
const fn sorted(mut names: [(Errno, &'static str); COUNT]) -> [(Errno, &'static str); COUNT] {
    let mut next = 1;
    while next < COUNT {
        let mut at = next;
        while at > 0 && names[at - 1].0.0 > names[at].0.0 {
            let greater = names[at - 1];
            names[at - 1] = names[at];
            names[at] = greater;
            at -= 1;
        }
        next += 1;
    }
    names
}

const LISTED: [(Errno, &str); COUNT] = [
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
