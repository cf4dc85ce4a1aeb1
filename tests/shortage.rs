//! P10: without free descriptors accept neither spins nor stops for good, and the rest goes on.

use std::fs::File;
use std::io::Read;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use annulus::io::AsyncWriteExt;
use annulus::net::{TcpListener, TcpStream};
use annulus::runtime::Runtime;
use annulus::uring::Incoming;
use annulus_tests::{fd_limit, for_each_runtime, in_child, percent};
use futures::StreamExt;

/// How long a full run has no descriptors.
const SHORTAGE_MS: u64 = 5000;
/// Connections that wait meanwhile.
const CLIENTS: usize = 20;
/// Errors and enters that a second may see.
const ERRORS_PER_SECOND_MAX: u64 = 10;
const ENTERS_PER_SECOND_MAX: u64 = 1000;
const BEAT: Duration = Duration::from_millis(10);

#[derive(Clone, Copy)]
enum By {
    Accept,
    Incoming,
}

#[test]
fn accept_without_descriptors_does_not_spin_and_recovers() {
    let name = "accept_without_descriptors_does_not_spin_and_recovers";
    in_child(name, || {
        for_each_runtime(|name, runtime| shortage(name, runtime, By::Accept));
    });
}

#[test]
fn incoming_without_descriptors_does_not_spin_and_recovers() {
    let name = "incoming_without_descriptors_does_not_spin_and_recovers";
    in_child(name, || {
        for_each_runtime(|name, runtime| shortage(name, runtime, By::Incoming));
    });
}

fn shortage(name: &str, runtime: &Runtime, by: By) {
    let errors = Arc::new(AtomicU64::new(0));
    let beats = Arc::new(AtomicU64::new(0));
    let (address, listener) = runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("it binds");
        (listener.local_addr().expect("it is bound"), listener)
    });
    // 1. Connections wait in the backlog, and every descriptor is taken.
    let clients: Vec<_> = (0..CLIENTS).map(|_| client(address)).collect();
    let limit = fd_limit(256).expect("it can be lowered");
    let taken: Vec<File> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
    let server = runtime.spawn(serve(listener, by, errors.clone()));
    let heart = runtime.spawn({
        let beats = beats.clone();
        async move {
            let mut ticks = annulus::time::interval(BEAT);
            loop {
                ticks.tick().await;
                beats.fetch_add(1, Relaxed);
            }
        }
    });
    let (start, enters) = (Instant::now(), annulus::stats().enters);
    let span = Duration::from_millis(SHORTAGE_MS * percent() / 100);
    runtime.block_on(async { annulus::time::sleep(span).await });
    // 2. The error was told now and then, the ring did not spin, the heart beat on.
    let seconds = start.elapsed().as_secs() + 1;
    let (errors, beats) = (errors.load(Relaxed), beats.load(Relaxed));
    let enters = annulus::stats().enters - enters;
    println!(
        "{name}: {errors} errors, {enters} enters, {beats} of {} beats in {:?}",
        start.elapsed().as_millis() / BEAT.as_millis(),
        start.elapsed()
    );
    assert!(errors > 0, "nobody was told");
    assert!(errors <= seconds * ERRORS_PER_SECOND_MAX, "{errors} errors");
    assert!(enters <= seconds * ENTERS_PER_SECOND_MAX, "{enters} enters");
    assert!(beats > 0, "the heart stood still");
    // 3. With descriptors all are served.
    drop(taken);
    fd_limit(limit).expect("it can be raised");
    let start = Instant::now();
    runtime.block_on(server).expect("it ends well");
    println!("{name}: recovered after {:?}", start.elapsed());
    heart.abort();
    for mut client in clients {
        let mut text = String::new();
        client.read_to_string(&mut text).expect("it is served");
        assert_eq!(text, "served");
    }
}

fn client(address: SocketAddr) -> std::net::TcpStream {
    let client = std::net::TcpStream::connect(address).expect("it listens");
    let patience = Some(Duration::from_secs(30));
    client
        .set_read_timeout(patience)
        .expect("30 s is a timeout");
    client
}

/// Until all clients are served.
async fn serve(listener: TcpListener, by: By, errors: Arc<AtomicU64>) {
    let mut served = 0;
    let mut answer = async |accepted: std::io::Result<TcpStream>| match accepted {
        Ok(mut stream) => {
            stream.write_all(b"served").await.expect("it waits");
            served += 1;
            served < CLIENTS
        }
        Err(error) => {
            assert_eq!(error.raw_os_error(), Some(libc::EMFILE), "{error}");
            errors.fetch_add(1, Relaxed);
            true
        }
    };
    match by {
        By::Accept => while answer(listener.accept().await.map(|(stream, _)| stream)).await {},
        By::Incoming => {
            let mut incoming = Incoming::new(listener, 8);
            while answer(incoming.next().await.expect("it never ends")).await {}
        }
    }
}
