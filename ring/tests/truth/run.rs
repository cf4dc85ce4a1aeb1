//! Steps, and a kernel that takes them.

use std::collections::BTreeMap;
use std::mem::MaybeUninit;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use annulus_ring::kernel::{Faults, Network, SimulatedWorld, SockAddr};
use annulus_ring::{Errno, Kernel, Mask, Ring, RingConfig};

/// One step; sockets and the like go by names.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    Tcp(&'static str),
    Udp(&'static str),
    Unix(&'static str),
    UnixPair(&'static str, &'static str),
    DatagramPair(&'static str, &'static str),
    Pipe(&'static str, &'static str),
    /// To any port of this host, or to a name of its own.
    Bind(&'static str),
    Listen(&'static str, i32),
    /// To the address of another.
    Connect(&'static str, &'static str),
    /// To where nobody is.
    ConnectNowhere(&'static str),
    Accept(&'static str, &'static str),
    Send(&'static str, usize),
    Write(&'static str, usize),
    Recv(&'static str, usize),
    Read(&'static str, usize),
    Peek(&'static str, usize),
    Shutdown(&'static str, i32),
    /// A close resets.
    Linger(&'static str),
    Close(&'static str),
    Poll(&'static str),
    Error(&'static str),
    Peer(&'static str),
}

use Step::{
    Accept, Bind, Close, Connect, ConnectNowhere, DatagramPair, Error, Linger, Listen, Peek, Peer,
    Pipe, Poll, Read, Recv, Send, Shutdown, Tcp, Udp, Unix, UnixPair, Write,
};

/// Everything a poll may tell.
const EVENTS: i16 = libc::POLLIN | libc::POLLOUT | libc::POLLRDHUP;
/// How long a simulated step may take to have its consequences.
const SETTLED_NS: u64 = 100_000_000;

/// A kernel, with what a script has made.
pub(crate) struct Run {
    kernel: Kernel,
    /// Of a simulated kernel, with a ring to poll by.
    world: Option<(SimulatedWorld, Ring)>,
    fds: BTreeMap<&'static str, OwnedFd>,
}

impl Run {
    /// The system's own calls, with io_uring or without.
    pub(crate) fn real() -> Run {
        Run {
            kernel: Kernel::emulated(Mask::NONE),
            world: None,
            fds: BTreeMap::new(),
        }
    }

    pub(crate) fn simulated(seed: u64) -> Run {
        let world = SimulatedWorld::new(seed, Network::default(), Faults::none()).unwrap();
        let kernel = Kernel::Simulated(world.add_host("one"));
        let ring = kernel.open(&RingConfig::default()).unwrap();
        Run {
            kernel,
            world: Some((world, ring)),
            fds: BTreeMap::new(),
        }
    }

    fn fd(&self, name: &str) -> BorrowedFd<'_> {
        self.fds[name].as_fd()
    }

    fn add(&mut self, name: &'static str, made: Result<OwnedFd, Errno>) -> Result<usize, Errno> {
        self.fds.insert(name, made?);
        Ok(0)
    }

    fn make(&mut self, name: &'static str, domain: i32, kind: i32) -> Result<usize, Errno> {
        let flags = libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
        let made = self.kernel.socket(domain, kind | flags, 0);
        self.add(name, made)
    }

    fn pair(&mut self, names: [&'static str; 2], kind: i32) -> Result<usize, Errno> {
        let flags = libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
        let (one, other) = self.kernel.socketpair(libc::AF_UNIX, kind | flags, 0)?;
        self.add(names[0], Ok(one))?;
        self.add(names[1], Ok(other))
    }

    /// Does a step, and what follows from it by itself. Answers what it told.
    pub(crate) fn step(&mut self, step: Step) -> Result<usize, Errno> {
        let told = self.tell(step);
        if let Some((world, _)) = &self.world {
            let end_ns = world.now_ns() + SETTLED_NS;
            while let Some(next_ns) = world.next_ns().filter(|&next_ns| next_ns <= end_ns) {
                world.advance_to(next_ns.max(world.now_ns()));
            }
        }
        told
    }

    fn tell(&mut self, step: Step) -> Result<usize, Errno> {
        match step {
            Tcp(name) => self.make(name, libc::AF_INET, libc::SOCK_STREAM),
            Udp(name) => self.make(name, libc::AF_INET, libc::SOCK_DGRAM),
            Unix(name) => self.make(name, libc::AF_UNIX, libc::SOCK_STREAM),
            UnixPair(one, other) => self.pair([one, other], libc::SOCK_STREAM),
            DatagramPair(one, other) => self.pair([one, other], libc::SOCK_DGRAM),
            Pipe(reader, writer) => {
                let (reading, writing) = self.kernel.pipe()?;
                self.add(reader, Ok(reading))?;
                self.add(writer, Ok(writing))
            }
            Bind(name) => {
                let fd = self.fd(name);
                let local = self.kernel.getsockname(fd)?;
                let address = match local.as_socket() {
                    Some(_) => SockAddr::from(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))),
                    // Without a name the kernel finds one.
                    None => SockAddr::unix("").map_err(|_| Errno::EINVAL)?,
                };
                self.kernel.bind(fd, &address).map(|()| 0)
            }
            Listen(name, backlog) => self.kernel.listen(self.fd(name), backlog).map(|()| 0),
            Connect(name, to) => {
                let address = self.kernel.getsockname(self.fd(to))?;
                self.kernel.connect(self.fd(name), &address).map(|()| 0)
            }
            ConnectNowhere(name) => {
                // A port that was free a moment ago: nobody else looks for one here.
                let free = self.kernel.socket(libc::AF_INET, libc::SOCK_DGRAM, 0)?;
                let any = SockAddr::from(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
                self.kernel.bind(free.as_fd(), &any)?;
                let address = self.kernel.getsockname(free.as_fd())?;
                self.kernel.close(free)?;
                self.kernel.connect(self.fd(name), &address).map(|()| 0)
            }
            Accept(listener, name) => {
                let (accepted, _) = self.kernel.accept(self.fd(listener))?;
                self.add(name, Ok(accepted))
            }
            Send(name, len) => self.kernel.send(
                self.fd(name),
                &vec![7; len],
                libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL,
            ),
            Write(name, len) => self.kernel.write(self.fd(name), &vec![7; len]),
            Recv(name, len) => self.recv(name, len, 0),
            Peek(name, len) => self.recv(name, len, libc::MSG_PEEK),
            Read(name, len) => {
                let mut bytes = vec![MaybeUninit::uninit(); len];
                self.kernel.read(self.fd(name), &mut bytes)
            }
            Shutdown(name, how) => self.kernel.shutdown(self.fd(name), how).map(|()| 0),
            Linger(name) => {
                let value: Vec<u8> = [1_i32, 0].iter().flat_map(|n| n.to_ne_bytes()).collect();
                let (level, option) = (libc::SOL_SOCKET, libc::SO_LINGER);
                let fd = self.fd(name);
                self.kernel
                    .setsockopt(fd, level, option, &value)
                    .map(|()| 0)
            }
            Close(name) => {
                let fd = self.fds.remove(name).expect("it is there");
                self.kernel.close(fd).map(|()| 0)
            }
            Poll(name) => Ok(self.poll(name)),
            Error(name) => {
                let mut value = [0; 4];
                let (level, option) = (libc::SOL_SOCKET, libc::SO_ERROR);
                self.kernel
                    .getsockopt(self.fd(name), level, option, &mut value)?;
                Ok(i32::from_ne_bytes(value) as usize)
            }
            Peer(name) => self.kernel.getpeername(self.fd(name)).map(|_| 0),
        }
    }

    fn recv(&self, name: &str, len: usize, flags: i32) -> Result<usize, Errno> {
        let mut bytes = vec![MaybeUninit::uninit(); len];
        let flags = flags | libc::MSG_DONTWAIT;
        self.kernel.recv(self.fd(name), &mut bytes, flags)
    }

    /// What it is ready for.
    fn poll(&mut self, name: &str) -> usize {
        let fd = self.fds[name].as_raw_fd();
        let Some((_, ring)) = &mut self.world else {
            let mut one = libc::pollfd {
                fd,
                events: EVENTS,
                revents: 0,
            };
            // SAFETY: one entry, which is ours.
            let count = unsafe { libc::poll(&raw mut one, 1, 0) };
            assert!(count >= 0, "a poll that does not wait works");
            return one.revents as u16 as usize;
        };
        let sqe = ring.get_sqe().expect("there is room");
        sqe.prep_poll_add(fd, u32::from(EVENTS as u16));
        sqe.set_user_data(1);
        ring.submit().expect("the world takes it");
        let sqe = ring.get_sqe().expect("there is room");
        sqe.prep_cancel64(1, 0);
        sqe.set_user_data(2);
        ring.submit().expect("the world takes it");
        let mut ready = 0;
        while let Some(cqe) = ring.pop() {
            if cqe.user_data() == 1 {
                ready = cqe.result().unwrap_or(0) as usize;
            }
        }
        ready
    }

    /// What becomes of polls that the same enter cancels, and of the cancels: of one that is ready,
    /// one that is ready and stands, and one that waits.
    pub(crate) fn cancelled_polls(mut self) -> [[Result<u32, Errno>; 2]; 3] {
        self.pair(["near", "far"], libc::SOCK_STREAM).unwrap();
        let fd = self.fds["near"].as_raw_fd();
        let (_, ring) = self.world.as_mut().expect("a simulated world");
        [
            (false, libc::POLLOUT),
            (true, libc::POLLOUT),
            (false, libc::POLLIN),
        ]
        .map(|(standing, mask)| {
            let sqe = ring.get_sqe().expect("there is room");
            if standing {
                sqe.prep_poll_multishot(fd, mask as u32);
            } else {
                sqe.prep_poll_add(fd, mask as u32);
            }
            sqe.set_user_data(0);
            let sqe = ring.get_sqe().expect("there is room");
            sqe.prep_cancel64(0, 0);
            sqe.set_user_data(1);
            ring.submit().expect("the world takes them");
            let mut results = [Err(Errno::EBUSY); 2];
            while let Some(cqe) = ring.pop() {
                results[cqe.user_data() as usize] = cqe.result();
            }
            results
        })
    }
}
