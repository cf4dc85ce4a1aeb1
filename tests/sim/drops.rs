//! P3: dropping any op, at any moment of its life, leaks no descriptor, buffer or slot.
//!
//! The ops are listed from their folder, and each needs a driver below.

use std::collections::BTreeMap;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use annulus::fs::{self, File, OpenOptions};
use annulus::io::{AsyncReadExt, AsyncWriteExt};
use annulus::net::{TcpListener, TcpStream};
use annulus::sim::{Sim, seeds};
use annulus::uring::{self, Incoming};
use annulus_tests::{Random, descriptors};
use futures::StreamExt;

use crate::scenario::{Fallible, add_up, count, end, hidden, ops, vary, within};

/// Ops of a seed.
const OPS: u64 = 900;
/// The longest that a future is kept, in yields.
const YIELDS: u64 = 40;

type Attempt = Pin<Box<dyn Future<Output = ()> + Send>>;
type Driver = fn(&Stage) -> Attempt;

/// What the drivers work on.
struct Stage {
    file: Arc<File>,
    /// The peer answers each byte.
    stream: Arc<TcpStream>,
    step: u64,
}

impl Stage {
    async fn new() -> Fallible<Stage> {
        fs::create_dir("/tmp/stage").await?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true);
        let file = options.open("/tmp/file").await?;
        uring::write_at(&file, vec![7; 4096], 0).await.0?;
        Ok(Stage {
            file: Arc::new(file),
            stream: Arc::new(TcpStream::connect("server:7").await?),
            step: 0,
        })
    }

    /// One of a few names.
    fn name(&self, prefix: &str) -> String {
        format!("/tmp/stage/{prefix}-{}", self.step % 8)
    }
}

fn attempt<T>(future: impl Future<Output = T> + Send + 'static) -> Attempt {
    Box::pin(async { drop(future.await) })
}

fn drivers() -> BTreeMap<&'static str, Driver> {
    let drivers: [(&'static str, Driver); 16] = [
        ("accept_multishot", accept_multishot),
        ("connect", |_| attempt(TcpStream::connect("server:7"))),
        ("poll_add", poll_add),
        ("recv_select", recv_select),
        ("recv", recv),
        ("send", send),
        ("send_zc", send_zc),
        ("read", |stage| {
            let file = stage.file.clone();
            attempt(async move { uring::read_at(&file, vec![0; 4096], 0).await })
        }),
        ("write", |stage| {
            let file = stage.file.clone();
            attempt(async move { uring::write_at(&file, vec![7; 4096], 0).await })
        }),
        ("write_all", write_all),
        ("fsync", |stage| {
            let file = stage.file.clone();
            attempt(async move { file.sync_data().await })
        }),
        ("open_at", |_| attempt(File::open("/tmp/file"))),
        // What is renamed, removed or made may or may not be there: either answer will do.
        ("rename_at", |stage| {
            attempt(fs::rename(stage.name("one"), stage.name("two")))
        }),
        ("unlink_at", |stage| {
            attempt(fs::remove_file(stage.name("two")))
        }),
        ("mkdir_at", |stage| {
            let path = stage.name("folder");
            attempt(async move {
                let made = fs::create_dir(&path).await;
                fs::remove_dir(&path).await.and(made)
            })
        }),
        ("link_at", |stage| {
            attempt(fs::hard_link("/tmp/file", stage.name("one")))
        }),
    ];
    let symlink_at: Driver = |stage| attempt(fs::symlink("file", stage.name("one")));
    drivers
        .into_iter()
        .chain([("symlink_at", symlink_at)])
        .collect()
}

fn accept_multishot(_: &Stage) -> Attempt {
    attempt(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let knocking = annulus::spawn(knock(listener.local_addr()?));
        let mut incoming = Incoming::new(listener, 2);
        drop(incoming.next().await);
        drop(incoming);
        std::io::Result::Ok(knocking.await)
    })
}

/// Connects until nobody listens any more. An accept that was not cancelled in time takes
/// connections although nobody wants them: those end too.
async fn knock(address: SocketAddr) {
    while let Ok(mut stream) = TcpStream::connect(address).await {
        let _ = stream.read(&mut [0]).await;
    }
}

fn poll_add(_: &Stage) -> Attempt {
    attempt(async {
        let stream = TcpStream::connect("server:7").await?;
        stream.readable().await
    })
}

fn recv_select(_: &Stage) -> Attempt {
    attempt(async {
        let mut stream = TcpStream::connect("server:7").await?;
        stream.write_all(b"x").await?;
        stream.read(&mut [0; 8]).await
    })
}

fn recv(stage: &Stage) -> Attempt {
    let stream = stage.stream.clone();
    attempt(async move { uring::recv(&*stream, vec![0; 64]).await })
}

// A send that is dropped halfway may poison its stream, so each has its own.

fn send(_: &Stage) -> Attempt {
    attempt(async {
        let stream = TcpStream::connect("server:7").await?;
        uring::send(&stream, vec![1; 64]).await.0
    })
}

fn send_zc(_: &Stage) -> Attempt {
    attempt(async {
        let stream = TcpStream::connect("server:7").await?;
        let (sent, buf) = uring::send_zc(&stream, vec![1; 2000]).await;
        sent?;
        std::io::Result::Ok(buf.await)
    })
}

fn write_all(stage: &Stage) -> Attempt {
    let path = stage.name("one");
    attempt(async move {
        let mut file = File::create(path).await?;
        file.write_all(b"a few bytes").await?;
        file.flush().await
    })
}

/// How often each op was tried, and how often its future was dropped while it waited.
#[derive(Default)]
struct Tally {
    tried: BTreeMap<&'static str, u64>,
    dropped: u64,
}

async fn drop_ops(mut random: Random, tally: Arc<Mutex<Tally>>) -> Fallible {
    let mut stage = Stage::new().await?;
    let drivers: Vec<(&str, Driver)> = drivers().into_iter().collect();
    for step in 0..OPS {
        stage.step = step;
        let (name, driver) = random.pick(&drivers);
        let yields = match random.below(4) {
            0 => u64::MAX,
            1 => 0,
            _ => random.below(YIELDS),
        };
        // What waits for bytes waits until they are asked for.
        let yields = if name == "recv" || name == "poll_add" {
            yields.min(YIELDS)
        } else {
            yields
        };
        let finished = within(yields, driver(&stage)).await.is_some();
        let mut tally = tally.lock().expect("nobody panics with it");
        *tally.tried.entry(name).or_insert(0) += 1;
        tally.dropped += u64::from(!finished);
    }
    Ok(())
}

fn drops(sim: &mut Sim) {
    let mut random = vary(sim);
    sim.faults(hidden(random.pick(&[0, 5, 30])));
    let tally = Arc::new(Mutex::new(Tally::default()));
    let counters = Arc::clone(&tally);
    let before = descriptors();
    sim.host("server", || async {
        let listener = TcpListener::bind("0.0.0.0:7").await?;
        loop {
            let Ok((mut stream, _)) = listener.accept().await else {
                continue;
            };
            annulus::spawn(async move {
                let (mut reader, mut writer) = stream.split();
                annulus::io::copy(&mut reader, &mut writer).await
            });
        }
    });
    sim.client("client", drop_ops(random, counters));
    sim.run().unwrap();
    let tally = std::mem::take(&mut *tally.lock().expect("nobody panics with it"));
    sim.count("dropped", tally.dropped);
    for (name, tried) in tally.tried {
        sim.count(name, tried);
    }
    end(sim, &["client", "server"]);
    assert_eq!(descriptors(), before, "descriptors are left");
}

#[test]
fn any_op_can_be_dropped_at_any_moment() {
    let driven: Vec<&str> = drivers().into_keys().collect();
    assert!(ops().iter().eq(&driven), "{:?} and {driven:?}", ops());
    let totals = seeds(count(), |sim| drops(sim));
    add_up("drops", &totals, &[("dropped", 200)]);
}
