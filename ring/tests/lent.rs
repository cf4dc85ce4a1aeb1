//! The simulated world watches every kind of memory that a program lends: whoever writes to it,
//! moves it or frees it meanwhile is caught, and named by the operation that has it.

use std::alloc::{GlobalAlloc, Layout, System};
use std::ffi::c_void;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use annulus_ring::kernel::{
    Act, Borrower, Fault, Faults, Network, SimulatedWorld, SockAddr, freed_while_lent,
};
use annulus_ring::{BufRing, Kernel, Mask, Opcode, Ring, RingConfig, Sqe};
use annulus_syscalls::io_uring::__kernel_timespec;
use annulus_syscalls::io_uring::register::op::IORING_REGISTER_PBUF_RING;
use annulus_syscalls::io_uring::register::{io_uring_buf, io_uring_buf_reg};

struct Heap;

#[global_allocator]
static HEAP: Heap = Heap;

// SAFETY: blocks are the system's, and those that do not go back to it stay valid.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: promised by the caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        if !freed_while_lent(start, layout.size(), Act::Freed) {
            // SAFETY: promised by the caller.
            unsafe { System.dealloc(start, layout) }
        }
    }

    unsafe fn realloc(&self, start: *mut u8, layout: Layout, size_bytes: usize) -> *mut u8 {
        if freed_while_lent(start, layout.size(), Act::Moved) {
            // The tests only look at whether it was told.
            return start;
        }
        // SAFETY: promised by the caller.
        unsafe { System.realloc(start, layout, size_bytes) }
    }
}

/// A block of the heap, by its address alone.
#[derive(Clone, Copy)]
struct Block {
    start: *mut u8,
    layout: Layout,
}

impl Block {
    /// With these bytes, and a zero behind them.
    fn with(bytes: &[u8]) -> Block {
        let layout = Layout::from_size_align(bytes.len() + 1, 16).unwrap();
        // SAFETY: the size is not 0.
        let start = unsafe { std::alloc::alloc_zeroed(layout) };
        assert!(!start.is_null());
        // SAFETY: there is room.
        unsafe { start.copy_from(bytes.as_ptr(), bytes.len()) };
        Block { start, layout }
    }

    /// With a value that is plain bytes.
    fn of<T>(value: T) -> Block {
        let layout = Layout::from_size_align(size_of::<T>(), 16).unwrap();
        // SAFETY: the size is not 0.
        let start = unsafe { std::alloc::alloc_zeroed(layout) };
        assert!(!start.is_null());
        // SAFETY: there is room, and the block is aligned enough.
        unsafe { start.cast::<T>().write(value) };
        Block { start, layout }
    }

    fn bytes(self) -> u32 {
        self.layout.size() as u32
    }

    fn spoil(self, act: Act) {
        match act {
            Act::Touched => {
                // SAFETY: it is there; that nobody may write to it is what is tested.
                let byte = unsafe { self.start.read() };
                // SAFETY: as above.
                unsafe { self.start.write(byte ^ 0xff) };
            }
            Act::Moved => {
                // SAFETY: a block of this layout; lent, and so it stays where it is.
                let _ = unsafe { std::alloc::realloc(self.start, self.layout, 1 << 16) };
            }
            Act::Freed => {
                // SAFETY: as above.
                unsafe { std::alloc::dealloc(self.start, self.layout) };
            }
            Act::Repeated => unreachable!("that is of buffers"),
        }
    }
}

/// What memory is lent as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Received,
    Sent,
    SentWithoutCopy,
    FileRead,
    FileWritten,
    ReadParts,
    WrittenParts,
    PeerAddress,
    PeerAddressLength,
    Provided,
    /// A provided buffer that a thread reads a file into.
    Claimed,
    /// In an entry that the kernel has not consumed yet.
    Path,
    SecondPath,
    Time,
    Address,
    Parts,
    SentLater,
}

const KINDS: [Kind; 17] = [
    Kind::Received,
    Kind::Sent,
    Kind::SentWithoutCopy,
    Kind::FileRead,
    Kind::FileWritten,
    Kind::ReadParts,
    Kind::WrittenParts,
    Kind::PeerAddress,
    Kind::PeerAddressLength,
    Kind::Provided,
    Kind::Claimed,
    Kind::Path,
    Kind::SecondPath,
    Kind::Time,
    Kind::Address,
    Kind::Parts,
    Kind::SentLater,
];

impl Kind {
    /// Whether the kernel copies it when it consumes the entry.
    fn is_copied(self) -> bool {
        matches!(
            self,
            Kind::Path
                | Kind::SecondPath
                | Kind::Time
                | Kind::Address
                | Kind::Parts
                | Kind::SentLater
        )
    }

    fn borrower(self) -> Borrower {
        let opcode = match self {
            Kind::Provided => return Borrower::Group(GROUP),
            Kind::Received => Opcode::RECV,
            Kind::Sent | Kind::SentLater => Opcode::SEND,
            Kind::SentWithoutCopy => Opcode::SEND_ZC,
            Kind::FileRead | Kind::Claimed => Opcode::READ,
            Kind::FileWritten => Opcode::WRITE,
            Kind::ReadParts => Opcode::READV,
            Kind::WrittenParts | Kind::Parts => Opcode::WRITEV,
            Kind::PeerAddress | Kind::PeerAddressLength => Opcode::ACCEPT,
            Kind::Path => Opcode::OPENAT,
            Kind::SecondPath => Opcode::RENAMEAT,
            Kind::Time => Opcode::TIMEOUT,
            Kind::Address => Opcode::CONNECT,
        };
        Borrower::Operation {
            opcode,
            user_data: USER_DATA,
        }
    }
}

const USER_DATA: u64 = 5;
const GROUP: u16 = 7;

/// A simulated host with one ring.
struct Host {
    world: SimulatedWorld,
    kernel: Kernel,
    ring: Ring,
    fds: Vec<OwnedFd>,
}

impl Host {
    fn new() -> Host {
        let world = SimulatedWorld::new(1, Network::default(), Faults::none()).unwrap();
        let kernel = Kernel::Simulated(world.add_host("one"));
        let ring = kernel.open(&RingConfig::default()).unwrap();
        Host {
            world,
            kernel,
            ring,
            fds: Vec::new(),
        }
    }

    fn entry(&mut self) -> &mut Sqe {
        let sqe = self.ring.get_sqe().unwrap();
        sqe.prep_nop();
        sqe.set_user_data(USER_DATA);
        sqe
    }

    /// Lets all happen that happens by itself.
    fn settle(&mut self) {
        while let Some(next_ns) = self.world.next_ns() {
            self.world.advance_to(next_ns.max(self.world.now_ns()));
            self.ring.submit().unwrap();
        }
    }

    fn keep(&mut self, fd: OwnedFd) -> i32 {
        let number = fd.as_raw_fd();
        self.fds.push(fd);
        number
    }

    fn pair(&mut self) -> i32 {
        let kind = libc::SOCK_STREAM;
        let (near, far) = self.kernel.socketpair(libc::AF_UNIX, kind, 0).unwrap();
        self.fds.push(far);
        self.keep(near)
    }

    /// A socket that takes nothing more.
    fn full(&mut self) -> i32 {
        let fd = self.pair();
        let socket = self.fds.last().unwrap().as_fd();
        while self.kernel.send(socket, &[0; 1000], 0).is_ok() {}
        fd
    }

    fn file(&mut self) -> i32 {
        let path = Block::with(b"/tmp/file");
        let flags = libc::O_CREAT | libc::O_RDWR;
        let sqe = self.entry();
        // SAFETY: the block stays.
        unsafe { sqe.prep_openat(libc::AT_FDCWD, path.start.cast(), flags, 0o600) };
        self.ring.submit().unwrap();
        self.settle();
        i32::try_from(self.ring.pop().unwrap().result().unwrap()).unwrap()
    }

    fn listener(&mut self) -> i32 {
        let listener = self
            .kernel
            .socket(libc::AF_INET, libc::SOCK_STREAM, 0)
            .unwrap();
        let address = SockAddr::from(std::net::SocketAddr::from(([127, 0, 0, 1], 80)));
        self.kernel.bind(listener.as_fd(), &address).unwrap();
        self.kernel.listen(listener.as_fd(), 8).unwrap();
        self.keep(listener)
    }

    /// Prepares what lends a block as this kind, and answers the block.
    fn prepare(&mut self, kind: Kind) -> Block {
        let data = Block::with(b"some bytes to be looked at");
        let (start, len) = (data.start, data.bytes());
        let parts = Block::of([
            libc::iovec {
                iov_base: Block::with(b"others").start.cast(),
                iov_len: 6,
            },
            libc::iovec {
                iov_base: start.cast(),
                iov_len: len as usize,
            },
        ]);
        match kind {
            Kind::Received => {
                let fd = self.pair();
                // SAFETY: blocks that are only freed while an allocator watches them.
                unsafe { self.entry().prep_recv(fd, start, len, 0) };
            }
            Kind::Sent | Kind::SentLater => {
                let fd = self.full();
                // SAFETY: as above.
                unsafe { self.entry().prep_send(fd, start, len, 0) };
            }
            Kind::SentWithoutCopy => {
                let mut faults = Faults::none();
                faults.set(Fault::LateNotification, 1000);
                self.world.set_faults(&faults);
                let fd = self.pair();
                // SAFETY: as above.
                unsafe { self.entry().prep_send_zc(fd, start, len, 0, 0) };
            }
            Kind::FileRead => {
                let fd = self.file();
                // SAFETY: as above.
                unsafe { self.entry().prep_read(fd, start, len, 0) };
            }
            Kind::FileWritten => {
                let fd = self.file();
                // SAFETY: as above.
                unsafe { self.entry().prep_write(fd, start, len, 0) };
            }
            Kind::ReadParts => {
                let fd = self.pair();
                let iov = parts.start.cast::<c_void>();
                // SAFETY: as above.
                unsafe { self.entry().prep_readv(fd, iov, 2, u64::MAX, 0) };
            }
            Kind::WrittenParts | Kind::Parts => {
                let fd = self.full();
                let iov = parts.start.cast::<c_void>();
                // SAFETY: as above.
                unsafe { self.entry().prep_writev(fd, iov, 2, u64::MAX, 0) };
                if kind == Kind::Parts {
                    return parts;
                }
            }
            Kind::PeerAddress | Kind::PeerAddressLength => {
                let fd = self.listener();
                let length = Block::of(len);
                let place = length.start.cast::<u32>();
                // SAFETY: as above; the length is that of the block.
                unsafe { self.entry().prep_accept(fd, start.cast(), place, 0) };
                if kind == Kind::PeerAddressLength {
                    return length;
                }
            }
            Kind::Provided => {
                self.provide(data);
                let fd = self.pair();
                // SAFETY: the buffer stays as long as it is lent.
                unsafe { self.entry().prep_recv_select(fd, 0, 0, GROUP) };
            }
            Kind::Claimed => {
                self.provide(data);
                let fd = self.file();
                // SAFETY: as above.
                unsafe { self.entry().prep_read_select(fd, 0, 0, GROUP) };
            }
            Kind::Path => {
                // SAFETY: as above; a zero ends it.
                unsafe { self.entry().prep_openat(libc::AT_FDCWD, start.cast(), 0, 0) };
            }
            Kind::SecondPath => {
                let from = Block::with(b"/from").start.cast();
                let cwd = libc::AT_FDCWD;
                // SAFETY: as above.
                unsafe { self.entry().prep_renameat(cwd, from, cwd, start.cast(), 0) };
            }
            Kind::Time => {
                let time = Block::of(__kernel_timespec {
                    tv_sec: 1,
                    tv_nsec: 0,
                });
                // SAFETY: as above.
                unsafe { self.entry().prep_timeout(time.start.cast(), 0, 0) };
                return time;
            }
            Kind::Address => {
                let socket = self.kernel.socket(libc::AF_INET, libc::SOCK_STREAM, 0);
                let fd = self.keep(socket.unwrap());
                let address = SockAddr::from(std::net::SocketAddr::from(([127, 0, 0, 1], 80)));
                let len = address.len();
                let address = Block::of(address.as_storage());
                // SAFETY: as above.
                unsafe { self.entry().prep_connect(fd, address.start.cast(), len) };
                return address;
            }
        }
        data
    }

    /// A group of one buffer on the heap.
    fn provide(&mut self, buffer: Block) {
        let layout = Layout::from_size_align(4096, 4096).unwrap();
        // SAFETY: the size is not 0.
        let entries = unsafe { std::alloc::alloc_zeroed(layout) }.cast::<io_uring_buf>();
        let entry = io_uring_buf {
            addr: buffer.start.expose_provenance() as u64,
            len: buffer.bytes(),
            bid: 3,
            // The ring's tail.
            resv: 1,
        };
        // SAFETY: a page has room for it.
        unsafe { entries.write(entry) };
        let request = io_uring_buf_reg {
            ring_addr: entries.expose_provenance() as u64,
            ring_entries: 1,
            bgid: GROUP,
            ..io_uring_buf_reg::default()
        };
        let arg = (&raw const request).expose_provenance();
        // SAFETY: a description of entries that stay for good.
        unsafe { self.ring.register(IORING_REGISTER_PBUF_RING, arg, 1) }.unwrap();
    }

    /// Ends all operations, so that their memory is given back.
    fn end(&mut self, kind: Kind) {
        if kind == Kind::Provided {
            let far = self.fds[self.fds.len() - 2].as_fd();
            self.kernel.send(far, b"data", 0).unwrap();
        }
        self.ring.submit().unwrap();
        if kind != Kind::Provided && kind != Kind::SentWithoutCopy {
            self.ring.get_sqe().unwrap().prep_cancel_any();
            self.ring.submit().unwrap();
        }
        self.settle();
    }
}

/// Lends memory, does something to it, and answers what the world has seen.
fn seen(kind: Kind, spoil: impl FnOnce(Block)) -> Option<(Act, Borrower)> {
    let mut host = Host::new();
    let block = host.prepare(kind);
    if kind.is_copied() {
        let mut faults = Faults::none();
        faults.set(Fault::EnterInterrupted, 1000);
        host.world.set_faults(&faults);
        host.ring.submit().expect_err("the fault strikes");
        host.world.set_faults(&Faults::none());
    } else {
        host.ring.submit().unwrap();
    }
    assert_eq!(host.world.take_violation(), None, "{kind:?}");
    spoil(block);
    let seen = host.world.take_violation();
    host.end(kind);
    let seen = seen.or_else(|| host.world.take_violation());
    seen.map(|violation| (violation.act, violation.borrower))
}

#[test]
fn memory_that_is_left_alone_is_not_complained_about() {
    for kind in KINDS {
        assert_eq!(seen(kind, |_| {}), None, "{kind:?}");
    }
}

#[test]
fn memory_that_is_touched_while_it_is_lent_is_caught() {
    for kind in KINDS {
        let seen = seen(kind, |block| block.spoil(Act::Touched));
        assert_eq!(seen, Some((Act::Touched, kind.borrower())), "{kind:?}");
    }
}

#[test]
fn memory_that_is_moved_while_it_is_lent_is_caught() {
    for kind in KINDS {
        let seen = seen(kind, |block| block.spoil(Act::Moved));
        assert_eq!(seen, Some((Act::Moved, kind.borrower())), "{kind:?}");
    }
}

#[test]
fn memory_that_is_freed_while_it_is_lent_is_caught() {
    for kind in KINDS {
        let seen = seen(kind, |block| block.spoil(Act::Freed));
        assert_eq!(seen, Some((Act::Freed, kind.borrower())), "{kind:?}");
    }
}

#[test]
fn a_buffer_that_is_provided_twice_is_caught() {
    let mut host = Host::new();
    let mut buffers = BufRing::new(&host.ring, GROUP, 2, 100).unwrap();
    host.ring.submit().unwrap();
    assert_eq!(host.world.take_violation(), None);
    // SAFETY: not kept, on purpose: the kernel has the buffer.
    unsafe { buffers.push(0) };
    host.ring.submit().unwrap();
    let violation = host.world.take_violation().expect("it is caught");
    assert_eq!(violation.act, Act::Repeated);
    assert_eq!(violation.borrower, Borrower::Group(GROUP));
}

#[test]
fn buffers_that_are_taken_back_are_the_programs_again() {
    let mut host = Host::new();
    let buffers = BufRing::new(&host.ring, GROUP, 2, 100).unwrap();
    host.ring.submit().unwrap();
    let memory = buffers.memory().clone();
    buffers.unregister().unwrap();
    // SAFETY: the kernel has forgotten the group.
    unsafe { memory.start(1).write(1) };
    drop(memory);
    host.ring.submit().unwrap();
    assert_eq!(host.world.take_violation(), None);
}

#[test]
fn mapped_memory_that_is_unmapped_while_it_is_lent_is_caught() {
    let mut host = Host::new();
    // Buffers of a ring elsewhere: here they are memory like any other.
    let ring = Kernel::emulated(Mask::NONE).open(&RingConfig::default());
    let buffers = BufRing::new(&ring.unwrap(), GROUP, 1, 100).unwrap();
    let start = buffers.memory().start(0).as_ptr();
    let fd = host.pair();
    // SAFETY: it is unmapped only while that is watched.
    unsafe { host.entry().prep_recv(fd, start, 100, 0) };
    host.ring.submit().unwrap();
    drop(buffers);
    let violation = host.world.take_violation().expect("it is caught");
    assert_eq!(violation.act, Act::Freed);
    assert_eq!(violation.borrower, Kind::Received.borrower());
    host.end(Kind::Received);
}
