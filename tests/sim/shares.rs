//! P11: floods do not starve a ping; a pool without buffers slows only those that want them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use annulus::io::{AsyncReadExt, AsyncWriteExt};
use annulus::net::{TcpListener, TcpStream};
use annulus::sim::{Fault, Faults, Network, Sim, seeds};
use annulus::time::{Instant, sleep};
use annulus_tests::Random;

use crate::scenario::{Fallible, add_up, count, end, vary};

const FLOODS: usize = 6;
const PINGS: usize = 50;
/// p99 of the pings.
const PING_MAX: Duration = Duration::from_millis(5);

async fn serve() -> Fallible {
    let listener = TcpListener::bind("0.0.0.0:80").await?;
    loop {
        let (mut stream, _) = listener.accept().await?;
        annulus::spawn(async move {
            if stream.read_u8().await? == b'p' {
                loop {
                    let number = stream.read_u8().await?;
                    stream.write_u8(number).await?;
                }
            }
            let mut bytes = vec![0; 4096];
            while stream.read(&mut bytes).await? > 0 {}
            std::io::Result::Ok(())
        });
    }
}

async fn flood(took: Arc<AtomicU64>) -> std::io::Result<()> {
    sleep(Duration::from_millis(5)).await;
    let mut stream = TcpStream::connect("server:80").await?;
    stream.write_u8(b'f').await?;
    loop {
        // Byte by byte where the seed has given it a window of one.
        let written = stream.write(&[1; 512]).await?;
        took.fetch_add(written as u64, Relaxed);
    }
}

async fn ping() -> Fallible {
    // The network is faster than a server that binds.
    sleep(Duration::from_millis(5)).await;
    let mut stream = TcpStream::connect("server:80").await?;
    stream.write_u8(b'p').await?;
    let mut took = Vec::new();
    for number in 0..PINGS {
        let began = Instant::now();
        stream.write_u8(number as u8).await?;
        assert_eq!(stream.read_u8().await?, number as u8);
        took.push(began.elapsed());
        sleep(Duration::from_millis(1)).await;
    }
    took.sort();
    let p99 = took[(PINGS * 99).div_ceil(100) - 1];
    assert!(p99 <= PING_MAX, "p99 of the pings was {p99:?}");
    Ok(())
}

fn floods(sim: &mut Sim) {
    vary(sim);
    sim.network(Network {
        latency_ns: (20_000, 50_000),
        window_bytes_max: 8192,
        ..Network::default()
    });
    let took: Vec<Arc<AtomicU64>> = (0..FLOODS).map(|_| Arc::default()).collect();
    let counters = took.clone();
    sim.host("server", serve);
    sim.host("hogs", move || {
        let counters = counters.clone();
        async move {
            for counter in counters {
                annulus::spawn(flood(counter));
            }
            std::future::pending().await
        }
    });
    sim.client("client", ping());
    sim.run().unwrap();
    for took in &took {
        assert!(took.load(Relaxed) > 0, "a flood was starved itself");
    }
    sim.count(
        "flooded bytes",
        took.iter().map(|it| it.load(Relaxed)).sum(),
    );
    end(sim, &["client", "hogs", "server"]);
}

/// Reads what the other end sends, which every connection gets to its end.
async fn download(number: u64) -> Fallible {
    let mut stream = TcpStream::connect("server:81").await?;
    let mut random = Random::seeded(number);
    let mut got = 0;
    loop {
        let mut bytes = vec![0; 1 + random.below(90) as usize];
        let read = stream.read(&mut bytes).await?;
        if read == 0 {
            break;
        }
        for byte in &bytes[..read] {
            assert_eq!(*byte, got as u8, "at {got} of {number}");
            got += 1;
        }
    }
    assert_eq!(got, 2000);
    Ok(())
}

fn scarce(sim: &mut Sim) {
    let mut random = vary(sim);
    sim.runtime(|builder| {
        builder.recv_mode(annulus::runtime::RecvMode::Hot);
    });
    let rate = random.pick(&[100, 500, 900]);
    sim.faults(
        Faults::none()
            .set(Fault::NoBuffers, rate)
            .set(Fault::ShortRead, 100)
            .clone(),
    );
    sim.host("server", || async {
        let listener = TcpListener::bind("0.0.0.0:81").await?;
        loop {
            let (mut stream, _) = listener.accept().await?;
            annulus::spawn(async move {
                let bytes: Vec<u8> = (0..2000_u32).map(|place| place as u8).collect();
                for part in bytes.chunks(50) {
                    stream.write_all(part).await?;
                    sleep(Duration::from_millis(1)).await;
                }
                stream.shutdown().await
            });
        }
    });
    sim.client("client", async {
        let tasks: Vec<_> = (0..20)
            .map(|number| annulus::spawn(download(number)))
            .collect();
        for task in tasks {
            task.await??;
        }
        Ok(())
    });
    sim.run().unwrap();
    sim.count("without a buffer", annulus::stats().enobufs);
    end(sim, &["client", "server"]);
}

#[test]
fn floods_do_not_starve_a_ping() {
    let totals = seeds(count(), |sim| floods(sim));
    add_up("shares", &totals, &[]);
}

#[test]
fn without_buffers_nobody_is_closed_and_all_go_on() {
    let totals = seeds(count(), |sim| scarce(sim));
    add_up("scarce buffers", &totals, &[("without a buffer", 10)]);
}
