//! The errors whose numbers are not the same everywhere, with all of them.
//!
//! Source: `asm/errno.h` of each architecture, Linux 6.1.

/// Whose number.
#[derive(Clone, Copy)]
pub(crate) enum Column {
    /// All that are not below.
    Generic,
    /// mips.
    Mips,
    /// sparc.
    Sparc,
    /// powerpc: generic, but for EDEADLOCK.
    Powerpc,
}

impl Column {
    /// That of the architecture this is compiled for.
    pub(crate) const HOST: Column = if cfg!(any(
        target_arch = "mips",
        target_arch = "mips32r6",
        target_arch = "mips64",
        target_arch = "mips64r6"
    )) {
        Column::Mips
    } else if cfg!(any(target_arch = "sparc", target_arch = "sparc64")) {
        Column::Sparc
    } else if cfg!(any(target_arch = "powerpc", target_arch = "powerpc64")) {
        Column::Powerpc
    } else {
        Column::Generic
    };
}

/// The number that `name` has in `column`, if it is in the table.
pub(crate) const fn number(name: &str, column: Column) -> Option<i32> {
    let mut at = 0;
    while at < TABLE.len() {
        if is_same(TABLE[at].0, name) {
            return Some(TABLE[at].1[column as usize]);
        }
        at += 1;
    }
    None
}

/// `==`, which a constant cannot ask of strings.
const fn is_same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let mut at = 0;
    while at < a.len() && at < b.len() {
        if a[at] != b[at] {
            return false;
        }
        at += 1;
    }
    a.len() == b.len()
}

/// Generic, mips, sparc and powerpc; then alpha and parisc, which have no target in Rust.
#[rustfmt::skip]
const TABLE: &[(&str, [i32; 6])] = &[
    ("EADDRINUSE", [98, 125, 48, 98, 48, 226]),
    ("EADDRNOTAVAIL", [99, 126, 49, 99, 49, 227]),
    ("EADV", [68, 68, 83, 68, 107, 58]),
    ("EAFNOSUPPORT", [97, 124, 47, 97, 47, 225]),
    ("EAGAIN", [11, 11, 11, 11, 35, 11]),
    ("EALREADY", [114, 149, 37, 114, 37, 244]),
    ("EBADE", [52, 50, 102, 52, 97, 160]),
    ("EBADFD", [77, 81, 93, 77, 114, 168]),
    ("EBADMSG", [74, 77, 76, 74, 84, 67]),
    ("EBADR", [53, 51, 103, 53, 98, 161]),
    ("EBADRQC", [56, 54, 106, 56, 101, 164]),
    ("EBADSLT", [57, 55, 107, 57, 102, 165]),
    ("EBFONT", [59, 59, 109, 59, 104, 166]),
    ("ECANCELED", [125, 158, 127, 125, 131, 253]),
    ("ECHRNG", [44, 37, 94, 44, 88, 37]),
    ("ECOMM", [70, 70, 85, 70, 109, 60]),
    ("ECONNABORTED", [103, 130, 53, 103, 53, 231]),
    ("ECONNREFUSED", [111, 146, 61, 111, 61, 239]),
    ("ECONNRESET", [104, 131, 54, 104, 54, 232]),
    ("EDEADLK", [35, 45, 78, 35, 11, 45]),
    ("EDEADLOCK", [35, 56, 108, 58, 11, 45]),
    ("EDESTADDRREQ", [89, 96, 39, 89, 39, 217]),
    ("EDOTDOT", [73, 73, 88, 73, 111, 66]),
    ("EDQUOT", [122, 1133, 69, 122, 69, 69]),
    ("EHOSTDOWN", [112, 147, 64, 112, 64, 241]),
    ("EHOSTUNREACH", [113, 148, 65, 113, 65, 242]),
    ("EHWPOISON", [133, 168, 135, 133, 139, 257]),
    ("EIDRM", [43, 36, 77, 43, 81, 36]),
    ("EILSEQ", [84, 88, 122, 84, 116, 47]),
    ("EINPROGRESS", [115, 150, 36, 115, 36, 245]),
    ("EISCONN", [106, 133, 56, 106, 56, 234]),
    ("EISNAM", [120, 139, 120, 120, 120, 180]),
    ("EKEYEXPIRED", [127, 162, 129, 127, 133, 185]),
    ("EKEYREJECTED", [129, 164, 131, 129, 135, 187]),
    ("EKEYREVOKED", [128, 163, 130, 128, 134, 186]),
    ("EL2HLT", [51, 44, 101, 51, 96, 44]),
    ("EL2NSYNC", [45, 38, 95, 45, 89, 38]),
    ("EL3HLT", [46, 39, 96, 46, 90, 39]),
    ("EL3RST", [47, 40, 97, 47, 91, 40]),
    ("ELIBACC", [79, 83, 114, 79, 122, 170]),
    ("ELIBBAD", [80, 84, 112, 80, 123, 171]),
    ("ELIBEXEC", [83, 87, 110, 83, 126, 174]),
    ("ELIBMAX", [82, 86, 123, 82, 125, 173]),
    ("ELIBSCN", [81, 85, 124, 81, 124, 172]),
    ("ELNRNG", [48, 41, 98, 48, 93, 41]),
    ("ELOOP", [40, 90, 62, 40, 62, 249]),
    ("EMEDIUMTYPE", [124, 160, 126, 124, 130, 183]),
    ("EMSGSIZE", [90, 97, 40, 90, 40, 218]),
    ("EMULTIHOP", [72, 74, 87, 72, 110, 64]),
    ("ENAMETOOLONG", [36, 78, 63, 36, 63, 248]),
    ("ENAVAIL", [119, 138, 119, 119, 119, 179]),
    ("ENETDOWN", [100, 127, 50, 100, 50, 228]),
    ("ENETRESET", [102, 129, 52, 102, 52, 230]),
    ("ENETUNREACH", [101, 128, 51, 101, 51, 229]),
    ("ENOANO", [55, 53, 105, 55, 100, 163]),
    ("ENOBUFS", [105, 132, 55, 105, 55, 233]),
    ("ENOCSI", [50, 43, 100, 50, 95, 43]),
    ("ENODATA", [61, 61, 111, 61, 86, 51]),
    ("ENOKEY", [126, 161, 128, 126, 132, 184]),
    ("ENOLCK", [37, 46, 79, 37, 77, 46]),
    ("ENOLINK", [67, 67, 82, 67, 106, 57]),
    ("ENOMEDIUM", [123, 159, 125, 123, 129, 182]),
    ("ENOMSG", [42, 35, 75, 42, 80, 35]),
    ("ENONET", [64, 64, 80, 64, 105, 50]),
    ("ENOPKG", [65, 65, 113, 65, 92, 55]),
    ("ENOPROTOOPT", [92, 99, 42, 92, 42, 220]),
    ("ENOSR", [63, 63, 74, 63, 82, 53]),
    ("ENOSTR", [60, 60, 72, 60, 87, 54]),
    ("ENOSYS", [38, 89, 90, 38, 78, 251]),
    ("ENOTCONN", [107, 134, 57, 107, 57, 235]),
    ("ENOTEMPTY", [39, 93, 66, 39, 66, 247]),
    ("ENOTNAM", [118, 137, 118, 118, 118, 178]),
    ("ENOTRECOVERABLE", [131, 166, 133, 131, 137, 255]),
    ("ENOTSOCK", [88, 95, 38, 88, 38, 216]),
    ("ENOTUNIQ", [76, 80, 115, 76, 113, 167]),
    ("EOPNOTSUPP", [95, 122, 45, 95, 45, 223]),
    ("EOVERFLOW", [75, 79, 92, 75, 112, 72]),
    ("EOWNERDEAD", [130, 165, 132, 130, 136, 254]),
    ("EPFNOSUPPORT", [96, 123, 46, 96, 46, 224]),
    ("EPROTO", [71, 71, 86, 71, 85, 61]),
    ("EPROTONOSUPPORT", [93, 120, 43, 93, 43, 221]),
    ("EPROTOTYPE", [91, 98, 41, 91, 41, 219]),
    ("EREMCHG", [78, 82, 89, 78, 115, 169]),
    ("EREMOTE", [66, 66, 71, 66, 71, 71]),
    ("EREMOTEIO", [121, 140, 121, 121, 121, 181]),
    ("ERESTART", [85, 91, 116, 85, 127, 175]),
    ("ERFKILL", [132, 167, 134, 132, 138, 256]),
    ("ESHUTDOWN", [108, 143, 58, 108, 58, 236]),
    ("ESOCKTNOSUPPORT", [94, 121, 44, 94, 44, 222]),
    ("ESRMNT", [69, 69, 84, 69, 108, 59]),
    ("ESTALE", [116, 151, 70, 116, 70, 70]),
    ("ESTRPIPE", [86, 92, 91, 86, 128, 176]),
    ("ETIME", [62, 62, 73, 62, 83, 52]),
    ("ETIMEDOUT", [110, 145, 60, 110, 60, 238]),
    ("ETOOMANYREFS", [109, 144, 59, 109, 59, 237]),
    ("EUCLEAN", [117, 135, 117, 117, 117, 177]),
    ("EUNATCH", [49, 42, 99, 49, 94, 42]),
    ("EUSERS", [87, 94, 68, 87, 68, 68]),
    ("EXFULL", [54, 52, 104, 54, 99, 162]),
];
