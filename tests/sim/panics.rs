//! P9: a task that panics kills only itself; nor does a panic in a drop, a waker or a blocking
//! closure do more.

use std::panic::PanicHookInfo;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use annulus::io::{AsyncReadExt, AsyncWriteExt};
use annulus::net::{TcpListener, TcpStream};
use annulus::sim::{Sim, seeds};
use annulus::task::spawn_blocking;
use annulus_tests::Random;

use crate::scenario::{add_up, count, end, hidden, vary, within};

const GOOD: u64 = 90;
/// Messages of each good task.
const ROUNDS: u64 = 100;
const BAD: u64 = 10;
/// What the bad ones say. A trace for each of them takes longer than the seed.
const SAID: [&str; 6] = [
    "in a drop",
    "in a waker",
    "in a task",
    "after its waker",
    "in a blocking closure",
    "as its closure did",
];

/// Whether a panic is one of those that are wanted.
fn is_wanted(info: &PanicHookInfo<'_>) -> bool {
    let said = info.payload().downcast_ref::<&str>();
    said.is_some_and(|said| SAID.contains(said))
}

/// Panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            panic!("in a drop");
        }
    }
}

/// Panics when it is woken.
struct Alarm;

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        panic!("in a waker");
    }
}

async fn good(number: u64) -> std::io::Result<u64> {
    let mut stream = TcpStream::connect("server:80").await?;
    stream.read_u8().await?;
    for round in 0..ROUNDS {
        stream.write_u64(number + round).await?;
        annulus::time::sleep(Duration::from_millis(number % 5)).await;
        assert_eq!(stream.read_u64().await?, number + round);
    }
    Ok(number)
}

async fn bad(number: u64, mut random: Random) {
    let mut stream = TcpStream::connect("server:80").await.unwrap();
    within(random.below(40), stream.read(&mut [0])).await;
    match number % 4 {
        0 => panic!("in a task"),
        1 => {
            let bomb = Bomb;
            annulus::time::sleep(Duration::from_millis(2)).await;
            drop(bomb);
        }
        2 => {
            // The waker that the reactor wakes is not the task's.
            let mut wait = Box::pin(stream.readable());
            let alarm = Waker::from(Arc::new(Alarm));
            let _ = wait.as_mut().poll(&mut Context::from_waker(&alarm));
            annulus::time::sleep(Duration::from_millis(30)).await;
            panic!("after its waker");
        }
        _ => {
            let ended = spawn_blocking(|| panic!("in a blocking closure")).await;
            assert!(ended.unwrap_err().is_panic());
            panic!("as its closure did");
        }
    }
}

fn panics(sim: &mut Sim) {
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if !is_wanted(info) {
            print(info);
        }
    }));
    let mut random = vary(sim);
    sim.faults(hidden(random.pick(&[0, 5, 30])));
    sim.host("server", || async {
        let listener = TcpListener::bind("0.0.0.0:80").await?;
        loop {
            let (mut stream, _) = listener.accept().await?;
            annulus::spawn(async move {
                stream.write_u8(0).await?;
                let (mut reader, mut writer) = stream.split();
                annulus::io::copy(&mut reader, &mut writer).await
            });
        }
    });
    let bits = random.bits();
    sim.client("client", async move {
        let bad: Vec<_> = (0..BAD)
            .map(|number| annulus::spawn(bad(number, Random::seeded(bits ^ number))))
            .collect();
        let good: Vec<_> = (0..GOOD)
            .map(|number| annulus::spawn(good(number)))
            .collect();
        for task in bad {
            assert!(task.await.unwrap_err().is_panic());
        }
        for (number, task) in (0..).zip(good) {
            assert_eq!(task.await??, number);
        }
        Ok(())
    });
    sim.run().unwrap();
    sim.count("panics", BAD);
    end(sim, &["client", "server"]);
}

#[test]
fn a_panic_kills_only_its_task() {
    let totals = seeds(count(), |sim| panics(sim));
    add_up("panics", &totals, &[]);
}
