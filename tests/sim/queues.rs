//! P7: a full SQ and an overflowing CQ lose no completion, cancel or wake.

use std::time::Duration;

use annulus::io::{AsyncReadExt, AsyncWriteExt};
use annulus::net::{TcpListener, TcpStream};
use annulus::runtime::RecvMode;
use annulus::sim::{Sim, seeds};
use annulus::time::{Instant, sleep, timeout};
use annulus::uring;

use crate::scenario::{Fallible, add_up, count, end, hidden, vary};

/// Receives at once, all of which run into their timeouts at the same moment.
const AT_ONCE: usize = 80;
/// Rounds of them.
const ROUNDS: u64 = 2;
/// What each connection brings at the end.
const BYTES: usize = 2000;
const PATIENCE: Duration = Duration::from_millis(300);
/// The clock's grain, and the steps of the workers until each has been looked at.
const LATE: Duration = Duration::from_millis(60);

async fn receive(bell: std::sync::Arc<annulus::sync::Barrier>, rate: u32) -> Fallible<u64> {
    let mut stream = TcpStream::connect("server:80").await.expect("all connect");
    let mut fired = 0;
    for _ in 0..ROUNDS {
        bell.wait().await;
        let began = Instant::now();
        // Nothing comes: the receive is cancelled with all the others.
        let received = timeout(PATIENCE, uring::recv(&stream, vec![0; 16])).await;
        assert!(received.is_err(), "nobody has sent anything");
        let took = began.elapsed();
        assert!((PATIENCE..PATIENCE + LATE).contains(&took), "{took:?}");
        fired += 1;
    }
    bell.wait().await;
    sleep(LATE).await;
    // Every cancel has reached the kernel, where it does not fail by chance.
    let lent = annulus::stats().bytes_lent;
    assert!(rate > 0 || lent == 0, "{lent} bytes are lent still");
    bell.wait().await;
    stream.write_u8(1).await?;
    let mut bytes = vec![0; BYTES];
    stream.read_exact(&mut bytes).await?;
    assert!(bytes.iter().all(|&byte| byte == 9));
    Ok(fired)
}

async fn serve(mut stream: TcpStream) -> std::io::Result<()> {
    stream.read_u8().await?;
    let mut left = vec![9; BYTES];
    while !left.is_empty() {
        let (sent, buf) = uring::send(&stream, left).await;
        left = buf[sent?..].to_vec();
    }
    sleep(Duration::from_secs(1)).await;
    Ok(())
}

fn queues(sim: &mut Sim) {
    let mut random = vary(sim);
    let mode = random.pick(&[RecvMode::Base, RecvMode::Hot]);
    sim.runtime(move |builder| {
        builder.recv_mode(mode).ring_entries(8, 16);
    });
    let rate = random.pick(&[0, 5, 30]);
    sim.faults(hidden(rate));
    sim.host("server", || async {
        let listener = TcpListener::bind("0.0.0.0:80").await?;
        loop {
            let (stream, _) = listener.accept().await?;
            annulus::spawn(serve(stream));
        }
    });
    sim.client("client", async move {
        let bell = std::sync::Arc::new(annulus::sync::Barrier::new(AT_ONCE));
        let tasks: Vec<_> = (0..AT_ONCE)
            .map(|_| annulus::spawn(receive(bell.clone(), rate)))
            .collect();
        for task in tasks {
            assert_eq!(task.await??, ROUNDS);
        }
        Ok(())
    });
    sim.run().unwrap();
    sim.count("timeouts", AT_ONCE as u64 * ROUNDS);
    let overflows = annulus::stats().cq_overflows;
    sim.count("overflows", overflows);
    end(sim, &["client", "server"]);
}

#[test]
fn small_queues_lose_nothing() {
    let totals = seeds(count(), |sim| queues(sim));
    add_up("queues", &totals, &[("overflows", 1)]);
}
