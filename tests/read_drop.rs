//! P2: dropping a read loses no received byte and keeps their order, in base and in hot mode.

use std::io::Write;
use std::time::Duration;

use annulus::io::AsyncReadExt;
use annulus::net::TcpStream;
use annulus::time::timeout;
use annulus::uring::recv;
use annulus_tests::{
    Moment, Outcome, Peer, Random, aside, connected, drop_at, for_each_local, for_each_runtime,
    rest, stress,
};

annulus::sim_install!();

/// Reads that the full run drops over all runtimes, each polled to Pending first.
const DROPS: u64 = 1_000_000;
/// Those of them that have to be dropped after their bytes had arrived.
const LATE_DROPS: u64 = 10_000;
/// Reads that the full run drops by a timeout, while another thread writes.
const TIMEOUTS: u64 = 20_000;
/// Streams of the full run that are pinned in the middle of dropped reads.
const STREAMS: u64 = 20_000;
const RUNTIMES: u64 = 4;

/// The stream carries the numbers from 0 on, as bytes: any loss, repetition or swap shows within
/// 251 bytes.
fn numbered(from: u64, count: usize) -> Vec<u8> {
    (from..from + count as u64)
        .map(|number| (number % 251) as u8)
        .collect()
}

/// Asserts that `bytes` are the ones that follow `at`, and moves it on.
fn expect(bytes: &[u8], at: &mut u64) {
    assert!(!bytes.is_empty(), "the stream ended at byte {at}");
    assert_eq!(bytes, numbered(*at, bytes.len()), "at byte {at}");
    *at += bytes.len() as u64;
}

/// What a scenario did.
#[derive(Default)]
struct Counts {
    dropped: u64,
    late: u64,
    ready: u64,
    bytes: u64,
}

impl Counts {
    fn add(&mut self, other: Self) {
        self.dropped += other.dropped;
        self.late += other.late;
        self.ready += other.ready;
        self.bytes += other.bytes;
    }
}

/// Which calls a scenario uses.
#[derive(Clone, Copy, PartialEq)]
enum Calls {
    /// Those that leave the socket in the mode it is in.
    Reads,
    /// Readiness and peeking too, which pin it to base mode.
    All,
}

/// Drops `count` reads; between them reads what has come.
async fn drop_reads(
    mut stream: TcpStream,
    mut peer: Peer,
    count: u64,
    calls: Calls,
) -> (TcpStream, Peer, Counts) {
    let mut random = Random::new("moments and sizes of dropped reads");
    let mut counts = Counts::default();
    let (mut sent, mut received) = (0, 0);
    let mut buffer = [0; 600];
    while counts.dropped < count {
        // 1. Nothing is on the way, so that the first poll waits. Most are dropped so.
        let late = random.below(20) == 0;
        let early_moment = if random.below(16) == 0 {
            Moment::InFlight
        } else {
            Moment::Unpublished
        };
        let moment = if late {
            Moment::Completed
        } else {
            early_moment
        };
        let writes = late || random.below(8) == 0;
        // 2. The peer writes behind its back.
        let (length, dropped) = (1 + random.below(300) as usize, way(calls, &mut random));
        let mut write = || {
            if writes {
                let bytes = numbered(sent, length);
                peer.write_all(&bytes)
                    .expect("the buffer takes a few bytes");
                sent += bytes.len() as u64;
            }
        };
        // 3. The read is dropped. Its buffer goes away with it: bytes copied there are lost.
        let mut gone = vec![0; 512];
        let outcome = match dropped {
            0 => nothing(drop_at(moment, stream.peek(&mut gone), &mut write).await),
            // Readiness that nobody has disproved yet may be reported again.
            1 => match drop_at(moment, stream.readable(), &mut write).await {
                Outcome::Ready(_) => continue,
                outcome => nothing(outcome),
            },
            2 | 3 => nothing(drop_at(moment, recv(&stream, gone), &mut write).await),
            _ => nothing(drop_at(moment, stream.read(&mut gone), &mut write).await),
        };
        counts.dropped += 1;
        counts.late += u64::from(outcome);
        // 4. The next reads, by whichever way, find every byte, and those that come meanwhile.
        while received < sent {
            if random.below(8) == 0 {
                let bytes = numbered(sent, 1 + random.below(300) as usize);
                peer.write_all(&bytes)
                    .expect("the buffer takes a few bytes");
                sent += bytes.len() as u64;
            }
            let left = ((sent - received) as usize).min(buffer.len());
            let ask = 1 + random.below(left as u64) as usize;
            let read = match way(calls, &mut random) {
                0 => {
                    let peeked = within(stream.peek(&mut buffer[..ask])).await;
                    let mut after = received;
                    expect(&buffer[..peeked], &mut after);
                    continue;
                }
                1 => match stream.try_read(&mut buffer[..ask]) {
                    Ok(count) => count,
                    Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                        within(stream.readable()).await;
                        continue;
                    }
                    Err(error) => panic!("try_read: {error}"),
                },
                2..=4 => within(stream.read_exact(&mut buffer[..ask])).await,
                _ => within(stream.read(&mut buffer[..ask])).await,
            };
            expect(&buffer[..read], &mut received);
            counts.ready += 1;
        }
    }
    counts.bytes = received;
    (stream, peer, counts)
}

/// A number below 8, of which 0 and 1 stand for calls that pin.
fn way(calls: Calls, random: &mut Random) -> u64 {
    let first = if calls == Calls::All { 0 } else { 2 };
    first + random.below(8 - first)
}

/// Whether the dropped read had been woken.
fn nothing<T>(outcome: Outcome<T>) -> bool {
    match outcome {
        Outcome::Ready(_) => panic!("a read found bytes that nobody sent"),
        Outcome::Waiting => false,
        Outcome::Woken => true,
    }
}

async fn within<T>(read: impl Future<Output = std::io::Result<T>>) -> T {
    let result = timeout(Duration::from_secs(20), read).await;
    result
        .expect("bytes were lost")
        .expect("the connection stands")
}

#[test]
fn a_dropped_read_loses_no_byte() {
    let count = stress(DROPS).div_ceil(RUNTIMES);
    let mut late = 0;
    for_each_runtime(|name, runtime| {
        let hot_before = annulus::stats().hot_recv_bytes;
        // First in a task, then in block_on, which is no worker of a multi_thread runtime; there
        // the home is another thread.
        let (mut stream, mut peer) = runtime.block_on(connected());
        let mut inside = Counts::default();
        let mut outside = Counts::default();
        for calls in [Calls::Reads, Calls::All] {
            let task = runtime.spawn(drop_reads(stream, peer, count * 2 / 5, calls));
            let (back, peer_back, task) = runtime.block_on(task).expect("no byte is lost");
            inside.add(task);
            if calls == Calls::Reads {
                let hot = annulus::stats().hot_recv_bytes - hot_before;
                println!("{name}: {hot} bytes came from RECV completions");
                assert_eq!(
                    name.ends_with("hot"),
                    hot > 0,
                    "{name}: the mode was not forced"
                );
            }
            let block_on = drop_reads(back, peer_back, count.div_ceil(10), calls);
            let counts;
            (stream, peer, counts) = runtime.block_on(block_on);
            outside.add(counts);
        }
        for (place, counts) in [("task", inside), ("block_on", outside)] {
            println!(
                "{name}, {place}: {} reads dropped, {} after their bytes had arrived; {} reads \
                 took {} bytes",
                counts.dropped, counts.late, counts.ready, counts.bytes,
            );
            late += counts.late;
        }
        // The stream's end comes as it would have.
        runtime.block_on(async {
            let mut stream = stream;
            peer.write_all(b"end")
                .expect("the buffer takes three bytes");
            drop(peer);
            let mut rest = Vec::new();
            within(stream.read_to_end(&mut rest)).await;
            assert_eq!(rest, b"end");
        });
    });
    let wanted = stress(LATE_DROPS);
    assert!(
        late >= wanted,
        "{late} dropped after their bytes had arrived, {wanted} wanted"
    );
}

#[test]
fn a_stream_that_leaves_hot_mode_loses_no_byte() {
    const DROPS_EACH: u64 = 40;
    let count = stress(STREAMS).div_ceil(RUNTIMES);
    for_each_runtime(|name, runtime| {
        let mut sum = Counts::default();
        // A stream is pinned to base mode once, while receives of dropped reads are in flight or
        // have landed: so many streams, and few drops on each.
        for _ in 0..count {
            let (stream, peer) = runtime.block_on(connected());
            let task = runtime.spawn(drop_reads(stream, peer, DROPS_EACH, Calls::All));
            let (_, _, counts) = runtime.block_on(task).expect("no byte is lost");
            sum.add(counts);
        }
        println!("{name}: {count} streams, {} reads dropped", sum.dropped);
    });
}

#[test]
fn a_dropped_read_on_a_local_runtime_loses_no_byte() {
    let count = stress(DROPS).div_ceil(RUNTIMES * 2);
    for_each_local(|name, runtime| {
        let hot_before = annulus::stats().hot_recv_bytes;
        let (mut stream, mut peer) = runtime.block_on(connected());
        let mut sum = Counts::default();
        for calls in [Calls::Reads, Calls::All] {
            let reading = drop_reads(stream, peer, count / 2, calls);
            let counts;
            (stream, peer, counts) = runtime.block_on(reading);
            sum.add(counts);
        }
        let hot = annulus::stats().hot_recv_bytes - hot_before;
        println!(
            "{name}: {} reads dropped, {} after their bytes had arrived; {} of {} bytes by RECV",
            sum.dropped, sum.late, hot, sum.bytes,
        );
        assert_eq!(
            name.ends_with("hot"),
            hot > 0,
            "{name}: the mode was not forced"
        );
        assert!(
            sum.late >= count / 100,
            "{name}: {} of {count} were late",
            sum.late
        );
    });
}

/// Reads under a timeout of 1 ms while another thread writes, until `wanted` timeouts have fired.
async fn read_under_timeouts(mut stream: TcpStream, wanted: u64) -> (u64, u64) {
    let (mut fired, mut received) = (0, 0);
    while fired < wanted {
        let mut buffer = vec![0; 512];
        match timeout(Duration::from_millis(1), stream.read(&mut buffer)).await {
            Ok(read) => expect(
                &buffer[..read.expect("the connection stands")],
                &mut received,
            ),
            Err(_) => fired += 1,
        }
    }
    (fired, received)
}

#[test]
fn a_read_under_a_timeout_loses_no_byte() {
    const STREAMS: u64 = 16;
    let wanted = stress(TIMEOUTS).div_ceil(RUNTIMES * STREAMS);
    for_each_runtime(|name, runtime| {
        // 1. Several streams at once: a peer pauses about as long as the timeout takes.
        let (mut tasks, mut writers) = (Vec::new(), Vec::new());
        for _ in 0..STREAMS {
            let (stream, mut peer) = runtime.block_on(connected());
            tasks.push(runtime.spawn(read_under_timeouts(stream, wanted)));
            writers.push(aside(runtime.handle(), move || {
                let mut random = Random::new("sizes and pauses of a writer");
                let mut sent = 0;
                loop {
                    let bytes = numbered(sent, 1 + random.below(300) as usize);
                    // 3. The reader has had its timeouts, and gone.
                    if peer.write_all(&bytes).is_err() {
                        break;
                    }
                    sent += bytes.len() as u64;
                    rest(Duration::from_micros(random.below(4000)));
                }
            }));
        }
        // 2. Whatever a read takes follows what the one before took.
        let (mut fired, mut received) = (0, 0);
        for task in tasks {
            let (one_fired, one_received) = runtime.block_on(task).expect("no byte is lost");
            fired += one_fired;
            received += one_received;
        }
        for writer in writers {
            writer.join().expect("writers do not panic");
        }
        println!("{name}: {fired} reads timed out among {received} bytes");
        assert!(
            received > fired,
            "{name}: {received} bytes hardly disturbed {fired} timeouts"
        );
    });
}
