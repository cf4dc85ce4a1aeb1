//! P2: dropping a read loses no received byte, and keeps their order, in both receive modes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use annulus::io::{AsyncReadExt, AsyncWriteExt};
use annulus::net::{TcpListener, TcpStream};
use annulus::sim::{Sim, seeds};
use annulus::time::sleep;
use annulus::uring;
use annulus_tests::{Flag, Random};

use crate::scenario::{Fallible, add_up, count, end, hidden, vary};

/// Bytes of a stream in a seed.
const BYTES: u64 = 3_500;
/// Streams at once.
const STREAMS: u64 = 8;

/// A byte of the stream by its place in it.
fn byte(place: u64) -> u8 {
    (place.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8
}

async fn write(mut stream: TcpStream, mut random: Random) -> std::io::Result<()> {
    let mut place = 0;
    while place < BYTES {
        let len = (1 + random.below(40)).min(BYTES - place);
        let bytes: Vec<u8> = (place..place + len).map(byte).collect();
        stream.write_all(&bytes).await?;
        place += len;
        if random.below(3) == 0 {
            sleep(Duration::from_millis(random.below(4))).await;
        }
    }
    stream.shutdown().await
}

/// How a read came out.
enum Read {
    Got(Vec<u8>),
    Dropped { late: bool },
}

/// A read that is dropped after some yields, unless it is ready before.
async fn read(stream: &mut TcpStream, random: &mut Random) -> std::io::Result<Read> {
    let (owned, yields) = (random.below(2) == 0, random.below(40));
    let len = 1 + random.below(24) as usize;
    let got = async {
        if owned {
            let (read, bytes) = uring::recv(stream, Vec::with_capacity(len)).await;
            read.map(|_| bytes)
        } else {
            let mut bytes = vec![0; len];
            let read = stream.read(&mut bytes).await?;
            bytes.truncate(read);
            Ok(bytes)
        }
    };
    let mut got = Box::pin(got);
    // By a waker that tells whether it was woken before it was dropped.
    let (flag, waker) = Flag::new();
    let first = got
        .as_mut()
        .poll(&mut std::task::Context::from_waker(&waker));
    if let std::task::Poll::Ready(bytes) = first {
        return bytes.map(Read::Got);
    }
    for _ in 0..yields {
        annulus::task::yield_now().await;
    }
    let late = flag.is_raised();
    if late && random.below(2) == 0 {
        return got.await.map(Read::Got);
    }
    Ok(Read::Dropped { late })
}

#[derive(Default)]
struct Seen {
    dropped: AtomicU64,
    late: AtomicU64,
}

async fn check(mut stream: TcpStream, mut random: Random, seen: Arc<Seen>) -> Fallible {
    let mut place = 0;
    loop {
        match read(&mut stream, &mut random).await? {
            Read::Got(bytes) if bytes.is_empty() => break,
            Read::Got(bytes) => {
                for got in bytes {
                    assert_eq!(got, byte(place), "at {place}");
                    place += 1;
                }
            }
            Read::Dropped { late } => {
                seen.dropped.fetch_add(1, Ordering::Relaxed);
                seen.late.fetch_add(u64::from(late), Ordering::Relaxed);
            }
        }
    }
    assert_eq!(place, BYTES, "bytes were lost");
    Ok(())
}

fn reads(sim: &mut Sim) {
    let mut random = vary(sim);
    sim.faults(hidden(random.pick(&[0, 5, 30])));
    let seen = Arc::new(Seen::default());
    let counters = Arc::clone(&seen);
    sim.host("server", || async {
        let listener = TcpListener::bind("0.0.0.0:80").await?;
        loop {
            // One that ended in the backlog is not among those that are read from.
            if let Ok((stream, _)) = listener.accept().await {
                annulus::spawn(write(stream, Random::seeded(7)));
            }
        }
    });
    sim.client("client", async move {
        let mut tasks = Vec::new();
        for _ in 0..STREAMS {
            let seen = Arc::clone(&counters);
            let own = Random::seeded(random.bits());
            tasks.push(annulus::spawn(async move {
                let stream = TcpStream::connect("server:80").await?;
                check(stream, own, seen).await
            }));
        }
        for task in tasks {
            task.await??;
        }
        Ok(())
    });
    sim.run().unwrap();
    sim.count("dropped", seen.dropped.load(Ordering::Relaxed));
    sim.count("dropped late", seen.late.load(Ordering::Relaxed));
    end(sim, &["client", "server"]);
}

#[test]
fn a_dropped_read_loses_no_byte() {
    let totals = seeds(count(), |sim| reads(sim));
    add_up("reads", &totals, &[("dropped", 300), ("dropped late", 10)]);
}
