//! P18: dropping a socket closes it at once: the peer sees its end, and the port is free again.

use std::time::Duration;

use annulus::io::{AsyncReadExt, AsyncWriteExt};
use annulus::net::{TcpListener, TcpStream, UdpSocket};
use annulus::sim::{Fault, Faults, Sim, seeds};
use annulus::time::{Instant, sleep};
use annulus::uring::{self, Incoming};
use annulus_tests::Random;
use futures::StreamExt;

use crate::scenario::{Fallible, add_up, count, end, vary, within};

const ROUNDS: u64 = 160;
/// From one host to another in the default network, and the workers' steps.
const SEEN_WITHIN: Duration = Duration::from_millis(6);

/// What stands on a socket when it is dropped.
#[derive(Clone, Copy)]
enum Standing {
    Nothing,
    Read,
    Receive,
    Send,
}

/// A connection to the observer, dropped on a task of its own, which any worker may run.
async fn drop_one(standing: Standing, random: &mut Random) -> Fallible<Instant> {
    let mut stream = TcpStream::connect("observer:80").await?;
    let mut hello = [0];
    stream.read_exact(&mut hello).await?;
    let yields = random.below(40);
    match standing {
        Standing::Nothing => {}
        Standing::Read => drop(within(yields, stream.read(&mut hello)).await),
        Standing::Receive => drop(within(yields, uring::recv(&stream, vec![0; 9])).await),
        Standing::Send => {
            let sent = within(yields, uring::send_zc(&stream, vec![1; 20])).await;
            drop(sent);
        }
    }
    let dropped = annulus::spawn(async move {
        drop(stream);
        Instant::now()
    });
    Ok(dropped.await?)
}

/// A port that a listener, a receiving socket or an `Incoming` has had is free as soon as it is
/// dropped, with an operation standing on it.
async fn free_a_port(random: &mut Random) -> Fallible {
    let yields = random.below(40);
    match random.below(3) {
        0 => {
            let listener = TcpListener::bind("127.0.0.1:700").await?;
            drop(within(yields, listener.accept()).await);
            drop(listener);
            drop(TcpListener::bind("127.0.0.1:700").await?);
        }
        1 => {
            let socket = UdpSocket::bind("127.0.0.1:700").await?;
            drop(within(yields, uring::recv(&socket, vec![0; 9])).await);
            drop(socket);
            drop(UdpSocket::bind("127.0.0.1:700").await?);
        }
        _ => {
            let listener = TcpListener::bind("127.0.0.1:700").await?;
            let mut incoming = Incoming::new(listener, 2);
            drop(within(yields, incoming.next()).await);
            // On whichever worker: the port is free when the drop has returned.
            annulus::spawn(async move { drop(incoming) }).await?;
            drop(TcpListener::bind("127.0.0.1:700").await?);
        }
    }
    Ok(())
}

fn closes(sim: &mut Sim) {
    let mut random = vary(sim);
    // Where a cancel finds its target running, the port is free a moment later.
    let rate = random.pick(&[0, 5, 50]);
    let mut faults = Faults::none();
    faults
        .set(Fault::EnterInterrupted, rate)
        .set(Fault::EnterAgain, rate)
        .set(Fault::EnterBusy, rate)
        .set(Fault::EnterNoMemory, rate)
        .set(Fault::ShortRead, rate);
    sim.faults(faults);
    let (tell, mut told) = annulus::sync::mpsc::unbounded_channel();
    sim.host("observer", move || {
        let tell = tell.clone();
        async move {
            let listener = TcpListener::bind("0.0.0.0:80").await?;
            loop {
                let (mut stream, _) = listener.accept().await?;
                let tell = tell.clone();
                annulus::spawn(async move {
                    stream.write_u8(1).await?;
                    // The end, or the reset of an end that had not read everything.
                    let mut bytes = [0; 64];
                    while stream.read(&mut bytes).await.is_ok_and(|read| read > 0) {}
                    let _ = tell.send(Instant::now());
                    std::io::Result::Ok(())
                });
            }
        }
    });
    sim.client("client", async move {
        for _ in 0..ROUNDS {
            let standing = random.pick(&[
                Standing::Nothing,
                Standing::Read,
                Standing::Receive,
                Standing::Send,
            ]);
            let dropped = drop_one(standing, &mut random).await?;
            let seen = told.recv().await.expect("the observer lives");
            let took = seen.saturating_duration_since(dropped);
            assert!(took <= SEEN_WITHIN, "the peer saw the end after {took:?}");
            free_a_port(&mut random).await?;
            sleep(Duration::from_micros(random.below(300))).await;
        }
        Ok(())
    });
    sim.run().unwrap();
    sim.count("sockets dropped", 2 * ROUNDS);
    end(sim, &["client", "observer"]);
}

#[test]
fn a_dropped_socket_is_closed_at_once() {
    let totals = seeds(count(), |sim| closes(sim));
    add_up("closes", &totals, &[]);
}
