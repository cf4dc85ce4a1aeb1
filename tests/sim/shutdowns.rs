//! P4 and P5: a runtime that is dropped cancels, waits for every operation, and then frees; past
//! its deadline it leaks, and says so.

use std::time::Duration;

use annulus::fs::{File, OpenOptions};
use annulus::io::{AsyncReadExt, AsyncWriteExt};
use annulus::net::{TcpListener, TcpStream};
use annulus::sim::{Sim, seeds};
use annulus::uring;
use annulus_tests::Random;

use crate::scenario::{Fallible, add_up, count, end, hidden, operated, vary};

/// How often the host begins again in a seed.
const LIVES: u64 = 8;
/// Operations of each kind in flight.
const AT_ONCE: usize = 16;
/// The longest that a step of a simulated runtime's end may overrun its deadline.
const OVERRUN: Duration = Duration::from_millis(2);

/// Keeps operations of every kind in flight for ever.
async fn keep_busy() -> Fallible {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true);
    let file = std::sync::Arc::new(options.open("/tmp/file").await?);
    uring::write_at(&file, vec![1; 8192], 0).await.0?;
    for number in 0..AT_ONCE {
        annulus::spawn(async move {
            let stream = TcpStream::connect("server:19").await?;
            loop {
                let (read, buf) = uring::recv(&stream, vec![0; 300]).await;
                if read? == 0 {
                    return std::io::Result::Ok(buf);
                }
            }
        });
        annulus::spawn(async move {
            let stream = TcpStream::connect("server:9").await?;
            loop {
                let (sent, buf) = uring::send_zc(&stream, vec![5; 3000]).await;
                sent?;
                drop(buf);
                if number == usize::MAX {
                    return std::io::Result::Ok(());
                }
            }
        });
        let file = std::sync::Arc::clone(&file);
        annulus::spawn(async move {
            loop {
                uring::read_at(&file, vec![0; 4096], 0).await.0?;
                uring::write_at(&file, vec![1; 2048], 4096).await.0?;
                if number == usize::MAX {
                    return std::io::Result::Ok(());
                }
            }
        });
    }
    std::future::pending().await
}

/// A server that sends for ever, and one that reads slowly.
async fn serve() -> Fallible {
    let (source, sink) = annulus::try_join!(
        TcpListener::bind("0.0.0.0:19"),
        TcpListener::bind("0.0.0.0:9")
    )?;
    annulus::spawn(async move {
        while let Ok((mut stream, _)) = source.accept().await {
            annulus::spawn(async move {
                while stream.write_all(&[3; 100]).await.is_ok() {
                    annulus::time::sleep(Duration::from_millis(1)).await;
                }
            });
        }
    });
    loop {
        let (mut stream, _) = sink.accept().await?;
        annulus::spawn(async move {
            let mut bytes = [0; 1000];
            while stream.read(&mut bytes).await.is_ok_and(|read| read > 0) {
                annulus::time::sleep(Duration::from_millis(2)).await;
            }
        });
    }
}

fn until(sim: &mut Sim, at: Duration) {
    let left = at.saturating_sub(sim.elapsed());
    sim.run_for(left).unwrap();
}

fn freed(sim: &mut Sim) {
    let mut random = vary(sim);
    sim.faults(hidden(random.pick(&[0, 5, 30])));
    sim.host("server", serve);
    sim.client("clock", forever());
    sim.host("busy", keep_busy);
    for _ in 0..LIVES {
        let span = Duration::from_micros(500 + random.below(30_000));
        let at = sim.elapsed() + span;
        until(sim, at);
        // The runtime goes while its operations are in flight, and the peers go on.
        sim.stop("busy");
        sim.bounce("busy");
    }
    sim.count("runtimes dropped", LIVES);
    end(sim, &["busy", "clock", "server"]);
}

async fn forever() -> Fallible {
    std::future::pending().await
}

/// Writes that were accepted, and must end: nothing cancels them.
async fn write_files(mut random: Random) -> Fallible {
    for number in 0..AT_ONCE {
        let mut file = File::create(format!("/tmp/file-{number}")).await?;
        let len = 1 + random.below(5000) as usize;
        annulus::spawn(async move {
            loop {
                file.write_all(&vec![1; len]).await?;
                if number == usize::MAX {
                    return std::io::Result::Ok(());
                }
            }
        });
    }
    std::future::pending().await
}

fn deadlines(sim: &mut Sim) {
    let mut random = vary(sim);
    sim.faults(hidden(random.pick(&[0, 5])));
    let deadline = Duration::from_micros(random.below(6000));
    sim.runtime(move |builder| {
        builder.shutdown_deadline(deadline);
    });
    sim.client("clock", forever());
    let lengths = random.bits();
    sim.host("busy", move || write_files(Random::seeded(lengths)));
    let mut leaked = 0;
    for _ in 0..4 {
        let at = sim.elapsed() + Duration::from_millis(120);
        until(sim, at);
        let before = annulus::stats();
        let began = sim.elapsed();
        sim.stop("busy");
        let took = sim.elapsed() - began;
        // All its cores together: each has what the deadline leaves.
        assert!(took <= deadline + OVERRUN * 4, "{took:?} of {deadline:?}");
        let stats = annulus::stats();
        let given_up = stats.cells_leaked - before.cells_leaked;
        assert!(took >= deadline || given_up == 0, "leaked before its time");
        let named: u64 = stats.leaks.iter().map(|leak| leak.count).sum();
        assert_eq!(named, stats.cells_leaked, "every leak is named");
        leaked += given_up;
        sim.bounce("busy");
    }
    sim.count("leaked at the deadline", leaked);
    if leaked == 0 {
        return end(sim, &["busy", "clock"]);
    }
    sim.stop("busy").stop("clock");
    operated(sim);
}

#[test]
fn memory_is_freed_when_the_kernel_has_let_go() {
    let totals = seeds(count(), |sim| freed(sim));
    add_up("freed memory", &totals, &[("runtimes dropped", LIVES)]);
}

#[test]
fn past_its_deadline_a_runtime_leaks_and_says_so() {
    let totals = seeds(count(), |sim| deadlines(sim));
    add_up("shutdowns", &totals, &[("leaked at the deadline", 1)]);
}
