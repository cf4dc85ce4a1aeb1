//! The simulated world tells of sockets and pipes what Linux does: the same steps on both, and
//! the same answers.

use std::collections::BTreeMap;
use std::mem::MaybeUninit;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use annulus_ring::kernel::{Faults, Network, SimulatedWorld, SockAddr};
use annulus_ring::{Errno, Kernel, Mask, Ring, RingConfig};

/// One step; sockets and the like go by names.
#[derive(Clone, Copy, Debug)]
enum Step {
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

/// What a connected pair of TCP sockets takes: a listener `l`, its end `s`, the other end `c`.
const CONNECTED: [Step; 6] = [
    Tcp("l"),
    Bind("l"),
    Listen("l", 8),
    Tcp("c"),
    Connect("c", "l"),
    Accept("l", "s"),
];

/// Everything a poll may tell.
const EVENTS: i16 = libc::POLLIN | libc::POLLOUT | libc::POLLRDHUP;
/// How long a simulated step may take to have its consequences.
const SETTLED_NS: u64 = 100_000_000;

/// A kernel, with what a script has made.
struct Run {
    kernel: Kernel,
    /// Of a simulated kernel, with a ring to poll by.
    world: Option<(SimulatedWorld, Ring)>,
    fds: BTreeMap<&'static str, OwnedFd>,
}

impl Run {
    /// The system's own calls, with io_uring or without.
    fn real() -> Run {
        Run {
            kernel: Kernel::emulated(Mask::NONE),
            world: None,
            fds: BTreeMap::new(),
        }
    }

    fn simulated(seed: u64) -> Run {
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
    fn step(&mut self, step: Step) -> Result<usize, Errno> {
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
}

/// What each step told.
fn told(mut run: Run, script: &[Step]) -> Vec<Result<usize, Errno>> {
    script.iter().map(|&step| run.step(step)).collect()
}

#[track_caller]
fn same(script: &[Step]) {
    let real = told(Run::real(), script);
    // A seed may give a stream a window of a few bytes: then a send is shorter than here.
    let whole = |told: &[Result<usize, Errno>]| {
        let mut steps = script.iter().zip(told);
        steps.all(|(step, told)| match (step, told) {
            (Send(_, len) | Write(_, len), Ok(sent)) => sent == len,
            _ => true,
        })
    };
    let simulated = (0..100)
        .map(|seed| told(Run::simulated(seed), script))
        .find(|told| whole(told))
        .expect("most windows are large");
    for ((step, real), simulated) in script.iter().zip(&real).zip(&simulated) {
        assert_eq!(
            simulated, real,
            "{step:?} tells the left, Linux the right: {script:?}"
        );
    }
}

/// The steps after those that connect.
#[track_caller]
fn same_connected(script: &[Step]) {
    same(&[&CONNECTED, script].concat());
}

#[test]
fn a_fresh_socket() {
    same(&[
        Tcp("c"),
        Poll("c"),
        Send("c", 1),
        Recv("c", 1),
        Shutdown("c", libc::SHUT_WR),
    ]);
    same(&[
        Tcp("c"),
        Error("c"),
        Peer("c"),
        Accept("c", "s"),
        Connect("c", "c"),
    ]);
    same(&[Unix("c"), Poll("c"), Send("c", 1), Recv("c", 1), Peer("c")]);
}

#[test]
fn a_listener() {
    same(&[
        Tcp("l"),
        Bind("l"),
        Listen("l", 8),
        Poll("l"),
        Accept("l", "s"),
        Send("l", 1),
    ]);
    same(&[
        Tcp("l"),
        Bind("l"),
        Listen("l", 8),
        Recv("l", 1),
        Error("l"),
        Peer("l"),
    ]);
    same(&[Tcp("l"), Listen("l", 8), Listen("l", 9), Bind("l")]);
    same(&[Tcp("l"), Bind("l"), Bind("l"), Accept("l", "s")]);
    same(&[
        Unix("l"),
        Listen("l", 8),
        Bind("l"),
        Listen("l", 8),
        Poll("l"),
    ]);
    let shut = [Shutdown("l", libc::SHUT_RD), Poll("l"), Accept("l", "s")];
    same(&[&[Tcp("l"), Bind("l"), Listen("l", 8)][..], &shut].concat());
}

#[test]
fn a_connection_that_is_made() {
    let knock = [
        Tcp("l"),
        Bind("l"),
        Listen("l", 8),
        Tcp("c"),
        Connect("c", "l"),
    ];
    let rest = [
        Poll("l"),
        Poll("c"),
        Error("c"),
        Connect("c", "l"),
        Accept("l", "s"),
    ];
    same(&[&knock[..], &rest].concat());
    same_connected(&[
        Poll("c"),
        Poll("s"),
        Poll("l"),
        Recv("c", 1),
        Peer("c"),
        Peer("s"),
    ]);
    same_connected(&[
        Send("c", 5),
        Poll("s"),
        Peek("s", 3),
        Recv("s", 3),
        Poll("s"),
        Recv("s", 9),
    ]);
    same_connected(&[
        Recv("s", 9),
        Connect("c", "l"),
        Accept("l", "t"),
        Listen("c", 1),
    ]);
    same_connected(&[
        Send("c", 0),
        Recv("s", 0),
        Send("s", 2),
        Recv("c", 0),
        Recv("c", 2),
    ]);
}

#[test]
fn a_connection_to_nowhere() {
    let connect = [Tcp("c"), ConnectNowhere("c"), Poll("c")];
    same(&[&connect[..], &[Error("c"), Poll("c"), Error("c")]].concat());
    same(&[&connect[..], &[Recv("c", 1), Recv("c", 1), Send("c", 1)]].concat());
    same(&[&connect[..], &[Send("c", 1), Send("c", 1), Recv("c", 1)]].concat());
    same(&[&connect[..], &[Peer("c"), Shutdown("c", libc::SHUT_WR)]].concat());
}

#[test]
fn an_end_that_is_shut() {
    let shut = Shutdown("c", libc::SHUT_WR);
    same_connected(&[
        Send("c", 3),
        shut,
        Poll("s"),
        Poll("c"),
        Recv("s", 9),
        Recv("s", 9),
    ]);
    same_connected(&[
        shut,
        Poll("c"),
        Send("c", 1),
        Send("s", 2),
        Recv("c", 9),
        Poll("s"),
    ]);
    same_connected(&[
        shut,
        Shutdown("s", libc::SHUT_WR),
        Poll("c"),
        Poll("s"),
        shut,
    ]);
    same_connected(&[
        shut,
        Shutdown("s", libc::SHUT_WR),
        Recv("c", 1),
        Send("c", 1),
        Peer("c"),
    ]);
    let deaf = Shutdown("c", libc::SHUT_RD);
    same_connected(&[deaf, Poll("c"), Recv("c", 1), Poll("s"), Send("s", 2)]);
    same_connected(&[
        Shutdown("c", libc::SHUT_RDWR),
        Poll("c"),
        Poll("s"),
        Recv("c", 1),
    ]);
}

#[test]
fn an_end_that_is_closed() {
    same_connected(&[Close("c"), Poll("s"), Recv("s", 1), Recv("s", 1)]);
    same_connected(&[
        Close("c"),
        Send("s", 2),
        Poll("s"),
        Send("s", 2),
        Recv("s", 1),
    ]);
    same_connected(&[
        Close("c"),
        Send("s", 2),
        Error("s"),
        Poll("s"),
        Send("s", 2),
        Recv("s", 1),
    ]);
    same_connected(&[Close("c"), Send("s", 2), Recv("s", 1), Recv("s", 1)]);
    same_connected(&[
        Send("c", 4),
        Close("c"),
        Recv("s", 2),
        Poll("s"),
        Recv("s", 9),
        Recv("s", 9),
    ]);
    same_connected(&[
        Close("c"),
        Shutdown("s", libc::SHUT_WR),
        Poll("s"),
        Error("s"),
    ]);
}

#[test]
fn a_connection_that_is_reset() {
    same_connected(&[
        Linger("c"),
        Close("c"),
        Poll("s"),
        Recv("s", 1),
        Recv("s", 1),
        Send("s", 1),
    ]);
    same_connected(&[
        Linger("c"),
        Close("c"),
        Error("s"),
        Poll("s"),
        Recv("s", 1),
        Send("s", 1),
    ]);
    same_connected(&[
        Linger("c"),
        Close("c"),
        Send("s", 1),
        Send("s", 1),
        Recv("s", 1),
    ]);
    same_connected(&[
        Send("s", 3),
        Close("c"),
        Poll("s"),
        Recv("s", 1),
        Recv("s", 1),
    ]);
    same_connected(&[
        Send("c", 3),
        Linger("c"),
        Close("c"),
        Poll("s"),
        Recv("s", 9),
        Recv("s", 9),
    ]);
    same_connected(&[
        Linger("c"),
        Close("c"),
        Peer("s"),
        Shutdown("s", libc::SHUT_WR),
    ]);
    same_connected(&[Close("l"), Send("c", 1), Recv("s", 1)]);
}

#[test]
fn a_listener_that_goes_resets_who_waits() {
    let knock = [
        Tcp("l"),
        Bind("l"),
        Listen("l", 8),
        Tcp("c"),
        Connect("c", "l"),
    ];
    same(
        &[
            &knock[..],
            &[Close("l"), Poll("c"), Recv("c", 1), Recv("c", 1)],
        ]
        .concat(),
    );
    same(
        &[
            &knock[..],
            &[Send("c", 3), Close("l"), Error("c"), Send("c", 1)],
        ]
        .concat(),
    );
}

#[test]
fn datagrams() {
    let named = [Udp("a"), Bind("a"), Udp("b"), Bind("b")];
    let with = |rest: &[Step]| same(&[&named, rest].concat());
    with(&[Poll("a"), Recv("a", 1), Send("a", 1), Peer("a")]);
    with(&[
        Connect("b", "a"),
        Send("b", 5),
        Poll("a"),
        Recv("a", 3),
        Recv("a", 3),
        Peer("b"),
    ]);
    with(&[
        Connect("b", "a"),
        Send("b", 0),
        Poll("a"),
        Recv("a", 3),
        Recv("a", 3),
    ]);
    with(&[
        Connect("b", "a"),
        Close("a"),
        Send("b", 1),
        Poll("b"),
        Recv("b", 1),
        Recv("b", 1),
    ]);
    with(&[
        Connect("b", "a"),
        Close("a"),
        Send("b", 1),
        Send("b", 1),
        Send("b", 1),
        Error("b"),
    ]);
    with(&[
        Connect("b", "a"),
        Close("a"),
        Send("b", 1),
        Error("b"),
        Poll("b"),
        Send("b", 70_000),
    ]);
    with(&[
        Listen("a", 1),
        Accept("a", "s"),
        Shutdown("a", libc::SHUT_RD),
    ]);
    with(&[
        Connect("a", "b"),
        Connect("b", "a"),
        Send("a", 1),
        Send("b", 2),
        Recv("a", 9),
    ]);
}

#[test]
fn unix_streams() {
    let pair = [UnixPair("a", "b")];
    let with = |rest: &[Step]| same(&[&pair, rest].concat());
    with(&[
        Poll("a"),
        Send("a", 3),
        Poll("b"),
        Recv("b", 2),
        Recv("b", 9),
        Recv("b", 9),
        Peer("a"),
    ]);
    with(&[
        Close("a"),
        Poll("b"),
        Recv("b", 1),
        Send("b", 1),
        Error("b"),
    ]);
    with(&[
        Send("a", 3),
        Close("a"),
        Poll("b"),
        Recv("b", 9),
        Recv("b", 9),
        Send("b", 1),
    ]);
    with(&[
        Send("b", 3),
        Close("a"),
        Poll("b"),
        Recv("b", 9),
        Recv("b", 9),
        Send("b", 1),
    ]);
    with(&[
        Shutdown("a", libc::SHUT_WR),
        Poll("b"),
        Poll("a"),
        Recv("b", 1),
        Send("b", 1),
    ]);
    with(&[Shutdown("a", libc::SHUT_WR), Send("a", 1), Recv("a", 1)]);
    with(&[
        Shutdown("a", libc::SHUT_RD),
        Poll("a"),
        Poll("b"),
        Recv("a", 1),
        Send("b", 1),
    ]);
    with(&[
        Shutdown("a", libc::SHUT_RDWR),
        Poll("a"),
        Poll("b"),
        Recv("b", 1),
        Send("b", 1),
    ]);
}

#[test]
fn unix_connections() {
    let knock = [
        Unix("l"),
        Bind("l"),
        Listen("l", 0),
        Unix("c"),
        Connect("c", "l"),
    ];
    let with = |rest: &[Step]| same(&[&knock, rest].concat());
    with(&[
        Poll("c"),
        Poll("l"),
        Accept("l", "s"),
        Poll("s"),
        Send("c", 2),
        Recv("s", 9),
    ]);
    with(&[
        Unix("d"),
        Connect("d", "l"),
        Accept("l", "s"),
        Connect("d", "l"),
    ]);
    with(&[
        Send("c", 2),
        Close("l"),
        Poll("c"),
        Recv("c", 1),
        Recv("c", 1),
        Send("c", 1),
    ]);
    with(&[
        Close("c"),
        Poll("l"),
        Accept("l", "s"),
        Poll("s"),
        Recv("s", 1),
    ]);
    same(&[
        Unix("l"),
        Bind("l"),
        Unix("c"),
        Connect("c", "l"),
        Poll("c"),
    ]);
}

#[test]
fn unix_datagrams() {
    let pair = [DatagramPair("a", "b")];
    let with = |rest: &[Step]| same(&[&pair, rest].concat());
    with(&[
        Poll("a"),
        Send("a", 5),
        Poll("b"),
        Recv("b", 3),
        Recv("b", 3),
    ]);
    with(&[
        Send("a", 5),
        Close("a"),
        Poll("b"),
        Recv("b", 9),
        Recv("b", 9),
        Send("b", 1),
    ]);
    with(&[
        Close("b"),
        Poll("a"),
        Send("a", 1),
        Send("a", 1),
        Recv("a", 1),
    ]);
}

#[test]
fn pipes() {
    let pipe = [Pipe("r", "w")];
    let with = |rest: &[Step]| same(&[&pipe, rest].concat());
    with(&[
        Poll("r"),
        Poll("w"),
        Read("r", 1),
        Write("w", 3),
        Poll("r"),
        Read("r", 2),
        Read("r", 9),
    ]);
    with(&[
        Write("w", 3),
        Close("w"),
        Poll("r"),
        Read("r", 9),
        Poll("r"),
        Read("r", 9),
    ]);
    with(&[Close("r"), Poll("w"), Write("w", 1)]);
    with(&[Write("w", 3), Close("r"), Poll("w"), Write("w", 1)]);
    with(&[Read("w", 1), Write("r", 1)]);
}
