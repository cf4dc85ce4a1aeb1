//! System call numbers of powerpc64 (`arch/powerpc/kernel/syscalls/syscall.tbl` of the kernel).

/// `exit`(2).
pub const EXIT: usize = 1;
/// `read`(2).
pub const READ: usize = 3;
/// `write`(2).
pub const WRITE: usize = 4;
/// `close`(2).
pub const CLOSE: usize = 6;
/// `lseek`(2).
pub const LSEEK: usize = 19;
/// `getpid`(2).
pub const GETPID: usize = 20;
/// `kill`(2).
pub const KILL: usize = 37;
/// `dup`(2).
pub const DUP: usize = 41;
/// `ioctl`(2).
pub const IOCTL: usize = 54;
/// `fcntl`(2).
pub const FCNTL: usize = 55;
/// `mmap`(2).
pub const MMAP: usize = 90;
/// `munmap`(2).
pub const MUNMAP: usize = 91;
/// `ftruncate`(2).
pub const FTRUNCATE: usize = 93;
/// `fchmod`(2).
pub const FCHMOD: usize = 94;
/// `socketcall`(2).
pub const SOCKETCALL: usize = 102;
/// `fstat`(2).
pub const FSTAT: usize = 108;
/// `wait4`(2).
pub const WAIT4: usize = 114;
/// `fsync`(2).
pub const FSYNC: usize = 118;
/// `sigreturn`(2).
pub const SIGRETURN: usize = 119;
/// `clone`(2).
pub const CLONE: usize = 120;
/// `mprotect`(2).
pub const MPROTECT: usize = 125;
/// `llseek`(2).
pub const LLSEEK: usize = 140;
/// `readv`(2).
pub const READV: usize = 145;
/// `writev`(2).
pub const WRITEV: usize = 146;
/// `fdatasync`(2).
pub const FDATASYNC: usize = 148;
/// `sched_yield`(2).
pub const SCHED_YIELD: usize = 158;
/// `nanosleep`(2).
pub const NANOSLEEP: usize = 162;
/// `rt_sigreturn`(2).
pub const RT_SIGRETURN: usize = 172;
/// `rt_sigaction`(2).
pub const RT_SIGACTION: usize = 173;
/// `rt_sigprocmask`(2).
pub const RT_SIGPROCMASK: usize = 174;
/// `pread`(2).
pub const PREAD64: usize = 179;
/// `pwrite`(2).
pub const PWRITE64: usize = 180;
/// `getdents64`(2).
pub const GETDENTS64: usize = 202;
/// `madvise`(2).
pub const MADVISE: usize = 205;
/// `gettid`(2).
pub const GETTID: usize = 207;
/// `tkill`(2).
pub const TKILL: usize = 208;
/// `futex`(2).
pub const FUTEX: usize = 221;
/// `sched_setaffinity`(2).
pub const SCHED_SETAFFINITY: usize = 222;
/// `exit_group`(2).
pub const EXIT_GROUP: usize = 234;
/// `epoll_ctl`(2).
pub const EPOLL_CTL: usize = 237;
/// `clock_gettime`(2).
pub const CLOCK_GETTIME: usize = 246;
/// `waitid`(2).
pub const WAITID: usize = 272;
/// `ppoll`(2).
pub const PPOLL: usize = 281;
/// `unshare`(2).
pub const UNSHARE: usize = 282;
/// `splice`(2).
pub const SPLICE: usize = 283;
/// `tee`(2).
pub const TEE: usize = 284;
/// `openat`(2).
pub const OPENAT: usize = 286;
/// `mkdirat`(2).
pub const MKDIRAT: usize = 287;
/// `fstatat`(2).
pub const NEWFSTATAT: usize = 291;
/// `unlinkat`(2).
pub const UNLINKAT: usize = 292;
/// `readlinkat`(2).
pub const READLINKAT: usize = 296;
/// `getcpu`(2).
pub const GETCPU: usize = 302;
/// `epoll_pwait`(2).
pub const EPOLL_PWAIT: usize = 303;
/// `timerfd_create`(2).
pub const TIMERFD_CREATE: usize = 306;
/// `fallocate`(2).
pub const FALLOCATE: usize = 309;
/// `timerfd_settime`(2).
pub const TIMERFD_SETTIME: usize = 311;
/// `signalfd4`(2).
pub const SIGNALFD4: usize = 313;
/// `eventfd2`(2).
pub const EVENTFD2: usize = 314;
/// `epoll_create1`(2).
pub const EPOLL_CREATE1: usize = 315;
/// `dup3`(2).
pub const DUP3: usize = 316;
/// `pipe2`(2).
pub const PIPE2: usize = 317;
/// `perf_event_open`(2).
pub const PERF_EVENT_OPEN: usize = 319;
/// `preadv`(2).
pub const PREADV: usize = 320;
/// `pwritev`(2).
pub const PWRITEV: usize = 321;
/// `prlimit64`(2).
pub const PRLIMIT64: usize = 325;
/// `socket`(2).
pub const SOCKET: usize = 326;
/// `bind`(2).
pub const BIND: usize = 327;
/// `connect`(2).
pub const CONNECT: usize = 328;
/// `listen`(2).
pub const LISTEN: usize = 329;
/// `getsockname`(2).
pub const GETSOCKNAME: usize = 331;
/// `getpeername`(2).
pub const GETPEERNAME: usize = 332;
/// `socketpair`(2).
pub const SOCKETPAIR: usize = 333;
/// `sendto`(2).
pub const SENDTO: usize = 335;
/// `recvfrom`(2).
pub const RECVFROM: usize = 337;
/// `shutdown`(2).
pub const SHUTDOWN: usize = 338;
/// `setsockopt`(2).
pub const SETSOCKOPT: usize = 339;
/// `getsockopt`(2).
pub const GETSOCKOPT: usize = 340;
/// `sendmsg`(2).
pub const SENDMSG: usize = 341;
/// `recvmsg`(2).
pub const RECVMSG: usize = 342;
/// `accept4`(2).
pub const ACCEPT4: usize = 344;
/// `setns`(2).
pub const SETNS: usize = 350;
/// `renameat2`(2).
pub const RENAMEAT2: usize = 357;
/// `getrandom`(2).
pub const GETRANDOM: usize = 359;
/// `memfd_create`(2).
pub const MEMFD_CREATE: usize = 360;
/// `bpf`(2).
pub const BPF: usize = 361;
/// `membarrier`(2).
pub const MEMBARRIER: usize = 365;
/// `preadv2`(2).
pub const PREADV2: usize = 380;
/// `pwritev2`(2).
pub const PWRITEV2: usize = 381;
/// `statx`(2).
pub const STATX: usize = 383;
/// `rseq`(2).
pub const RSEQ: usize = 387;
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
