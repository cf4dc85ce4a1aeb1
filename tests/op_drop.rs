//! P3: dropping any op, at any moment of its life, leaks no descriptor, buffer or slot.
//!
//! The ops are listed from their folder, and each needs a driver below: a new op file without
//! one fails this test.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::future::Future;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use annulus::fs::{File, OpenOptions};
use annulus::io::{AsyncReadExt, AsyncWriteExt};
use annulus::net::{TcpListener, TcpSocket, TcpStream};
use annulus::sync::Mutex;
use annulus::time::timeout;
use annulus::uring;
use annulus_tests::{
    Folder, Moment, Outcome, Peer, Random, connected, descriptors, drop_at, for_each_local,
    for_each_runtime, is_simulated, settled, stress,
};
use futures::StreamExt;

annulus::sim_install!();

/// Ops dropped in a full run over all runtimes.
const DROPS: u64 = 1_000_000;
const RUNTIMES: u64 = 4;
/// Of the ops that can be dropped while they wait, each moment has to have come this often.
const EACH_MOMENT: u64 = 500;

/// An op by way of the public call that submits it, and what makes it complete.
struct Attempt {
    future: Pin<Box<dyn Future<Output = ()> + Send>>,
    complete: Box<dyn FnOnce() + Send>,
}

impl Attempt {
    /// Completes by itself.
    fn alone<T>(future: impl Future<Output = T> + Send + 'static) -> Self {
        Self::with(future, || ())
    }

    fn with<T>(
        future: impl Future<Output = T> + Send + 'static,
        complete: impl FnOnce() + Send + 'static,
    ) -> Self {
        Self {
            future: Box::pin(async { drop(future.await) }),
            complete: Box::new(complete),
        }
    }
}

/// What the drivers work on.
struct Stage {
    folder: PathBuf,
    file: Arc<File>,
    writer: Arc<Mutex<File>>,
    stream: Arc<TcpStream>,
    whole: Arc<Mutex<TcpStream>>,
    peer: Arc<Peer>,
    whole_peer: Arc<Peer>,
    /// Connections that nobody uses.
    refuge: TcpListener,
    refuge_address: SocketAddr,
    /// Streams that are connected with it.
    fresh: std::sync::Mutex<Vec<TcpStream>>,
    step: u64,
}

impl Stage {
    async fn new(folder: &Path) -> Self {
        let path = folder.join("file");
        fs::write(&path, vec![7; 8192]).expect("a temporary file");
        let file = OpenOptions::new().read(true).write(true).open(path).await;
        let writer = File::create(folder.join("written-0")).await;
        let (stream, peer) = connected().await;
        let (whole, whole_peer) = connected().await;
        for peer in [&peer, &whole_peer] {
            peer.set_nonblocking(true)
                .expect("a socket can be non-blocking");
        }
        let refuge = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("loopback binds");
        let mut stage = Self {
            folder: folder.to_owned(),
            file: Arc::new(file.expect("it is there")),
            writer: Arc::new(Mutex::new(writer.expect("the folder takes a file"))),
            stream: Arc::new(stream),
            whole: Arc::new(Mutex::new(whole)),
            peer: Arc::new(peer),
            whole_peer: Arc::new(whole_peer),
            refuge_address: refuge.local_addr().expect("it is bound"),
            refuge,
            fresh: std::sync::Mutex::default(),
            step: 0,
        };
        stage.sweep().await;
        stage
    }

    /// One of a few names, so that the folder stays small.
    fn name(&self, prefix: &str) -> PathBuf {
        self.folder.join(format!("{prefix}-{}", self.step % 16))
    }

    /// A stream of its own, whose peer goes with the next sweep.
    fn fresh_stream(&self) -> TcpStream {
        let fresh = self.fresh.lock().expect("not held").pop();
        fresh.expect("each sweep makes one, and each op takes one")
    }

    /// Takes what the dropped op left: bytes on the streams, connections at the refuge.
    async fn sweep(&mut self) {
        self.step += 1;
        let mut bytes = [0; 4096];
        let is_empty = self.fresh.lock().expect("not held").is_empty();
        if is_empty {
            let stream = TcpStream::connect(self.refuge_address).await;
            let stream = stream.expect("loopback connects");
            self.fresh.lock().expect("not held").push(stream);
        }
        while futures::FutureExt::now_or_never(self.refuge.accept()).is_some() {}
        for mut peer in [&*self.peer, &*self.whole_peer] {
            while peer.read(&mut bytes).is_ok_and(|read| read > 0) {}
        }
    }

    /// Reads back the byte that the op was given to complete with.
    async fn drain(&self, leaves: Leaves) {
        let drain = async {
            match leaves {
                Leaves::Nothing => Ok(0),
                Leaves::ByteOnStream => uring::recv(&*self.stream, vec![0; 64]).await.0,
                Leaves::ByteOnWhole => self.whole.lock().await.read(&mut [0; 64]).await,
            }
        };
        let drained = timeout(Duration::from_secs(20), drain).await;
        drained
            .expect("a dropped op swallowed a byte")
            .expect("the connection stands");
    }
}

/// What a driver makes; the stage is drained afterwards where bytes were sent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Leaves {
    Nothing,
    ByteOnStream,
    ByteOnWhole,
}

type Driver = fn(&Stage) -> (Attempt, Leaves);

/// The drivers by the op's file name.
fn drivers() -> BTreeMap<&'static str, Driver> {
    let drivers: &[(&'static str, Driver)] = &[
        ("accept", accept),
        ("accept_multishot", accept),
        ("connect", connect),
        ("close", close),
        ("poll_add", poll_add),
        ("poll_multishot", poll_add),
        ("recv_select", recv_select),
        ("recv", recv),
        ("send", send),
        ("send_zc", send_zc),
        ("read", read),
        ("write", write),
        ("write_all", write_all),
        ("fsync", fsync),
        ("open_at", open_at),
        ("statx", statx),
        ("rename_at", rename_at),
        ("unlink_at", unlink_at),
        ("mkdir_at", mkdir_at),
        ("link_at", link_at),
        ("symlink_at", symlink_at),
        ("ftruncate", ftruncate),
    ];
    drivers.iter().copied().collect()
}

fn nothing(attempt: Attempt) -> (Attempt, Leaves) {
    (attempt, Leaves::Nothing)
}

fn accept(_: &Stage) -> (Attempt, Leaves) {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket
        .bind(([127, 0, 0, 1], 0).into())
        .expect("loopback binds");
    let listener = socket.listen(16).expect("it listens");
    let address = listener.local_addr().expect("it is bound");
    let mut incoming = uring::Incoming::new(listener, 4);
    nothing(Attempt::with(
        async move { incoming.next().await },
        move || {
            if is_simulated() {
                drop(annulus::spawn(TcpStream::connect(address)));
            } else {
                drop(std::net::TcpStream::connect(address));
            }
        },
    ))
}

fn connect(stage: &Stage) -> (Attempt, Leaves) {
    nothing(Attempt::alone(TcpStream::connect(stage.refuge_address)))
}

fn close(stage: &Stage) -> (Attempt, Leaves) {
    let stream = stage.fresh_stream();
    nothing(Attempt::alone(async move {
        // A standing poll makes closing more than close(2).
        let mut stand = Box::pin(stream.readable());
        let _ = futures::poll!(stand.as_mut());
        drop(stand);
        drop(stream);
        annulus::task::yield_now().await;
    }))
}

fn poll_add(stage: &Stage) -> (Attempt, Leaves) {
    let (stream, peer) = (stage.stream.clone(), stage.peer.clone());
    let wait = async move {
        let mut byte = [0];
        stream.peek(&mut byte).await
    };
    (
        Attempt::with(wait, move || send_byte(&peer)),
        Leaves::ByteOnStream,
    )
}

fn recv_select(stage: &Stage) -> (Attempt, Leaves) {
    let (stream, peer) = (stage.whole.clone(), stage.whole_peer.clone());
    let read = async move {
        let mut bytes = [0; 64];
        stream.lock().await.read(&mut bytes).await
    };
    (
        Attempt::with(read, move || send_byte(&peer)),
        Leaves::ByteOnWhole,
    )
}

fn recv(stage: &Stage) -> (Attempt, Leaves) {
    let (stream, peer) = (stage.stream.clone(), stage.peer.clone());
    let recv = async move { uring::recv(&*stream, vec![0; 64]).await };
    (
        Attempt::with(recv, move || send_byte(&peer)),
        Leaves::ByteOnStream,
    )
}

fn send_byte(mut peer: &Peer) {
    peer.write_all(&[1]).expect("the buffer takes a byte");
}

// A send that is dropped halfway may poison its stream, so each has its own.

fn send(stage: &Stage) -> (Attempt, Leaves) {
    let stream = stage.fresh_stream();
    nothing(Attempt::alone(async move {
        uring::send(&stream, vec![0; 64]).await
    }))
}

fn send_zc(stage: &Stage) -> (Attempt, Leaves) {
    let stream = stage.fresh_stream();
    nothing(Attempt::alone(async move {
        let (result, buf) = uring::send_zc(&stream, vec![0; 64]).await;
        drop(result);
        buf.await
    }))
}

fn read(stage: &Stage) -> (Attempt, Leaves) {
    let file = stage.file.clone();
    nothing(Attempt::alone(async move {
        uring::read_at(&file, vec![0; 4096], 0).await
    }))
}

fn write(stage: &Stage) -> (Attempt, Leaves) {
    let file = stage.file.clone();
    nothing(Attempt::alone(async move {
        uring::write_at(&file, vec![7; 4096], 0).await
    }))
}

fn write_all(stage: &Stage) -> (Attempt, Leaves) {
    let file = stage.writer.clone();
    nothing(Attempt::alone(async move {
        let mut file = file.lock().await;
        file.write_all(b"a few bytes").await?;
        file.flush().await
    }))
}

fn fsync(stage: &Stage) -> (Attempt, Leaves) {
    let file = stage.file.clone();
    nothing(Attempt::alone(async move { file.sync_data().await }))
}

fn ftruncate(stage: &Stage) -> (Attempt, Leaves) {
    let file = stage.file.clone();
    nothing(Attempt::alone(async move { file.set_len(8192).await }))
}

fn open_at(stage: &Stage) -> (Attempt, Leaves) {
    nothing(Attempt::alone(File::open(stage.folder.join("file"))))
}

fn statx(stage: &Stage) -> (Attempt, Leaves) {
    nothing(Attempt::alone(annulus::fs::metadata(
        stage.folder.join("file"),
    )))
}

// What is renamed, removed or made may or may not be there: either answer will do.

fn rename_at(stage: &Stage) -> (Attempt, Leaves) {
    let (from, to) = (stage.name("written"), stage.name("renamed"));
    nothing(Attempt::alone(annulus::fs::rename(from, to)))
}

fn unlink_at(stage: &Stage) -> (Attempt, Leaves) {
    nothing(Attempt::alone(annulus::fs::remove_file(
        stage.name("renamed"),
    )))
}

fn mkdir_at(stage: &Stage) -> (Attempt, Leaves) {
    let path = stage.name("folder");
    nothing(Attempt::alone(async move {
        let made = annulus::fs::create_dir(&path).await;
        annulus::fs::remove_dir(&path).await.and(made)
    }))
}

fn link_at(stage: &Stage) -> (Attempt, Leaves) {
    let (from, to) = (stage.folder.join("file"), stage.name("renamed"));
    nothing(Attempt::alone(annulus::fs::hard_link(from, to)))
}

fn symlink_at(stage: &Stage) -> (Attempt, Leaves) {
    nothing(Attempt::alone(annulus::fs::symlink(
        "file",
        stage.name("renamed"),
    )))
}

/// The op files there are: those of the folder that implement the trait for a type of theirs.
fn ops() -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../runtime/src/op");
    let mut ops = BTreeSet::new();
    for entry in fs::read_dir(folder).expect("the op folder is there") {
        let path = entry.expect("the folder lists itself").path();
        let name = path
            .file_stem()
            .expect("an entry has a name")
            .to_string_lossy()
            .into_owned();
        let is_op = fs::read_to_string(&path).is_ok_and(|text| {
            text.lines()
                .any(|line| line.starts_with("unsafe impl") && line.contains(" Op for "))
        });
        if is_op && name != "tests" {
            ops.insert(name);
        }
    }
    assert!(ops.len() > 10, "this is not the op folder: {ops:?}");
    ops
}

/// How often the future of an op was dropped in each state.
#[derive(Clone, Copy, Default)]
struct Counts {
    ready: u64,
    unpublished: u64,
    in_flight: u64,
    completed: u64,
}

type Tally = BTreeMap<&'static str, Counts>;

async fn drop_ops(folder: PathBuf, drivers: Vec<(&'static str, Driver)>, count: u64) -> Tally {
    let mut random = Random::new("ops and moments");
    let mut stage = Stage::new(&folder).await;
    let mut tally = Tally::new();
    let (mut dropped, mut tried) = (0, 0);
    while dropped < count {
        tried += 1;
        assert!(
            tried < 20 * count,
            "hardly any op ever waits: {dropped} of {tried}"
        );
        let (name, driver) = random.pick(&drivers);
        // Most go before they are published, which takes no turn.
        let moment = random.pick(&[
            Moment::Unpublished,
            Moment::Unpublished,
            Moment::Unpublished,
            Moment::Unpublished,
            Moment::InFlight,
            Moment::Completed,
        ]);
        let (Attempt { future, complete }, leaves) = driver(&stage);
        let counts = tally.entry(name).or_default();
        let mut sent = false;
        let outcome = drop_at(moment, future, || {
            sent = true;
            complete();
        });
        match outcome.await {
            Outcome::Ready(()) => counts.ready += 1,
            Outcome::Woken => counts.completed += 1,
            Outcome::Waiting if moment == Moment::Unpublished => counts.unpublished += 1,
            Outcome::Waiting => counts.in_flight += 1,
        }
        if sent {
            dropped += 1;
            stage.drain(leaves).await;
        }
        stage.sweep().await;
    }
    drop(stage);
    tally
}

/// Drops `count` ops on a runtime, and asserts that everything comes back while it lives.
fn drop_and_count(
    name: &str,
    folder: &Folder,
    count: u64,
    drivers: &[(&'static str, Driver)],
    total: &mut Tally,
    run: impl Fn(Pin<Box<dyn Future<Output = Tally> + Send>>) -> Tally,
) {
    let drop_ops = |count| {
        let task = drop_ops(folder.path().to_owned(), drivers.to_vec(), count);
        run(Box::pin(async move {
            let tally = task.await;
            // The ops come back on the living runtime.
            settled("every op is back", || annulus::stats().ops_in_flight == 0).await;
            tally
        }))
    };
    // Once without counting: what a runtime opens for good is open then.
    drop_ops(100);
    let before = descriptors();
    let tally = drop_ops(count);
    assert_eq!(annulus::stats().bytes_lent, 0, "{name}");
    // So are the descriptors of late results closed.
    let expected = before.clone();
    run(Box::pin(async move {
        settled("every descriptor is closed", || descriptors() == expected).await;
        Tally::new()
    }));
    for (op, counts) in tally {
        let sum = total.entry(op).or_default();
        sum.ready += counts.ready;
        sum.unpublished += counts.unpublished;
        sum.in_flight += counts.in_flight;
        sum.completed += counts.completed;
    }
    println!("{name}: {count} drops, descriptors {before:?}");
}

#[test]
fn any_op_dropped_at_any_moment_leaks_nothing() {
    let drivers = drivers();
    let ops = ops();
    println!("{} ops: {ops:?}", ops.len());
    let missing: Vec<_> = ops
        .iter()
        .filter(|op| !drivers.contains_key(&***op))
        .collect();
    assert!(missing.is_empty(), "no driver in {}: {missing:?}", file!());
    let chosen: Vec<_> = drivers
        .into_iter()
        .filter(|(name, _)| ops.contains(*name))
        .collect();

    let count = stress(DROPS).div_ceil(RUNTIMES);
    let mut total = Tally::new();
    for_each_runtime(|name, runtime| {
        let folder = Folder::new(runtime.handle());
        drop_and_count(name, &folder, count, &chosen, &mut total, |task| {
            let task = runtime.spawn(task);
            runtime.block_on(task).expect("it does not panic")
        });
    });
    for_each_local(|name, runtime| {
        let folder = Folder::on_local(runtime);
        drop_and_count(name, &folder, count / 4, &chosen, &mut total, |task| {
            runtime.block_on(task)
        });
    });
    println!("op: ready at once / dropped unpublished / in flight / completed but unpolled");
    for (op, counts) in &total {
        let Counts {
            ready,
            unpublished,
            in_flight,
            completed,
        } = counts;
        println!("{op}: {ready} / {unpublished} / {in_flight} / {completed}");
    }
    let wanted = stress(EACH_MOMENT);
    for (op, counts) in total {
        let waiting = counts.unpublished + counts.in_flight + counts.completed;
        // A transfer that the socket takes at once never waits.
        if waiting > 0 {
            assert!(
                counts.unpublished >= wanted && counts.completed >= wanted,
                "{op}: not {wanted} drops before publishing, and as many after completion"
            );
        }
    }
}
