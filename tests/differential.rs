//! The three kernels against each other: what a program can observe is the same on io_uring, on its
//! emulation, and in a simulated world in which nothing goes wrong.
//!
//! A program is 20 random steps over files, sockets, timers and tasks. Each step writes down what it
//! has seen; nothing that depends on time or on the kernel's choice (ports, descriptors) is written.

use std::future::{Future, poll_fn};
use std::io::{self, SeekFrom};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use annulus::fs::{self, File, OpenOptions};
use annulus::io::{AsyncRead, AsyncReadExt, AsyncSeekExt, AsyncWrite, AsyncWriteExt};
use annulus::net::{TcpListener, TcpStream, UdpSocket, UnixDatagram, UnixListener, UnixStream};
use annulus::runtime::{Builder, KernelKind, RecvMode};
use annulus::sim::Sim;
use annulus::time::{Instant, sleep, timeout};
use annulus_tests::{on_uring, stress};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

annulus::sim_install!();

const STEPS: usize = 20;
/// Programs in a full run.
const PROGRAMS: u64 = 1_000;
const NAMES: [&str; 4] = ["a", "b", "dir", "dir/c"];
/// So long a read waits for bytes that nobody sends.
const BRIEF: Duration = Duration::from_millis(3);

/// A file or directory by its place in [`NAMES`].
type Name = usize;

#[derive(Clone, Debug)]
enum Step {
    // Files.
    Write(Name, usize),
    Append(Name, usize),
    WriteAt(Name, u64, usize),
    ReadAt(Name, u64, usize),
    SeekAndRead(Name, i64, usize),
    ReadAll(Name),
    CreateNew(Name),
    SetLen(Name, u64),
    Sync(Name),
    Rename(Name, Name),
    Copy(Name, Name),
    HardLink(Name, Name),
    Symlink(Name, Name),
    ReadLink(Name),
    Remove(Name),
    MakeDir(Name),
    RemoveDir(Name),
    RemoveAll(Name),
    List(Name),
    Describe(Name),
    // Streams: `end` 0 is the client's, 1 the server's.
    Transfer { unix: bool, end: usize, len: usize },
    BothWays { unix: bool, len: usize },
    ReadNothing { unix: bool, end: usize },
    DropARead { unix: bool, end: usize, len: usize },
    Shutdown { unix: bool, end: usize },
    Reconnect { unix: bool },
    // Connections.
    AcceptNothing { unix: bool },
    ConnectToNobody { unix: bool },
    BindTwice { unix: bool },
    // Datagrams.
    Datagram { unix: bool, len: usize, room: usize },
    NoDatagram { unix: bool },
    TooLong,
    // Time and tasks.
    Sleep(u64),
    TimeoutOfReady,
    Blocking(u64),
    Abort,
    Panic,
}

fn step() -> impl Strategy<Value = Step> {
    let name = || 0..NAMES.len();
    let len = || 0..3000_usize;
    let unix = any::<bool>;
    let end = || 0..2_usize;
    let files = prop_oneof![
        (name(), len()).prop_map(|(name, len)| Step::Write(name, len)),
        (name(), len()).prop_map(|(name, len)| Step::Append(name, len)),
        (name(), 0..5000_u64, len()).prop_map(|(name, at, len)| Step::WriteAt(name, at, len)),
        (name(), 0..5000_u64, 0..5000_usize)
            .prop_map(|(name, at, len)| Step::ReadAt(name, at, len)),
        (name(), -3000..3000_i64, 0..5000_usize)
            .prop_map(|(name, by, len)| Step::SeekAndRead(name, by, len)),
        name().prop_map(Step::ReadAll),
        name().prop_map(Step::CreateNew),
        (name(), 0..9000_u64).prop_map(|(name, len)| Step::SetLen(name, len)),
        name().prop_map(Step::Sync),
    ];
    let names = prop_oneof![
        (name(), name()).prop_map(|(from, to)| Step::Rename(from, to)),
        (name(), name()).prop_map(|(from, to)| Step::Copy(from, to)),
        (name(), name()).prop_map(|(from, to)| Step::HardLink(from, to)),
        (name(), name()).prop_map(|(from, to)| Step::Symlink(from, to)),
        name().prop_map(Step::ReadLink),
        name().prop_map(Step::Remove),
        name().prop_map(Step::MakeDir),
        name().prop_map(Step::RemoveDir),
        name().prop_map(Step::RemoveAll),
        name().prop_map(Step::List),
        name().prop_map(Step::Describe),
    ];
    let streams = prop_oneof![
        3 => (unix(), end(), 0..20_000_usize)
            .prop_map(|(unix, end, len)| Step::Transfer { unix, end, len }),
        2 => (unix(), 0..20_000_usize).prop_map(|(unix, len)| Step::BothWays { unix, len }),
        1 => (unix(), end()).prop_map(|(unix, end)| Step::ReadNothing { unix, end }),
        2 => (unix(), end(), 1..2000_usize)
            .prop_map(|(unix, end, len)| Step::DropARead { unix, end, len }),
        1 => (unix(), end()).prop_map(|(unix, end)| Step::Shutdown { unix, end }),
        1 => unix().prop_map(|unix| Step::Reconnect { unix }),
        1 => unix().prop_map(|unix| Step::AcceptNothing { unix }),
        1 => unix().prop_map(|unix| Step::ConnectToNobody { unix }),
        1 => unix().prop_map(|unix| Step::BindTwice { unix }),
    ];
    let rest = prop_oneof![
        3 => (unix(), 0..3000_usize, 1..3000_usize)
            .prop_map(|(unix, len, room)| Step::Datagram { unix, len, room }),
        1 => unix().prop_map(|unix| Step::NoDatagram { unix }),
        1 => Just(Step::TooLong),
        1 => (0..3_u64).prop_map(Step::Sleep),
        1 => Just(Step::TimeoutOfReady),
        1 => any::<u64>().prop_map(Step::Blocking),
        1 => Just(Step::Abort),
        1 => Just(Step::Panic),
    ];
    prop_oneof![3 => files, 3 => names, 3 => streams, 2 => rest]
}

// ---- A program ----------------------------------------------------------------------------

/// A stream of either kind.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send + Sync {}
impl Stream for TcpStream {}
impl Stream for UnixStream {}

/// Two ends of a connection, and whether each has shut its sending down.
struct Connection {
    ends: [Box<dyn Stream>; 2],
    shut: [bool; 2],
}

/// What the steps of a program work on.
struct Program {
    base: PathBuf,
    tcp: TcpListener,
    unix: UnixListener,
    /// TCP, and Unix.
    connections: [Connection; 2],
    udp: [UdpSocket; 2],
    datagrams: [UnixDatagram; 2],
}

/// What a step has seen.
type Seen = io::Result<String>;

fn text(seen: &Seen) -> String {
    match seen {
        Ok(text) => text.clone(),
        // The kind, for a refusal may be made on the way to the kernel.
        Err(error) => format!("{:?}", error.kind()),
    }
}

/// Bytes that a reader can tell from others.
fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|place| (place * 7 + len) as u8).collect()
}

/// FNV-1a: what was in a file, in few characters.
fn digest(bytes: &[u8]) -> String {
    let mix = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325, mix);
    format!("{} bytes {hash:016x}", bytes.len())
}

impl Program {
    async fn new(base: PathBuf) -> io::Result<Program> {
        fs::create_dir_all(&base).await?;
        let tcp = TcpListener::bind("127.0.0.1:0").await?;
        let unix = UnixListener::bind(base.join("listener"))?;
        let connections = [
            Connection::tcp(&tcp).await?,
            Connection::unix(&unix, &base).await?,
        ];
        let udp = [
            UdpSocket::bind("127.0.0.1:0").await?,
            UdpSocket::bind("127.0.0.1:0").await?,
        ];
        let (one, other) = UnixDatagram::pair()?;
        Ok(Program {
            base: base.join("files"),
            tcp,
            unix,
            connections,
            udp,
            datagrams: [one, other],
        })
    }

    async fn run(mut self, steps: Vec<Step>) -> io::Result<Vec<String>> {
        fs::create_dir(&self.base).await?;
        let mut log = Vec::new();
        for step in steps {
            let seen = self.step(&step).await;
            log.push(format!("{step:?}: {}", text(&seen)));
        }
        Ok(log)
    }

    fn path(&self, name: Name) -> PathBuf {
        self.base.join(NAMES[name])
    }

    async fn step(&mut self, step: &Step) -> Seen {
        match step {
            Step::Transfer { .. }
            | Step::BothWays { .. }
            | Step::ReadNothing { .. }
            | Step::DropARead { .. }
            | Step::Shutdown { .. }
            | Step::Reconnect { .. }
            | Step::AcceptNothing { .. }
            | Step::ConnectToNobody { .. }
            | Step::BindTwice { .. } => self.on_streams(step).await,
            Step::Datagram { .. } | Step::NoDatagram { .. } | Step::TooLong => {
                self.on_datagrams(step).await
            }
            Step::Sleep(_)
            | Step::TimeoutOfReady
            | Step::Blocking(_)
            | Step::Abort
            | Step::Panic => Ok(on_tasks(step).await),
            _ => self.on_files(step).await,
        }
    }

    // ---- Files ----------------------------------------------------------------------------

    async fn on_files(&self, step: &Step) -> Seen {
        let done = String::from("done");
        match step {
            Step::Write(name, len) => fs::write(self.path(*name), pattern(*len)).await?,
            Step::Append(name, len) => {
                let mut options = OpenOptions::new();
                let mut file = options.append(true).open(self.path(*name)).await?;
                file.write_all(&pattern(*len)).await?;
                file.flush().await?;
            }
            Step::WriteAt(name, at, len) => {
                let mut options = OpenOptions::new();
                let file = options.write(true).open(self.path(*name)).await?;
                let (wrote, _) = file.write_at(pattern(*len), *at).await;
                return Ok(wrote?.to_string());
            }
            Step::ReadAt(name, at, len) => {
                let file = File::open(self.path(*name)).await?;
                let (read, buf) = file.read_at(Vec::with_capacity(*len), *at).await;
                read?;
                return Ok(digest(&buf));
            }
            Step::SeekAndRead(name, by, len) => {
                let mut file = File::open(self.path(*name)).await?;
                let at = file.seek(SeekFrom::End(*by)).await?;
                let mut bytes = Vec::new();
                file.take(*len as u64).read_to_end(&mut bytes).await?;
                return Ok(format!("at {at}: {}", digest(&bytes)));
            }
            Step::ReadAll(name) => return Ok(digest(&fs::read(self.path(*name)).await?)),
            Step::CreateNew(name) => drop(File::create_new(self.path(*name)).await?),
            Step::SetLen(name, len) => {
                let mut options = OpenOptions::new();
                let file = options.write(true).open(self.path(*name)).await?;
                file.set_len(*len).await?;
            }
            Step::Sync(name) => File::open(self.path(*name)).await?.sync_data().await?,
            Step::Describe(name) => return self.describe(*name).await,
            Step::List(name) => return self.list(&self.path(*name)).await,
            _ => return self.on_names(step).await,
        }
        Ok(done)
    }

    async fn on_names(&self, step: &Step) -> Seen {
        match step {
            Step::Rename(from, to) => fs::rename(self.path(*from), self.path(*to)).await?,
            Step::Copy(from, to) => {
                let copied = fs::copy(self.path(*from), self.path(*to)).await?;
                return Ok(copied.to_string());
            }
            Step::HardLink(from, to) => fs::hard_link(self.path(*from), self.path(*to)).await?,
            Step::Symlink(from, to) => fs::symlink(NAMES[*from], self.path(*to)).await?,
            Step::ReadLink(name) => {
                let target = fs::read_link(self.path(*name)).await?;
                return Ok(target.display().to_string());
            }
            Step::Remove(name) => fs::remove_file(self.path(*name)).await?,
            Step::MakeDir(name) => fs::create_dir(self.path(*name)).await?,
            Step::RemoveDir(name) => fs::remove_dir(self.path(*name)).await?,
            Step::RemoveAll(name) => fs::remove_dir_all(self.path(*name)).await?,
            other => unreachable!("{other:?} is not about names"),
        }
        Ok("done".into())
    }

    async fn describe(&self, name: Name) -> Seen {
        let itself = fs::symlink_metadata(self.path(name)).await?;
        let there = fs::try_exists(self.path(name)).await;
        let there = there.map_err(|error| error.kind());
        let kind = itself.file_type();
        let len = itself.is_file().then_some(itself.len());
        Ok(format!(
            "{len:?} link {} dir {} there {there:?}",
            kind.is_symlink(),
            kind.is_dir()
        ))
    }

    async fn list(&self, path: &Path) -> Seen {
        let mut entries = fs::read_dir(path).await?;
        let mut names = Vec::new();
        while let Some(entry) = entries.next_entry().await? {
            let is_dir = entry.file_type().await?.is_dir();
            names.push((entry.file_name(), is_dir));
        }
        names.sort();
        Ok(format!("{names:?}"))
    }

    // ---- Streams --------------------------------------------------------------------------

    async fn on_streams(&mut self, step: &Step) -> Seen {
        match step {
            Step::Transfer { unix, end, len } => {
                let connection = &mut self.connections[usize::from(*unix)];
                connection.transfer(*end, *len).await
            }
            Step::BothWays { unix, len } => {
                self.connections[usize::from(*unix)].both_ways(*len).await
            }
            Step::ReadNothing { unix, end } => {
                self.connections[usize::from(*unix)]
                    .read_nothing(*end)
                    .await
            }
            Step::DropARead { unix, end, len } => {
                let connection = &mut self.connections[usize::from(*unix)];
                if !connection.shut[1 - *end] {
                    connection.drop_a_read(*end).await;
                }
                connection.transfer(1 - *end, *len).await
            }
            Step::Shutdown { unix, end } => {
                let connection = &mut self.connections[usize::from(*unix)];
                connection.shut[*end] = true;
                connection.ends[*end].shutdown().await?;
                Ok("done".into())
            }
            Step::Reconnect { unix } => {
                let connection = if *unix {
                    Connection::unix(&self.unix, self.base.parent().expect("it has one")).await?
                } else {
                    Connection::tcp(&self.tcp).await?
                };
                self.connections[usize::from(*unix)] = connection;
                Ok("done".into())
            }
            Step::AcceptNothing { unix: true } => Ok(format!(
                "{}",
                timeout(BRIEF, self.unix.accept()).await.is_ok()
            )),
            Step::AcceptNothing { unix: false } => Ok(format!(
                "{}",
                timeout(BRIEF, self.tcp.accept()).await.is_ok()
            )),
            Step::ConnectToNobody { unix: true } => {
                let refused = UnixStream::connect(self.base.join("nobody")).await;
                refused.map(|_| "connected".into())
            }
            Step::ConnectToNobody { unix: false } => {
                // A port that was just free: nobody of this process listens there.
                let listener = TcpListener::bind("127.0.0.1:0").await?;
                let address = listener.local_addr()?;
                drop(listener);
                let refused = TcpStream::connect(address).await;
                refused.map(|_| "connected".into())
            }
            Step::BindTwice { unix: true } => {
                let path = self.base.parent().expect("it has one").join("listener");
                UnixListener::bind(path).map(|_| "bound".into())
            }
            Step::BindTwice { unix: false } => {
                let taken = TcpListener::bind(self.tcp.local_addr()?).await;
                taken.map(|_| "bound".into())
            }
            other => unreachable!("{other:?} is not about streams"),
        }
    }

    // ---- Datagrams ------------------------------------------------------------------------

    async fn on_datagrams(&mut self, step: &Step) -> Seen {
        match step {
            Step::Datagram { unix, len, room } => {
                let mut buf = vec![0; *room];
                let bytes = pattern(*len);
                let (sent, received) = if *unix {
                    let sent = self.datagrams[0].send(&bytes).await?;
                    (sent, self.datagrams[1].recv(&mut buf).await?)
                } else {
                    let sent = self.udp[0]
                        .send_to(&bytes, self.udp[1].local_addr()?)
                        .await?;
                    let (received, source) = self.udp[1].recv_from(&mut buf).await?;
                    assert_eq!(source, self.udp[0].local_addr()?);
                    (sent, received)
                };
                Ok(format!(
                    "sent {sent}, received {}",
                    digest(&buf[..received])
                ))
            }
            Step::NoDatagram { unix } => {
                let mut buf = [0; 10];
                let received = if *unix {
                    timeout(BRIEF, self.datagrams[0].recv(&mut buf))
                        .await
                        .is_ok()
                } else {
                    timeout(BRIEF, self.udp[0].recv(&mut buf)).await.is_ok()
                };
                Ok(received.to_string())
            }
            Step::TooLong => {
                let sent = self.udp[0]
                    .send_to(&pattern(70_000), self.udp[1].local_addr()?)
                    .await;
                sent.map(|sent| sent.to_string())
                    .or_else(|error| Ok(format!("{:?}", error.raw_os_error())))
            }
            other => unreachable!("{other:?} is not about datagrams"),
        }
    }
}

impl Connection {
    async fn tcp(listener: &TcpListener) -> io::Result<Connection> {
        let address = listener.local_addr()?;
        let (client, server) = annulus::join!(TcpStream::connect(address), listener.accept());
        Ok(Connection::new(client?, server?.0))
    }

    async fn unix(listener: &UnixListener, base: &Path) -> io::Result<Connection> {
        let path = base.join("listener");
        let (client, server) = annulus::join!(UnixStream::connect(path), listener.accept());
        Ok(Connection::new(client?, server?.0))
    }

    fn new<S: Stream + 'static>(client: S, server: S) -> Connection {
        Connection {
            ends: [Box::new(client), Box::new(server)],
            shut: [false; 2],
        }
    }

    /// `len` bytes from `end` to the other, which reads them all. The end of the stream instead if
    /// `end` has shut down.
    async fn transfer(&mut self, end: usize, len: usize) -> Seen {
        let sent = pattern(len);
        let [client, server] = &mut self.ends;
        let (from, to) = if end == 0 {
            (client, server)
        } else {
            (server, client)
        };
        let mut got = vec![0; len];
        if self.shut[end] {
            let refused = from.write_all(&sent).await.map_err(|error| error.kind());
            let read = to.read(&mut got).await?;
            return Ok(format!("wrote {refused:?}, read {read}"));
        }
        let write = async {
            from.write_all(&sent).await?;
            from.flush().await
        };
        let (wrote, read) = annulus::join!(write, to.read_exact(&mut got));
        wrote?;
        read?;
        assert_eq!(got, sent);
        Ok(digest(&got))
    }

    async fn both_ways(&mut self, len: usize) -> Seen {
        if self.shut != [false; 2] {
            return Ok("shut".into());
        }
        let sent = pattern(len);
        let [client, server] = &mut self.ends;
        let mut got = [vec![0; len], vec![0; len]];
        let [there, back] = &mut got;
        let (mut client_reads, mut client_writes) = annulus::io::split(client);
        let (mut server_reads, mut server_writes) = annulus::io::split(server);
        annulus::try_join!(
            client_writes.write_all(&sent),
            server_writes.write_all(&sent),
            server_reads.read_exact(there),
            client_reads.read_exact(back),
        )?;
        assert!(got.iter().all(|got| *got == sent));
        Ok(digest(&sent))
    }

    /// Nobody sends: a read that is given up, or the end of the stream.
    async fn read_nothing(&mut self, end: usize) -> Seen {
        let mut buf = [0; 10];
        match timeout(BRIEF, self.ends[end].read(&mut buf)).await {
            Ok(read) => Ok(format!("read {}", read?)),
            Err(_) => Ok("gave up".into()),
        }
    }

    /// A read that has been asked for, and is not waited for.
    async fn drop_a_read(&mut self, end: usize) {
        let mut buf = [0; 1000];
        let mut read = pin!(self.ends[end].read(&mut buf));
        poll_fn(|cx| {
            assert!(
                read.as_mut().poll(cx).is_pending(),
                "nobody has sent anything"
            );
            Poll::Ready(())
        })
        .await;
    }
}

// ---- Time and tasks -----------------------------------------------------------------------

async fn on_tasks(step: &Step) -> String {
    match step {
        Step::Sleep(milliseconds) => {
            let (began, span) = (Instant::now(), Duration::from_millis(*milliseconds));
            sleep(span).await;
            format!("late enough {}", began.elapsed() >= span)
        }
        Step::TimeoutOfReady => {
            let ready = timeout(Duration::ZERO, std::future::ready(7)).await;
            let never = timeout(Duration::ZERO, std::future::pending::<()>()).await;
            format!("{:?} {:?}", ready.is_ok(), never.is_ok())
        }
        Step::Blocking(number) => {
            let number = *number;
            let closure = annulus::task::spawn_blocking(move || number.rotate_left(7));
            format!("{:?}", closure.await.ok())
        }
        Step::Abort => {
            let task = annulus::spawn(std::future::pending::<()>());
            task.abort();
            format!("{:?}", task.await.map_err(|error| error.is_cancelled()))
        }
        Step::Panic => {
            let closure = annulus::task::spawn_blocking(|| std::panic::resume_unwind(Box::new(7)));
            let error = closure.await.map(drop).expect_err("it panics");
            format!("panic {}", error.is_panic())
        }
        other => unreachable!("{other:?} is not about tasks"),
    }
}

// ---- The three ----------------------------------------------------------------------------

fn on_a_real_kernel(kind: KernelKind, mode: RecvMode, steps: &[Step]) -> Vec<String> {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let mut builder = Builder::new_multi_thread();
    let runtime = builder
        .worker_threads(2)
        .enable_all()
        .kernel(kind)
        .recv_mode(mode)
        .build();
    let runtime = runtime.unwrap_or_else(|error| panic!("{kind:?}: {error}"));
    let (base, steps) = (folder.path().to_owned(), steps.to_vec());
    let log = runtime.block_on(async { Program::new(base).await?.run(steps).await });
    log.unwrap_or_else(|error| panic!("{kind:?}: {error}"))
}

fn simulated(seed: u64, mode: RecvMode, steps: &[Step]) -> Vec<String> {
    let mut sim = Sim::new(seed);
    sim.runtime(move |builder| {
        builder.recv_mode(mode);
    });
    let log = Arc::new(Mutex::new(Vec::new()));
    let (writes, steps) = (log.clone(), steps.to_vec());
    sim.client("client", async move {
        let seen = Program::new("/base".into()).await?.run(steps).await?;
        *writes.lock().unwrap() = seen;
        Ok(())
    });
    sim.run()
        .unwrap_or_else(|error| panic!("simulated: {error}"));
    log.lock().unwrap().clone()
}

#[test]
fn a_program_sees_the_same_on_every_kernel() {
    let cases = stress(PROGRAMS);
    let config = Config {
        cases: u32::try_from(cases).expect("a few thousand"),
        failure_persistence: None,
        max_shrink_iters: 2_000,
        ..Config::default()
    };
    let has_uring = on_uring("the emulation is compared with the simulation alone");
    let programs = (
        prop::collection::vec(step(), STEPS),
        any::<u64>(),
        any::<bool>(),
    );
    let run = TestRunner::new(config).run(&programs, |(steps, seed, hot)| {
        let mode = if hot { RecvMode::Hot } else { RecvMode::Base };
        let emulated = on_a_real_kernel(KernelKind::Emulated, mode, &steps);
        prop_assert_eq!(
            &emulated,
            &simulated(seed, mode, &steps),
            "emulated, simulated"
        );
        if has_uring {
            let uring = on_a_real_kernel(KernelKind::Uring, mode, &steps);
            prop_assert_eq!(&emulated, &uring, "emulated, uring");
        }
        Ok(())
    });
    run.unwrap_or_else(|failed| panic!("{failed}"));
    println!("{cases} programs of {STEPS} steps");
}
