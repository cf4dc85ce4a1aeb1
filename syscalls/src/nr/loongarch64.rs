//! System call numbers of loongarch64 (`scripts/syscall.tbl` of the kernel).

/// `eventfd2`(2).
pub const EVENTFD2: usize = 19;
/// `epoll_create1`(2).
pub const EPOLL_CREATE1: usize = 20;
/// `epoll_ctl`(2).
pub const EPOLL_CTL: usize = 21;
/// `epoll_pwait`(2).
pub const EPOLL_PWAIT: usize = 22;
/// `dup`(2).
pub const DUP: usize = 23;
/// `dup3`(2).
pub const DUP3: usize = 24;
/// `fcntl`(2).
pub const FCNTL: usize = 25;
/// `ioctl`(2).
pub const IOCTL: usize = 29;
/// `mkdirat`(2).
pub const MKDIRAT: usize = 34;
/// `unlinkat`(2).
pub const UNLINKAT: usize = 35;
/// `ftruncate`(2).
pub const FTRUNCATE: usize = 46;
/// `fallocate`(2).
pub const FALLOCATE: usize = 47;
/// `fchmod`(2).
pub const FCHMOD: usize = 52;
/// `openat`(2).
pub const OPENAT: usize = 56;
/// `close`(2).
pub const CLOSE: usize = 57;
/// `pipe2`(2).
pub const PIPE2: usize = 59;
/// `getdents64`(2).
pub const GETDENTS64: usize = 61;
/// `lseek`(2).
pub const LSEEK: usize = 62;
/// `read`(2).
pub const READ: usize = 63;
/// `write`(2).
pub const WRITE: usize = 64;
/// `readv`(2).
pub const READV: usize = 65;
/// `writev`(2).
pub const WRITEV: usize = 66;
/// `pread`(2).
pub const PREAD64: usize = 67;
/// `pwrite`(2).
pub const PWRITE64: usize = 68;
/// `preadv`(2).
pub const PREADV: usize = 69;
/// `pwritev`(2).
pub const PWRITEV: usize = 70;
/// `ppoll`(2).
pub const PPOLL: usize = 73;
/// `signalfd4`(2).
pub const SIGNALFD4: usize = 74;
/// `splice`(2).
pub const SPLICE: usize = 76;
/// `tee`(2).
pub const TEE: usize = 77;
/// `readlinkat`(2).
pub const READLINKAT: usize = 78;
/// `fstatat`(2).
pub const NEWFSTATAT: usize = 79;
/// `fstat`(2).
pub const FSTAT: usize = 80;
/// `fsync`(2).
pub const FSYNC: usize = 82;
/// `fdatasync`(2).
pub const FDATASYNC: usize = 83;
/// `timerfd_create`(2).
pub const TIMERFD_CREATE: usize = 85;
/// `timerfd_settime`(2).
pub const TIMERFD_SETTIME: usize = 86;
/// `exit`(2).
pub const EXIT: usize = 93;
/// `exit_group`(2).
pub const EXIT_GROUP: usize = 94;
/// `waitid`(2).
pub const WAITID: usize = 95;
/// `unshare`(2).
pub const UNSHARE: usize = 97;
/// `futex`(2).
pub const FUTEX: usize = 98;
/// `nanosleep`(2).
pub const NANOSLEEP: usize = 101;
/// `clock_gettime`(2).
pub const CLOCK_GETTIME: usize = 113;
/// `sched_setaffinity`(2).
pub const SCHED_SETAFFINITY: usize = 122;
/// `sched_yield`(2).
pub const SCHED_YIELD: usize = 124;
/// `kill`(2).
pub const KILL: usize = 129;
/// `tkill`(2).
pub const TKILL: usize = 130;
/// `rt_sigaction`(2).
pub const RT_SIGACTION: usize = 134;
/// `rt_sigprocmask`(2).
pub const RT_SIGPROCMASK: usize = 135;
/// `rt_sigreturn`(2).
pub const RT_SIGRETURN: usize = 139;
/// `getcpu`(2).
pub const GETCPU: usize = 168;
/// `getpid`(2).
pub const GETPID: usize = 172;
/// `gettid`(2).
pub const GETTID: usize = 178;
/// `socket`(2).
pub const SOCKET: usize = 198;
/// `socketpair`(2).
pub const SOCKETPAIR: usize = 199;
/// `bind`(2).
pub const BIND: usize = 200;
/// `listen`(2).
pub const LISTEN: usize = 201;
/// `connect`(2).
pub const CONNECT: usize = 203;
/// `getsockname`(2).
pub const GETSOCKNAME: usize = 204;
/// `getpeername`(2).
pub const GETPEERNAME: usize = 205;
/// `sendto`(2).
pub const SENDTO: usize = 206;
/// `recvfrom`(2).
pub const RECVFROM: usize = 207;
/// `setsockopt`(2).
pub const SETSOCKOPT: usize = 208;
/// `getsockopt`(2).
pub const GETSOCKOPT: usize = 209;
/// `shutdown`(2).
pub const SHUTDOWN: usize = 210;
/// `sendmsg`(2).
pub const SENDMSG: usize = 211;
/// `recvmsg`(2).
pub const RECVMSG: usize = 212;
/// `munmap`(2).
pub const MUNMAP: usize = 215;
/// `clone`(2).
pub const CLONE: usize = 220;
/// `mmap`(2).
pub const MMAP: usize = 222;
/// `mprotect`(2).
pub const MPROTECT: usize = 226;
/// `madvise`(2).
pub const MADVISE: usize = 233;
/// `perf_event_open`(2).
pub const PERF_EVENT_OPEN: usize = 241;
/// `accept4`(2).
pub const ACCEPT4: usize = 242;
/// `wait4`(2).
pub const WAIT4: usize = 260;
/// `prlimit64`(2).
pub const PRLIMIT64: usize = 261;
/// `setns`(2).
pub const SETNS: usize = 268;
/// `renameat2`(2).
pub const RENAMEAT2: usize = 276;
/// `getrandom`(2).
pub const GETRANDOM: usize = 278;
/// `memfd_create`(2).
pub const MEMFD_CREATE: usize = 279;
/// `bpf`(2).
pub const BPF: usize = 280;
/// `membarrier`(2).
pub const MEMBARRIER: usize = 283;
/// `preadv2`(2).
pub const PREADV2: usize = 286;
/// `pwritev2`(2).
pub const PWRITEV2: usize = 287;
/// `statx`(2).
pub const STATX: usize = 291;
/// `rseq`(2).
pub const RSEQ: usize = 293;
/// `io_uring_setup`(2).
pub const IO_URING_SETUP: usize = 425;
/// `io_uring_enter`(2).
pub const IO_URING_ENTER: usize = 426;
/// `io_uring_register`(2).
pub const IO_URING_REGISTER: usize = 427;
/// `pidfd_open`(2).
pub const PIDFD_OPEN: usize = 434;
/// `clone3`(2).
pub const CLONE3: usize = 435;
/// `futex_waitv`(2).
pub const FUTEX_WAITV: usize = 449;
