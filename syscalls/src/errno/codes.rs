//! The error numbers (`asm-generic/errno-base.h`, `asm-generic/errno.h`, and the `asm/errno.h` of
//! the architectures that number them otherwise).
//!
//! Up to 34 all agree. Where they differ, one line has every number, in the order of [`COLUMNS`].

use super::Errno;

/// Whose numbers a line has: generic, mips, sparc, alpha, parisc. The last two have no target in
/// Rust.
const COLUMNS: usize = 5;

/// The column of the architecture this is compiled for.
const HOST: usize = if cfg!(any(
    target_arch = "mips",
    target_arch = "mips32r6",
    target_arch = "mips64",
    target_arch = "mips64r6"
)) {
    1
} else if cfg!(any(target_arch = "sparc", target_arch = "sparc64")) {
    2
} else {
    0
};

const fn of(numbers: [i32; COLUMNS]) -> Errno {
    Errno(numbers[HOST])
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
    pub const EAGAIN: Errno = of([11, 11, 11, 35, 11]);
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
    pub const EDEADLK: Errno = of([35, 45, 78, 11, 45]);
    /// A file name is too long.
    pub const ENAMETOOLONG: Errno = of([36, 78, 63, 63, 248]);
    /// No locks available.
    pub const ENOLCK: Errno = of([37, 46, 79, 77, 46]);
    /// The kernel, or a filter before it, does not have this call.
    pub const ENOSYS: Errno = of([38, 89, 90, 78, 251]);
    /// The directory is not empty.
    pub const ENOTEMPTY: Errno = of([39, 93, 66, 66, 247]);
    /// Too many symbolic links.
    pub const ELOOP: Errno = of([40, 90, 62, 62, 249]);
    /// No message of the wanted type.
    pub const ENOMSG: Errno = of([42, 35, 75, 80, 35]);
    /// The identifier was removed.
    pub const EIDRM: Errno = of([43, 36, 77, 81, 36]);
    /// Channel number out of range.
    pub const ECHRNG: Errno = of([44, 37, 94, 88, 37]);
    /// Level 2 is not synchronised.
    pub const EL2NSYNC: Errno = of([45, 38, 95, 89, 38]);
    /// Level 3 halted.
    pub const EL3HLT: Errno = of([46, 39, 96, 90, 39]);
    /// Level 3 was reset.
    pub const EL3RST: Errno = of([47, 40, 97, 91, 40]);
    /// Link number out of range.
    pub const ELNRNG: Errno = of([48, 41, 98, 93, 41]);
    /// The protocol driver is not attached.
    pub const EUNATCH: Errno = of([49, 42, 99, 94, 42]);
    /// No CSI structure available.
    pub const ENOCSI: Errno = of([50, 43, 100, 95, 43]);
    /// Level 2 halted.
    pub const EL2HLT: Errno = of([51, 44, 101, 96, 44]);
    /// An exchange that is not valid.
    pub const EBADE: Errno = of([52, 50, 102, 97, 160]);
    /// A request descriptor that is not valid.
    pub const EBADR: Errno = of([53, 51, 103, 98, 161]);
    /// The exchange is full.
    pub const EXFULL: Errno = of([54, 52, 104, 99, 162]);
    /// No anode.
    pub const ENOANO: Errno = of([55, 53, 105, 100, 163]);
    /// A request code that is not valid.
    pub const EBADRQC: Errno = of([56, 54, 106, 101, 164]);
    /// A slot that is not valid.
    pub const EBADSLT: Errno = of([57, 55, 107, 102, 165]);
    /// A font file of the wrong format.
    pub const EBFONT: Errno = of([59, 59, 109, 104, 166]);
    /// The device is not a stream.
    pub const ENOSTR: Errno = of([60, 60, 72, 87, 54]);
    /// There is no data, or no such attribute.
    pub const ENODATA: Errno = of([61, 61, 111, 86, 51]);
    /// The time ran out.
    pub const ETIME: Errno = of([62, 62, 73, 83, 52]);
    /// No stream resources left.
    pub const ENOSR: Errno = of([63, 63, 74, 82, 53]);
    /// The machine is not on the network.
    pub const ENONET: Errno = of([64, 64, 80, 105, 50]);
    /// The package is not installed.
    pub const ENOPKG: Errno = of([65, 65, 113, 92, 55]);
    /// The object is remote.
    pub const EREMOTE: Errno = of([66, 66, 71, 71, 71]);
    /// The link was severed.
    pub const ENOLINK: Errno = of([67, 67, 82, 106, 57]);
    /// Advertise error.
    pub const EADV: Errno = of([68, 68, 83, 107, 58]);
    /// Srmount error.
    pub const ESRMNT: Errno = of([69, 69, 84, 108, 59]);
    /// Communication failed while sending.
    pub const ECOMM: Errno = of([70, 70, 85, 109, 60]);
    /// The protocol was not kept.
    pub const EPROTO: Errno = of([71, 71, 86, 85, 61]);
    /// Multihop attempted.
    pub const EMULTIHOP: Errno = of([72, 74, 87, 110, 64]);
    /// RFS specific error.
    pub const EDOTDOT: Errno = of([73, 73, 88, 111, 66]);
    /// Not a data message.
    pub const EBADMSG: Errno = of([74, 77, 76, 84, 67]);
    /// The value does not fit its type.
    pub const EOVERFLOW: Errno = of([75, 79, 92, 112, 72]);
    /// The name is not unique on the network.
    pub const ENOTUNIQ: Errno = of([76, 80, 115, 113, 167]);
    /// The descriptor is in the wrong state; for a ring: it is still disabled.
    pub const EBADFD: Errno = of([77, 81, 93, 114, 168]);
    /// The remote address changed.
    pub const EREMCHG: Errno = of([78, 82, 89, 115, 169]);
    /// A needed shared library cannot be reached.
    pub const ELIBACC: Errno = of([79, 83, 114, 122, 170]);
    /// A shared library is damaged.
    pub const ELIBBAD: Errno = of([80, 84, 112, 123, 171]);
    /// The library section of an executable is damaged.
    pub const ELIBSCN: Errno = of([81, 85, 124, 124, 172]);
    /// Too many shared libraries.
    pub const ELIBMAX: Errno = of([82, 86, 123, 125, 173]);
    /// A shared library cannot be executed.
    pub const ELIBEXEC: Errno = of([83, 87, 110, 126, 174]);
    /// A byte sequence that is not valid.
    pub const EILSEQ: Errno = of([84, 88, 122, 116, 47]);
    /// The call should be restarted.
    pub const ERESTART: Errno = of([85, 91, 116, 127, 175]);
    /// Streams pipe error.
    pub const ESTRPIPE: Errno = of([86, 92, 91, 128, 176]);
    /// Too many users.
    pub const EUSERS: Errno = of([87, 94, 68, 68, 68]);
    /// Not a socket.
    pub const ENOTSOCK: Errno = of([88, 95, 38, 38, 216]);
    /// A destination address is needed.
    pub const EDESTADDRREQ: Errno = of([89, 96, 39, 39, 217]);
    /// The message is too long.
    pub const EMSGSIZE: Errno = of([90, 97, 40, 40, 218]);
    /// The wrong protocol for the socket.
    pub const EPROTOTYPE: Errno = of([91, 98, 41, 41, 219]);
    /// The protocol does not have this option.
    pub const ENOPROTOOPT: Errno = of([92, 99, 42, 42, 220]);
    /// The protocol is not supported.
    pub const EPROTONOSUPPORT: Errno = of([93, 120, 43, 43, 221]);
    /// The socket type is not supported.
    pub const ESOCKTNOSUPPORT: Errno = of([94, 121, 44, 44, 222]);
    /// The operation is not supported here.
    pub const EOPNOTSUPP: Errno = of([95, 122, 45, 45, 223]);
    /// The protocol family is not supported.
    pub const EPFNOSUPPORT: Errno = of([96, 123, 46, 46, 224]);
    /// The address family is not supported.
    pub const EAFNOSUPPORT: Errno = of([97, 124, 47, 47, 225]);
    /// The address is in use.
    pub const EADDRINUSE: Errno = of([98, 125, 48, 48, 226]);
    /// The address is not one of this machine's.
    pub const EADDRNOTAVAIL: Errno = of([99, 126, 49, 49, 227]);
    /// The network is down.
    pub const ENETDOWN: Errno = of([100, 127, 50, 50, 228]);
    /// The network cannot be reached.
    pub const ENETUNREACH: Errno = of([101, 128, 51, 51, 229]);
    /// The network dropped the connection.
    pub const ENETRESET: Errno = of([102, 129, 52, 52, 230]);
    /// The connection was aborted.
    pub const ECONNABORTED: Errno = of([103, 130, 53, 53, 231]);
    /// The peer reset the connection.
    pub const ECONNRESET: Errno = of([104, 131, 54, 54, 232]);
    /// No buffer space; for a ring: the buffer group is empty.
    pub const ENOBUFS: Errno = of([105, 132, 55, 55, 233]);
    /// The socket is connected already.
    pub const EISCONN: Errno = of([106, 133, 56, 56, 234]);
    /// The socket is not connected.
    pub const ENOTCONN: Errno = of([107, 134, 57, 57, 235]);
    /// The socket was shut down.
    pub const ESHUTDOWN: Errno = of([108, 143, 58, 58, 236]);
    /// Too many references.
    pub const ETOOMANYREFS: Errno = of([109, 144, 59, 59, 237]);
    /// The peer did not answer in time.
    pub const ETIMEDOUT: Errno = of([110, 145, 60, 60, 238]);
    /// The peer refused.
    pub const ECONNREFUSED: Errno = of([111, 146, 61, 61, 239]);
    /// The host is down.
    pub const EHOSTDOWN: Errno = of([112, 147, 64, 64, 241]);
    /// No route to the host.
    pub const EHOSTUNREACH: Errno = of([113, 148, 65, 65, 242]);
    /// It is under way already; for a cancel: it runs and cannot be stopped.
    pub const EALREADY: Errno = of([114, 149, 37, 37, 244]);
    /// It was started and goes on.
    pub const EINPROGRESS: Errno = of([115, 150, 36, 36, 245]);
    /// A stale file handle.
    pub const ESTALE: Errno = of([116, 151, 70, 70, 70]);
    /// The structure needs cleaning.
    pub const EUCLEAN: Errno = of([117, 135, 117, 117, 177]);
    /// Not a XENIX named type file.
    pub const ENOTNAM: Errno = of([118, 137, 118, 118, 178]);
    /// No XENIX semaphores available.
    pub const ENAVAIL: Errno = of([119, 138, 119, 119, 179]);
    /// A named type file.
    pub const EISNAM: Errno = of([120, 139, 120, 120, 180]);
    /// The remote device reported an error.
    pub const EREMOTEIO: Errno = of([121, 140, 121, 121, 181]);
    /// Over the disk quota.
    pub const EDQUOT: Errno = of([122, 1133, 69, 69, 69]);
    /// No medium.
    pub const ENOMEDIUM: Errno = of([123, 159, 125, 129, 182]);
    /// The wrong medium type.
    pub const EMEDIUMTYPE: Errno = of([124, 160, 126, 130, 183]);
    /// It was cancelled.
    pub const ECANCELED: Errno = of([125, 158, 127, 131, 253]);
    /// The key is not there.
    pub const ENOKEY: Errno = of([126, 161, 128, 132, 184]);
    /// The key has expired.
    pub const EKEYEXPIRED: Errno = of([127, 162, 129, 133, 185]);
    /// The key was revoked.
    pub const EKEYREVOKED: Errno = of([128, 163, 130, 134, 186]);
    /// The key was rejected.
    pub const EKEYREJECTED: Errno = of([129, 164, 131, 135, 187]);
    /// The owner died.
    pub const EOWNERDEAD: Errno = of([130, 165, 132, 136, 254]);
    /// The state cannot be recovered.
    pub const ENOTRECOVERABLE: Errno = of([131, 166, 133, 137, 255]);
    /// A radio switch forbids it.
    pub const ERFKILL: Errno = of([132, 167, 134, 138, 256]);
    /// The memory page is broken.
    pub const EHWPOISON: Errno = of([133, 168, 135, 139, 257]);
    /// Another name of [`Errno::EAGAIN`].
    pub const EWOULDBLOCK: Errno = Errno::EAGAIN;
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
