//! P1: dropping an accept loses no connection, neither under tokio's API nor for `Incoming`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use annulus::io::{AsyncReadExt, AsyncWriteExt};
use annulus::net::{TcpListener, TcpStream};
use annulus::sim::{Sim, seeds};
use annulus::task::yield_now;
use annulus::time::{sleep, timeout};
use annulus::uring::Incoming;
use futures::StreamExt;

use crate::scenario::{Fallible, add_up, count, end, hidden, vary};

/// Clients of a seed, and how many there are at once.
const CLIENTS: u64 = 420;
const AT_ONCE: u64 = 16;

enum Source {
    Listener(TcpListener),
    Incoming(Incoming),
}

impl Source {
    async fn next(&mut self) -> std::io::Result<TcpStream> {
        match self {
            Source::Listener(listener) => Ok(listener.accept().await?.0),
            Source::Incoming(incoming) => incoming.next().await.expect("it goes on after errors"),
        }
    }
}

async fn serve(mut stream: TcpStream) -> std::io::Result<()> {
    let number = stream.read_u64().await?;
    stream.write_u64(number).await
}

async fn ask(number: u64) -> Fallible {
    let mut stream = TcpStream::connect("server:80").await?;
    stream.write_u64(number).await?;
    // Far more than seven knocks take would be a connection that was lost.
    let answer = timeout(Duration::from_secs(200), stream.read_u64()).await??;
    assert_eq!(answer, number);
    Ok(())
}

fn accepts(sim: &mut Sim) {
    let mut random = vary(sim);
    sim.faults(hidden(random.pick(&[0, 5, 30])));
    let by_incoming = random.below(2) == 0;
    let queue = 1 + random.below(20) as usize;
    let busy = random.below(30);
    let fired = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&fired);
    // 1. A server accepts under a timeout, and is busy in between.
    sim.host("server", move || {
        let fired = Arc::clone(&counter);
        async move {
            let listener = TcpListener::bind("0.0.0.0:80").await?;
            let mut source = if by_incoming {
                Source::Incoming(Incoming::new(listener, queue))
            } else {
                Source::Listener(listener)
            };
            loop {
                match timeout(Duration::from_millis(1), source.next()).await {
                    Ok(Ok(stream)) => drop(annulus::spawn(serve(stream))),
                    // A connection that ended in the backlog.
                    Ok(Err(_)) => {}
                    Err(_) => drop(fired.fetch_add(1, Ordering::Relaxed)),
                }
                for _ in 0..busy {
                    yield_now().await;
                }
            }
        }
    });
    // 2. Clients come in bursts.
    sim.client("client", async move {
        let tasks: Vec<_> = (0..AT_ONCE)
            .map(|first| {
                annulus::spawn(async move {
                    for number in (first..CLIENTS).step_by(AT_ONCE as usize) {
                        ask(number).await?;
                        sleep(Duration::from_millis(number % 41)).await;
                    }
                    Fallible::Ok(())
                })
            })
            .collect();
        for task in tasks {
            task.await??;
        }
        Ok(())
    });
    // 3. All are served.
    sim.run().unwrap();
    sim.count("timeouts", fired.load(Ordering::Relaxed));
    sim.count("served", CLIENTS);
    sim.count("accept_multishot", u64::from(by_incoming));
    end(sim, &["client", "server"]);
}

#[test]
fn an_accept_under_a_timeout_loses_no_connection() {
    let totals = seeds(count(), |sim| accepts(sim));
    add_up("accepts", &totals, &[("timeouts", CLIENTS / 10)]);
}
