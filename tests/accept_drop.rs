//! P1: dropping an accept at any await point loses no connection, neither under tokio's API nor
//! for `Incoming`.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};

use annulus::io::{AsyncReadExt, AsyncWriteExt};
use annulus::net::{TcpListener, TcpStream};
use annulus::time::timeout;
use annulus::uring::Incoming;
use annulus_tests::{
    Moment, Outcome, Random, drop_at, for_each_runtime, on_a_machine, stress, turns,
};
use futures::StreamExt;

annulus::sim_install!();

/// Clients of the full run, over all runtimes, and of the run against `Incoming`.
const CLIENTS: u64 = 100_000;
const CLIENTS_OF_INCOMING: u64 = 20_000;
/// Timeouts that have to fire, per client: below that the hazard hardly occurred.
const TIMEOUTS_PER_CLIENT: f64 = 0.1;
/// Accepts dropped after their connection had arrived, over all runtimes.
const LATE_DROPS: u64 = 40_000;
/// Runtimes that each scenario runs on.
const RUNTIMES: u64 = 4;
const CLIENT_THREADS: u64 = 3;
/// Clients between two pauses.
const BURST: u64 = 12;

/// What the clients saw.
#[derive(Default)]
struct Seen {
    served: AtomicU64,
    hung: AtomicU64,
    closed: AtomicU64,
    done: AtomicBool,
}

/// Clients on a few threads at once. After every burst all of them pause, so that some come while
/// an accept waits, some while its timeout fires, and some while the server is busy.
fn clients(address: SocketAddr, count: u64, seen: &Arc<Seen>) -> std::thread::JoinHandle<()> {
    let seen = seen.clone();
    std::thread::spawn(move || {
        let number = AtomicU64::new(0);
        let pause = RwLock::new(());
        std::thread::scope(|scope| {
            for _ in 0..CLIENT_THREADS {
                scope.spawn(|| {
                    let mut random = Random::new("pauses of a client thread");
                    loop {
                        let number = number.fetch_add(1, Ordering::Relaxed);
                        if number >= count {
                            break;
                        }
                        if number.is_multiple_of(BURST) {
                            let _all = pause.write().expect("no client panics");
                            let pause_us = 3000 + random.below(4000);
                            std::thread::sleep(Duration::from_micros(pause_us));
                        }
                        let _one = pause.read().expect("no client panics");
                        let counter = match one_client(address, number) {
                            Ok(true) => &seen.served,
                            Ok(false) => &seen.hung,
                            Err(_) => &seen.closed,
                        };
                        counter.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        });
        seen.done.store(true, Ordering::Release);
    })
}

/// True: served. False: no answer. Error: the connection was taken and closed.
fn one_client(address: SocketAddr, number: u64) -> std::io::Result<bool> {
    let mut stream = std::net::TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    stream.write_all(&number.to_le_bytes())?;
    let mut answer = [0; 8];
    match stream.read_exact(&mut answer) {
        Ok(()) => Ok(answer == number.to_le_bytes()),
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => Ok(false),
        Err(error) => Err(error),
    }
}

async fn serve(mut stream: TcpStream) {
    let mut number = [0; 8];
    if stream.read_exact(&mut number).await.is_ok() {
        // The client that has gone meanwhile has counted itself as closed.
        let _ = stream.write_all(&number).await;
    }
}

fn busy(duration: Duration) {
    let start = Instant::now();
    while start.elapsed() < duration {
        std::hint::spin_loop();
    }
}

/// Where connections come from.
enum Source {
    Listener(TcpListener),
    Incoming(Incoming),
}

impl Source {
    async fn next(&mut self) -> TcpStream {
        match self {
            Self::Listener(listener) => listener.accept().await.expect("accepts").0,
            Self::Incoming(incoming) => {
                let next = incoming.next().await;
                next.expect("a listener does not end by itself")
                    .expect("accepts")
            }
        }
    }
}

/// `next` under a timeout of 1 ms, then 400 us of work, until the clients have gone. Returns how
/// many timeouts fired.
async fn accept_until_done(mut source: Source, seen: Arc<Seen>) -> u64 {
    let mut timeouts = 0;
    while !seen.done.load(Ordering::Acquire) {
        match timeout(Duration::from_millis(1), source.next()).await {
            Ok(stream) => drop(annulus::spawn(serve(stream))),
            Err(_) => timeouts += 1,
        }
        busy(Duration::from_micros(400));
    }
    timeouts
}

fn under_timeouts(full: u64, source: fn(TcpListener) -> Source) {
    if !on_a_machine("its clients are threads") {
        return;
    }
    let count = stress(full).div_ceil(RUNTIMES);
    let mut timeouts = 0;
    for_each_runtime(|name, runtime| {
        let seen = Arc::new(Seen::default());
        let fired = runtime.block_on(async {
            // 1. Clients come one after another from threads of their own.
            let listener = TcpListener::bind("127.0.0.1:0")
                .await
                .expect("loopback binds");
            let address = listener.local_addr().expect("it is bound");
            let clients = clients(address, count, &seen);
            // 2. A task accepts under a timeout, and drops the accept whenever that fires.
            let server = annulus::spawn(accept_until_done(source(listener), seen.clone()));
            let fired = server.await.expect("the server does not panic");
            clients.join().expect("clients do not panic");
            fired
        });
        // 3. Every client got its answer.
        let served = seen.served.load(Ordering::Relaxed);
        let hung = seen.hung.load(Ordering::Relaxed);
        let closed = seen.closed.load(Ordering::Relaxed);
        println!(
            "{name}: {fired} timeouts; {served} of {count} served, {hung} hung, {closed} closed"
        );
        assert_eq!((served, hung, closed), (count, 0, 0), "{name}");
        timeouts += fired;
    });
    let wanted = (count * RUNTIMES) as f64 * TIMEOUTS_PER_CLIENT;
    assert!(
        timeouts as f64 >= wanted,
        "{timeouts} timeouts fired, {wanted} wanted"
    );
}

#[test]
fn an_accept_under_a_timeout_loses_no_connection() {
    under_timeouts(CLIENTS, Source::Listener);
}

#[test]
fn an_incoming_under_a_timeout_loses_no_connection() {
    under_timeouts(CLIENTS_OF_INCOMING, |listener| {
        Source::Incoming(Incoming::new(listener, 64))
    });
}

/// Drops `count` calls of `next`, each after its connection has arrived, and then takes the
/// connection. Returns how many had been woken when they were dropped.
async fn drop_late(mut source: Source, address: SocketAddr, count: u64) -> u64 {
    let mut random = Random::new("moments of the drop");
    let moments = [
        Moment::Unpublished,
        Moment::InFlight,
        Moment::Completed,
        Moment::Completed,
    ];
    let mut woken = 0;
    for _ in 0..count {
        // 1. An accept waits.
        let moment = random.pick(&moments);
        let mut clients = BTreeSet::new();
        let mut connections = Vec::new();
        // 2. Connections arrive: connect(2) returns when one is in the backlog.
        let arrivals = 1 + random.below(3);
        let arrive = || {
            for _ in 0..arrivals {
                let stream = std::net::TcpStream::connect(address).expect("loopback connects");
                clients.insert(stream.local_addr().expect("it is connected"));
                connections.push(stream);
            }
        };
        // 3. The accept is dropped without having been polled again.
        match drop_at(moment, source.next(), arrive).await {
            Outcome::Ready(stream) => panic!("accepted before anybody connected: {stream:?}"),
            Outcome::Waiting => {}
            Outcome::Woken => woken += 1,
        }
        // 4. The next ones yield them all.
        while !clients.is_empty() {
            let stream = timeout(Duration::from_secs(20), source.next()).await;
            let stream = stream.expect("the connection was lost");
            assert!(clients.remove(&stream.peer_addr().expect("it is connected")));
        }
    }
    woken
}

fn late_drops(full: u64, source: fn(TcpListener) -> Source) {
    if !on_a_machine("its clients are sockets of std's") {
        return;
    }
    // Half of the drops, on average, come after the wake.
    let count = (stress(full) * 2).div_ceil(RUNTIMES);
    let mut woken = 0;
    for_each_runtime(|name, runtime| {
        let late = runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0")
                .await
                .expect("loopback binds");
            let address = listener.local_addr().expect("it is bound");
            let drops = annulus::spawn(drop_late(source(listener), address, count));
            drops.await.expect("no connection is lost")
        });
        println!("{name}: {late} of {count} accepts dropped after their connection had arrived");
        woken += late;
    });
    let wanted = stress(full) * 9 / 10;
    assert!(
        woken >= wanted,
        "{woken} dropped after the arrival, {wanted} wanted"
    );
}

#[test]
fn an_accept_dropped_after_its_connection_arrived_leaves_it_to_the_next() {
    late_drops(LATE_DROPS, Source::Listener);
}

#[test]
fn an_incoming_dropped_after_its_connection_arrived_leaves_it_to_the_next() {
    late_drops(LATE_DROPS / 4, |listener| {
        Source::Incoming(Incoming::new(listener, 8))
    });
}

#[test]
fn what_an_incoming_has_not_handed_out_is_pending_or_still_in_the_backlog() {
    const CLIENTS: usize = 24;
    const AHEAD: usize = 4;
    for_each_runtime(|name, runtime| {
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0")
                .await
                .expect("loopback binds");
            let address = listener.local_addr().expect("it is bound");
            // 1. More clients than the queue has room for; one of them is taken.
            let mut clients = Vec::new();
            for _ in 0..CLIENTS {
                clients.push(TcpStream::connect(address).await.expect("it listens"));
            }
            let mut incoming = Incoming::new(listener, AHEAD);
            let mut streams = vec![
                incoming
                    .next()
                    .await
                    .expect("clients wait")
                    .expect("accepts"),
            ];
            turns().await;
            // 2. The rest was accepted ahead, or stands in the listener's backlog.
            let (listener, pending) = incoming.into_pending().await;
            let ahead = pending.len();
            streams.extend(pending);
            while streams.len() < CLIENTS {
                let accepted = timeout(Duration::from_secs(20), listener.accept()).await;
                streams.push(accepted.expect("a connection was lost").expect("accepts").0);
            }
            // 3. Each client has its stream, once.
            let peers: BTreeSet<_> = streams
                .iter()
                .map(|stream| stream.peer_addr().expect("connected"))
                .collect();
            let locals: BTreeSet<_> = clients
                .iter()
                .map(|client| client.local_addr().expect("connected"))
                .collect();
            assert_eq!(peers, locals);
            println!("{name}: {ahead} of {CLIENTS} were accepted ahead");
        });
    });
}
