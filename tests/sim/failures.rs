//! Failures that a program is told of: connections reset or aborted, wires cut, a clock that
//! jumps, a disk that is full or fails. Whoever tries again gets on.

use std::time::Duration;

use annulus::fs;
use annulus::io::{AsyncReadExt, AsyncWriteExt};
use annulus::net::{TcpListener, TcpStream};
use annulus::sim::{Fault, Faults, Sim, seeds};
use annulus::time::{sleep, timeout};

use crate::scenario::{Fallible, add_up, count, end, vary};

/// Conversations of a seed, and how many there are at once.
const CONVERSATIONS: u64 = 300;
const AT_ONCE: u64 = 8;
/// Files that are written and read back.
const FILES: u64 = 60;
/// How long a try may take: a wire is cut for less.
const TRY: Duration = Duration::from_secs(5);

async fn serve() -> Fallible {
    let listener = TcpListener::bind("0.0.0.0:80").await?;
    loop {
        // An error is that of one connection.
        let Ok((mut stream, _)) = listener.accept().await else {
            continue;
        };
        annulus::spawn(async move {
            let number = stream.read_u64().await?;
            stream.write_u64(number).await
        });
    }
}

async fn ask(number: u64) -> std::io::Result<u64> {
    let mut stream = TcpStream::connect("server:80").await?;
    stream.write_u64(number).await?;
    stream.read_u64().await
}

async fn keep(number: u64) -> std::io::Result<Vec<u8>> {
    let path = format!("/tmp/{number}");
    fs::write(&path, number.to_le_bytes()).await?;
    fs::read(&path).await
}

async fn until_done(number: u64) -> Fallible {
    loop {
        if let Ok(Ok(answer)) = timeout(TRY, ask(number)).await {
            assert_eq!(answer, number);
            break;
        }
        sleep(Duration::from_millis(10)).await;
    }
    if number < FILES {
        while keep(number).await.ok().as_deref() != Some(&number.to_le_bytes()) {
            sleep(Duration::from_millis(1)).await;
        }
    }
    Ok(())
}

fn failures(sim: &mut Sim) {
    vary(sim);
    sim.faults(
        Faults::none()
            .set(Fault::Reset, 20)
            .set(Fault::AcceptAborted, 40)
            .set(Fault::Partition, 3)
            .set(Fault::ClockJump, 10)
            .set(Fault::FileFull, 100)
            .set(Fault::FileFails, 100)
            .clone(),
    );
    sim.duration_max(Duration::from_secs(36_000));
    sim.host("server", serve);
    sim.client("client", async {
        let tasks: Vec<_> = (0..AT_ONCE)
            .map(|first| {
                annulus::spawn(async move {
                    for number in (first..CONVERSATIONS).step_by(AT_ONCE as usize) {
                        until_done(number).await?;
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
    sim.run().unwrap();
    end(sim, &["client", "server"]);
}

#[test]
fn whoever_tries_again_after_a_failure_gets_on() {
    let totals = seeds(count(), |sim| failures(sim));
    add_up("failures", &totals, &[]);
}
