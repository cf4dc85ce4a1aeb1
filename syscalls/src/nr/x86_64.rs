//! System call numbers of x86_64 (`arch/x86/entry/syscalls/syscall_64.tbl` of the kernel).

/// `read`(2).
pub const READ: usize = 0;
/// `write`(2).
pub const WRITE: usize = 1;
/// `close`(2).
pub const CLOSE: usize = 3;
/// `fstat`(2).
pub const FSTAT: usize = 5;
/// `lseek`(2).
pub const LSEEK: usize = 8;
/// `mmap`(2).
pub const MMAP: usize = 9;
/// `mprotect`(2).
pub const MPROTECT: usize = 10;
/// `munmap`(2).
pub const MUNMAP: usize = 11;
/// `rt_sigaction`(2).
pub const RT_SIGACTION: usize = 13;
/// `rt_sigprocmask`(2).
pub const RT_SIGPROCMASK: usize = 14;
/// `rt_sigreturn`(2).
pub const RT_SIGRETURN: usize = 15;
/// `ioctl`(2).
pub const IOCTL: usize = 16;
/// `pread`(2).
pub const PREAD64: usize = 17;
/// `pwrite`(2).
pub const PWRITE64: usize = 18;
/// `readv`(2).
pub const READV: usize = 19;
/// `writev`(2).
pub const WRITEV: usize = 20;
/// `sched_yield`(2).
pub const SCHED_YIELD: usize = 24;
/// `madvise`(2).
pub const MADVISE: usize = 28;
/// `dup`(2).
pub const DUP: usize = 32;
/// `nanosleep`(2).
pub const NANOSLEEP: usize = 35;
/// `getpid`(2).
pub const GETPID: usize = 39;
/// `socket`(2).
pub const SOCKET: usize = 41;
/// `connect`(2).
pub const CONNECT: usize = 42;
/// `sendto`(2).
pub const SENDTO: usize = 44;
/// `recvfrom`(2).
pub const RECVFROM: usize = 45;
/// `sendmsg`(2).
pub const SENDMSG: usize = 46;
/// `recvmsg`(2).
pub const RECVMSG: usize = 47;
/// `shutdown`(2).
pub const SHUTDOWN: usize = 48;
/// `bind`(2).
pub const BIND: usize = 49;
/// `listen`(2).
pub const LISTEN: usize = 50;
/// `getsockname`(2).
pub const GETSOCKNAME: usize = 51;
/// `getpeername`(2).
pub const GETPEERNAME: usize = 52;
/// `socketpair`(2).
pub const SOCKETPAIR: usize = 53;
/// `setsockopt`(2).
pub const SETSOCKOPT: usize = 54;
/// `getsockopt`(2).
pub const GETSOCKOPT: usize = 55;
/// `clone`(2).
pub const CLONE: usize = 56;
/// `exit`(2).
pub const EXIT: usize = 60;
/// `wait4`(2).
pub const WAIT4: usize = 61;
/// `kill`(2).
pub const KILL: usize = 62;
/// `fcntl`(2).
pub const FCNTL: usize = 72;
/// `fsync`(2).
pub const FSYNC: usize = 74;
/// `fdatasync`(2).
pub const FDATASYNC: usize = 75;
/// `ftruncate`(2).
pub const FTRUNCATE: usize = 77;
/// `fchmod`(2).
pub const FCHMOD: usize = 91;
/// `gettid`(2).
pub const GETTID: usize = 186;
/// `tkill`(2).
pub const TKILL: usize = 200;
/// `futex`(2).
pub const FUTEX: usize = 202;
/// `sched_setaffinity`(2).
pub const SCHED_SETAFFINITY: usize = 203;
/// `getdents64`(2).
pub const GETDENTS64: usize = 217;
/// `clock_gettime`(2).
pub const CLOCK_GETTIME: usize = 228;
/// `exit_group`(2).
pub const EXIT_GROUP: usize = 231;
/// `epoll_ctl`(2).
pub const EPOLL_CTL: usize = 233;
/// `waitid`(2).
pub const WAITID: usize = 247;
/// `openat`(2).
pub const OPENAT: usize = 257;
/// `mkdirat`(2).
pub const MKDIRAT: usize = 258;
/// `fstatat`(2).
pub const NEWFSTATAT: usize = 262;
/// `unlinkat`(2).
pub const UNLINKAT: usize = 263;
/// `readlinkat`(2).
pub const READLINKAT: usize = 267;
/// `ppoll`(2).
pub const PPOLL: usize = 271;
/// `unshare`(2).
pub const UNSHARE: usize = 272;
/// `splice`(2).
pub const SPLICE: usize = 275;
/// `tee`(2).
pub const TEE: usize = 276;
/// `epoll_pwait`(2).
pub const EPOLL_PWAIT: usize = 281;
/// `timerfd_create`(2).
pub const TIMERFD_CREATE: usize = 283;
/// `fallocate`(2).
pub const FALLOCATE: usize = 285;
/// `timerfd_settime`(2).
pub const TIMERFD_SETTIME: usize = 286;
/// `accept4`(2).
pub const ACCEPT4: usize = 288;
/// `signalfd4`(2).
pub const SIGNALFD4: usize = 289;
/// `eventfd2`(2).
pub const EVENTFD2: usize = 290;
/// `epoll_create1`(2).
pub const EPOLL_CREATE1: usize = 291;
/// `dup3`(2).
pub const DUP3: usize = 292;
/// `pipe2`(2).
pub const PIPE2: usize = 293;
/// `preadv`(2).
pub const PREADV: usize = 295;
/// `pwritev`(2).
pub const PWRITEV: usize = 296;
/// `perf_event_open`(2).
pub const PERF_EVENT_OPEN: usize = 298;
/// `prlimit64`(2).
pub const PRLIMIT64: usize = 302;
/// `setns`(2).
pub const SETNS: usize = 308;
/// `getcpu`(2).
pub const GETCPU: usize = 309;
/// `renameat2`(2).
pub const RENAMEAT2: usize = 316;
/// `getrandom`(2).
pub const GETRANDOM: usize = 318;
/// `memfd_create`(2).
pub const MEMFD_CREATE: usize = 319;
/// `bpf`(2).
pub const BPF: usize = 321;
/// `membarrier`(2).
pub const MEMBARRIER: usize = 324;
/// `preadv2`(2).
pub const PREADV2: usize = 327;
/// `pwritev2`(2).
pub const PWRITEV2: usize = 328;
/// `statx`(2).
pub const STATX: usize = 332;
/// `rseq`(2).
pub const RSEQ: usize = 334;
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
