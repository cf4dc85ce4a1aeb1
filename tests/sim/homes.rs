//! P19: what was begun on one worker goes on and ends on any other, and nothing stays lent.

use std::pin::Pin;
use std::time::Duration;

use annulus::io::{AsyncReadExt, AsyncWriteExt};
use annulus::net::{TcpListener, TcpStream};
use annulus::sim::{Sim, seeds};
use annulus::sync::mpsc;
use annulus::task::yield_now;
use annulus::time::{Sleep, sleep};
use annulus::uring;
use annulus_tests::Random;

use crate::scenario::{Fallible, add_up, count, end, hidden, vary, within};

/// Things that travel from task to task.
const THINGS: u64 = 240;
/// Tasks on the way.
const STATIONS: usize = 8;

type Receive = Pin<Box<dyn Future<Output = (std::io::Result<usize>, Vec<u8>)> + Send>>;

/// Something that was begun elsewhere.
enum Thing {
    Stream(TcpStream),
    /// Under way, with its stream.
    Receive(Receive, std::sync::Arc<TcpStream>),
    Timer(Pin<Box<Sleep>>),
    /// A listener whose first connection is under way.
    Listener(TcpListener),
}

async fn begin(number: u64) -> Fallible<Thing> {
    Ok(match number % 4 {
        0 => Thing::Stream(TcpStream::connect("server:7").await?),
        1 => {
            let stream = std::sync::Arc::new(TcpStream::connect("server:7").await?);
            let own = stream.clone();
            let mut receive: Receive =
                Box::pin(async move { uring::recv(&*own, vec![0; 16]).await });
            assert!(futures::poll!(receive.as_mut()).is_pending());
            Thing::Receive(receive, stream)
        }
        2 => {
            let mut timer = Box::pin(sleep(Duration::from_millis(number % 7)));
            let _ = futures::poll!(timer.as_mut());
            Thing::Timer(timer)
        }
        _ => Thing::Listener(TcpListener::bind("127.0.0.1:0").await?),
    })
}

/// Uses a thing a little, and hands it on.
async fn go_on(thing: Thing, random: &mut Random) -> Fallible<Thing> {
    for _ in 0..random.below(20) {
        yield_now().await;
    }
    Ok(match thing {
        Thing::Stream(mut stream) => {
            stream.write_u8(3).await?;
            within(random.below(30), stream.peek(&mut [0])).await;
            assert_eq!(stream.read_u8().await?, 3);
            Thing::Stream(stream)
        }
        Thing::Receive(mut receive, stream) => {
            let waits = futures::poll!(receive.as_mut());
            assert!(waits.is_pending(), "nothing was sent");
            Thing::Receive(receive, stream)
        }
        Thing::Timer(mut timer) => {
            timer.as_mut().await;
            let next = annulus::time::Instant::now() + Duration::from_millis(3);
            timer.as_mut().reset(next);
            let _ = futures::poll!(timer.as_mut());
            Thing::Timer(timer)
        }
        Thing::Listener(listener) => {
            let address = listener.local_addr()?;
            let (accepted, connected) =
                annulus::join!(listener.accept(), TcpStream::connect(address));
            accepted?;
            connected?;
            Thing::Listener(listener)
        }
    })
}

/// The last station: some are finished, and some only dropped.
async fn finish(thing: Thing, random: &mut Random) -> Fallible {
    if random.below(2) == 0 {
        return Ok(());
    }
    match thing {
        Thing::Stream(mut stream) => stream.shutdown().await?,
        Thing::Receive(receive, stream) => {
            stream.writable().await?;
            assert_eq!(stream.try_write(&[8])?, 1);
            let (received, bytes) = receive.await;
            assert_eq!((received?, bytes[0]), (1, 8));
        }
        Thing::Timer(timer) => timer.await,
        Thing::Listener(listener) => drop(listener),
    }
    Ok(())
}

fn homes(sim: &mut Sim) {
    let mut random = vary(sim);
    sim.faults(hidden(random.pick(&[0, 5, 30])));
    sim.host("server", || async {
        let listener = TcpListener::bind("0.0.0.0:7").await?;
        loop {
            let (mut stream, _) = listener.accept().await?;
            annulus::spawn(async move {
                let (mut reader, mut writer) = stream.split();
                annulus::io::copy(&mut reader, &mut writer).await
            });
        }
    });
    sim.client("client", async move {
        let mut tasks = Vec::new();
        let (first, mut from) = mpsc::channel(4);
        for _ in 0..STATIONS {
            let (to, next) = mpsc::channel(4);
            let mut own = Random::seeded(random.bits());
            tasks.push(annulus::spawn(async move {
                while let Some(thing) = from.recv().await {
                    let thing = go_on(thing, &mut own).await?;
                    drop(to.send(thing).await);
                }
                Fallible::Ok(())
            }));
            from = next;
        }
        tasks.push(annulus::spawn(async move {
            while let Some(thing) = from.recv().await {
                finish(thing, &mut random).await?;
            }
            Ok(())
        }));
        for number in 0..THINGS {
            drop(first.send(begin(number).await?).await);
        }
        drop(first);
        for task in tasks {
            task.await??;
        }
        Ok(())
    });
    sim.run().unwrap();
    sim.count("handed on", THINGS * STATIONS as u64);
    end(sim, &["client", "server"]);
}

#[test]
fn what_one_worker_began_ends_on_any() {
    let totals = seeds(count(), |sim| homes(sim));
    add_up("homes", &totals, &[]);
}
