//! System call numbers of x86 (`arch/x86/entry/syscalls/syscall_32.tbl` of the kernel).

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
pub const RT_SIGRETURN: usize = 173;
/// `rt_sigaction`(2).
pub const RT_SIGACTION: usize = 174;
/// `rt_sigprocmask`(2).
pub const RT_SIGPROCMASK: usize = 175;
/// `pread`(2).
pub const PREAD64: usize = 180;
/// `pwrite`(2).
pub const PWRITE64: usize = 181;
/// `mmap2`(2).
pub const MMAP2: usize = 192;
/// `ftruncate64`(2).
pub const FTRUNCATE64: usize = 194;
/// `fstat64`(2).
pub const FSTAT64: usize = 197;
/// `madvise`(2).
pub const MADVISE: usize = 219;
/// `getdents64`(2).
pub const GETDENTS64: usize = 220;
/// `fcntl64`(2).
pub const FCNTL64: usize = 221;
/// `gettid`(2).
pub const GETTID: usize = 224;
/// `tkill`(2).
pub const TKILL: usize = 238;
/// `futex`(2).
pub const FUTEX: usize = 240;
/// `sched_setaffinity`(2).
pub const SCHED_SETAFFINITY: usize = 241;
/// `exit_group`(2).
pub const EXIT_GROUP: usize = 252;
/// `epoll_ctl`(2).
pub const EPOLL_CTL: usize = 255;
/// `clock_gettime`(2).
pub const CLOCK_GETTIME: usize = 265;
/// `waitid`(2).
pub const WAITID: usize = 284;
/// `openat`(2).
pub const OPENAT: usize = 295;
/// `mkdirat`(2).
pub const MKDIRAT: usize = 296;
/// `fstatat`(2).
pub const FSTATAT64: usize = 300;
/// `unlinkat`(2).
pub const UNLINKAT: usize = 301;
/// `readlinkat`(2).
pub const READLINKAT: usize = 305;
/// `ppoll`(2).
pub const PPOLL: usize = 309;
/// `unshare`(2).
pub const UNSHARE: usize = 310;
/// `splice`(2).
pub const SPLICE: usize = 313;
/// `tee`(2).
pub const TEE: usize = 315;
/// `getcpu`(2).
pub const GETCPU: usize = 318;
/// `epoll_pwait`(2).
pub const EPOLL_PWAIT: usize = 319;
/// `timerfd_create`(2).
pub const TIMERFD_CREATE: usize = 322;
/// `fallocate`(2).
pub const FALLOCATE: usize = 324;
/// `timerfd_settime`(2).
pub const TIMERFD_SETTIME: usize = 325;
/// `signalfd4`(2).
pub const SIGNALFD4: usize = 327;
/// `eventfd2`(2).
pub const EVENTFD2: usize = 328;
/// `epoll_create1`(2).
pub const EPOLL_CREATE1: usize = 329;
/// `dup3`(2).
pub const DUP3: usize = 330;
/// `pipe2`(2).
pub const PIPE2: usize = 331;
/// `preadv`(2).
pub const PREADV: usize = 333;
/// `pwritev`(2).
pub const PWRITEV: usize = 334;
/// `perf_event_open`(2).
pub const PERF_EVENT_OPEN: usize = 336;
/// `prlimit64`(2).
pub const PRLIMIT64: usize = 340;
/// `setns`(2).
pub const SETNS: usize = 346;
/// `renameat2`(2).
pub const RENAMEAT2: usize = 353;
/// `getrandom`(2).
pub const GETRANDOM: usize = 355;
/// `memfd_create`(2).
pub const MEMFD_CREATE: usize = 356;
/// `bpf`(2).
pub const BPF: usize = 357;
/// `socket`(2).
pub const SOCKET: usize = 359;
/// `socketpair`(2).
pub const SOCKETPAIR: usize = 360;
/// `bind`(2).
pub const BIND: usize = 361;
/// `connect`(2).
pub const CONNECT: usize = 362;
/// `listen`(2).
pub const LISTEN: usize = 363;
/// `accept4`(2).
pub const ACCEPT4: usize = 364;
/// `getsockopt`(2).
pub const GETSOCKOPT: usize = 365;
/// `setsockopt`(2).
pub const SETSOCKOPT: usize = 366;
/// `getsockname`(2).
pub const GETSOCKNAME: usize = 367;
/// `getpeername`(2).
pub const GETPEERNAME: usize = 368;
/// `sendto`(2).
pub const SENDTO: usize = 369;
/// `sendmsg`(2).
pub const SENDMSG: usize = 370;
/// `recvfrom`(2).
pub const RECVFROM: usize = 371;
/// `recvmsg`(2).
pub const RECVMSG: usize = 372;
/// `shutdown`(2).
pub const SHUTDOWN: usize = 373;
/// `membarrier`(2).
pub const MEMBARRIER: usize = 375;
/// `preadv2`(2).
pub const PREADV2: usize = 378;
/// `pwritev2`(2).
pub const PWRITEV2: usize = 379;
/// `statx`(2).
pub const STATX: usize = 383;
/// `rseq`(2).
pub const RSEQ: usize = 386;
/// `clock_gettime64`(2).
pub const CLOCK_GETTIME64: usize = 403;
/// `ppoll_time64`(2).
pub const PPOLL_TIME64: usize = 414;
/// `futex_time64`(2).
pub const FUTEX_TIME64: usize = 422;
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
