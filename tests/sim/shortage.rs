//! P10: without descriptors accepting does not spin, and recovers as soon as there are some.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use annulus::io::{AsyncReadExt, AsyncWriteExt};
use annulus::net::{TcpListener, TcpStream};
use annulus::sim::{Fault, Faults, Sim, seeds};
use annulus::time::{Instant, sleep};
use annulus::uring::Incoming;
use futures::StreamExt;

use crate::scenario::{add_up, count, end, vary};

const SHORTAGE: Duration = Duration::from_secs(5);
const ERRORS_PER_SECOND_MAX: u64 = 10;
const BEAT: Duration = Duration::from_millis(10);
/// Heartbeats that have to come, of 100.
const BEATS_PERCENT: u64 = 99;
const RECOVERY: Duration = Duration::from_millis(100);
/// From one host to another and back, with the clock's grain and the workers' steps.
const ROUND_TRIP: Duration = Duration::from_millis(20);
const CLIENTS: u64 = 200;

#[derive(Default)]
struct Seen {
    errors: AtomicU64,
    beats: AtomicU64,
    is_short: AtomicBool,
    waiting: AtomicU64,
    served: AtomicU64,
}

async fn serve(mut stream: TcpStream) -> std::io::Result<()> {
    loop {
        let number = stream.read_u8().await?;
        stream.write_u8(number).await?;
    }
}

async fn accept(by_incoming: bool, seen: Arc<Seen>) -> crate::scenario::Fallible {
    let listener = TcpListener::bind("0.0.0.0:80").await?;
    let mut incoming = None;
    let mut plain = None;
    if by_incoming {
        incoming = Some(Incoming::new(listener, 16));
    } else {
        plain = Some(listener);
    }
    loop {
        let next = match (&mut incoming, &plain) {
            (Some(incoming), _) => incoming.next().await.expect("it goes on"),
            (_, Some(listener)) => listener.accept().await.map(|(stream, _)| stream),
            _ => unreachable!("one of them is there"),
        };
        match next {
            Ok(stream) => drop(annulus::spawn(serve(stream))),
            Err(error) => {
                assert_eq!(error.raw_os_error(), Some(24), "{error}");
                seen.errors.fetch_add(1, Relaxed);
            }
        }
    }
}

async fn ask(seen: &Seen) -> std::io::Result<()> {
    let mut stream = TcpStream::connect("server:80").await?;
    for number in 0..10 {
        stream.write_u8(number).await?;
        assert_eq!(stream.read_u8().await?, number);
    }
    seen.served.fetch_add(1, Relaxed);
    Ok(())
}

fn shortage(sim: &mut Sim) {
    let mut random = vary(sim);
    let by_incoming = random.below(2) == 0;
    let seen = Arc::new(Seen::default());
    let [server, heart, clients] = [&seen, &seen, &seen].map(Arc::clone);
    sim.host("server", move || {
        let (server, heart) = (Arc::clone(&server), Arc::clone(&heart));
        async move {
            annulus::spawn(async move {
                loop {
                    sleep(BEAT).await;
                    heart.beats.fetch_add(1, Relaxed);
                }
            });
            accept(by_incoming, server).await
        }
    });
    sim.client("client", async move {
        for _ in 0..CLIENTS / 2 {
            ask(&clients).await?;
        }
        clients.is_short.store(true, Relaxed);
        // These wait in the backlog until it is over.
        let waiting: Vec<_> = (0..CLIENTS / 2)
            .map(|_| {
                let seen = Arc::clone(&clients);
                annulus::spawn(async move {
                    sleep(ROUND_TRIP).await;
                    seen.waiting.fetch_add(1, Relaxed);
                    ask(&seen).await
                })
            })
            .collect();
        for task in waiting {
            task.await??;
        }
        let began = Instant::now();
        ask(&clients).await?;
        assert!(began.elapsed() < ROUND_TRIP * 11, "{:?}", began.elapsed());
        Ok(())
    });
    // 1. All is well for a while.
    while !seen.is_short.load(Relaxed) {
        sim.run_for(Duration::from_micros(100)).unwrap();
    }
    // 2. There are no descriptors for five seconds.
    sim.faults(Faults::none().set(Fault::AcceptNoDescriptors, 1000).clone());
    sim.run_for(ROUND_TRIP).unwrap();
    let (errors, beats) = (seen.errors.load(Relaxed), seen.beats.load(Relaxed));
    sim.run_for(SHORTAGE).unwrap();
    let errors = seen.errors.load(Relaxed) - errors;
    let beats = seen.beats.load(Relaxed) - beats;
    let served = seen.served.load(Relaxed);
    assert!(
        errors <= ERRORS_PER_SECOND_MAX * SHORTAGE.as_secs(),
        "{errors} errors"
    );
    let expected = SHORTAGE.as_millis() as u64 / BEAT.as_millis() as u64;
    // The grain of the clock lengthens each beat by up to a tick.
    assert!(
        beats * 100 >= expected * 10 / 11 * BEATS_PERCENT,
        "{beats} beats of {expected}"
    );
    assert_eq!(served, CLIENTS / 2, "nobody is served without descriptors");
    // 3. There are some again.
    sim.faults(Faults::none());
    sim.run_for(RECOVERY + ROUND_TRIP * 11).unwrap();
    assert!(
        seen.served.load(Relaxed) >= CLIENTS - 1,
        "{} of {CLIENTS} served",
        seen.served.load(Relaxed)
    );
    sim.run().unwrap();
    sim.count("errors", errors);
    end(sim, &["client", "server"]);
}

#[test]
fn without_descriptors_accepting_neither_spins_nor_stops() {
    let totals = seeds(count(), |sim| shortage(sim));
    add_up("shortage", &totals, &[]);
}
