//! P6: a dropped write is never half-invisible, and a file write that answered Ready reaches the
//! file.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use annulus::fs::{self, File};
use annulus::io::{AsyncReadExt, AsyncWriteExt};
use annulus::net::{TcpListener, TcpStream};
use annulus::sim::{Network, Sim, seeds};
use annulus::uring;
use annulus_tests::Random;

use crate::scenario::{Fallible, add_up, count, end, hidden, vary, within};

/// Writes of a stream in a seed, and streams.
const WRITES: u64 = 100;
const STREAMS: u64 = 100;
/// How many streams there are at once.
const AT_ONCE: u64 = 4;
/// Files written before the runtime goes.
const FILES: u64 = 8;

/// What the reader of a stream got, and what its writer says it sent.
#[derive(Default)]
struct Log {
    sent: Vec<Vec<u8>>,
    got: Vec<Vec<u8>>,
    dropped: u64,
    poisoned: u64,
}

/// A write under way, and what became of it.
async fn write(
    stream: &mut TcpStream,
    random: &mut Random,
    sent: &mut Vec<u8>,
    dropped: &mut Vec<(usize, usize)>,
) -> std::io::Result<bool> {
    // A poisoned stream names the send by its length, so those it may mean differ in theirs.
    let mut len = 1 + random.below(200) as usize;
    while dropped.iter().any(|(_, other)| *other == len) {
        len += 1;
    }
    let bytes: Vec<u8> = (sent.len()..sent.len() + len)
        .map(|place| place as u8)
        .collect();
    let yields = if random.below(4) == 0 {
        u64::MAX
    } else {
        random.below(40)
    };
    // 1. By tokio's API: Ready says how many went, and Pending says none.
    if random.below(2) == 0 {
        let written = match within(yields, stream.write(&bytes)).await {
            Some(written) => written?,
            None => 0,
        };
        if written > 0 {
            dropped.clear();
        }
        sent.extend(&bytes[..written]);
        return Ok(written == 0);
    }
    // 2. Owned: dropped, all of it goes, or the stream is poisoned and says how much did.
    let zero_copy = random.below(2) == 0;
    let send = async {
        if zero_copy {
            let (written, buf) = uring::send_zc(stream, bytes.clone()).await;
            drop(buf);
            written
        } else {
            uring::send(stream, bytes.clone()).await.0
        }
    };
    let mut send = Box::pin(send);
    let waits = futures::poll!(send.as_mut());
    if let std::task::Poll::Ready(written) = waits {
        sent.extend(&bytes[..written?]);
        dropped.clear();
        return Ok(false);
    }
    match within(yields, send).await {
        Some(written) => {
            sent.extend(&bytes[..written?]);
            dropped.clear();
        }
        None => {
            dropped.push((sent.len(), len));
            sent.extend(&bytes);
            return Ok(true);
        }
    }
    Ok(false)
}

/// The exact count of a stream that a dropped send has poisoned: "3 of 10 bytes of ...".
fn poisoned(error: &std::io::Error) -> Option<(usize, usize)> {
    let text = error.to_string();
    let mut words = text.split(' ');
    let went = words.next()?.parse().ok()?;
    let of = words.nth(1)?.parse().ok()?;
    text.contains("of a dropped send were sent")
        .then_some((went, of))
}

async fn writer(number: usize, mut random: Random, logs: Arc<Mutex<Vec<Log>>>) -> Fallible {
    let mut stream = TcpStream::connect("server:80").await?;
    stream.write_u8(number as u8).await?;
    let mut sent = Vec::new();
    // The sends that were dropped since one was seen to go: where each begins, and its length.
    let mut unseen = Vec::new();
    let (mut dropped, mut error) = (0, None);
    for _ in 0..WRITES {
        match write(&mut stream, &mut random, &mut sent, &mut unseen).await {
            Ok(was_dropped) => dropped += u64::from(was_dropped),
            Err(poison) => {
                error = Some(poison);
                break;
            }
        }
    }
    // A last send that was dropped may still be under way: a write waits for it.
    if error.is_none() {
        match stream.write_u8(sent.len() as u8).await {
            Ok(()) => sent.push(sent.len() as u8),
            Err(poison) => error = Some(poison),
        }
    }
    let is_poisoned = u64::from(error.is_some());
    if let Some(error) = error {
        let (went, of) = poisoned(&error).ok_or(error)?;
        let cut = unseen.iter().find(|(_, len)| *len == of);
        let (begin, _) = cut.expect("the text is about a send that was dropped");
        sent.truncate(begin + went);
    }
    stream.shutdown().await?;
    {
        let mut logs = logs.lock().expect("nobody panics with it");
        logs[number].sent.push(sent);
        logs[number].dropped += dropped;
        logs[number].poisoned += is_poisoned;
    }
    // The reader ends first.
    let _ = stream.read(&mut [0]).await;
    Ok(())
}

async fn reader(mut stream: TcpStream, logs: Arc<Mutex<Vec<Log>>>) -> Fallible {
    let number = usize::from(stream.read_u8().await?);
    let mut random = Random::seeded(number as u64);
    let mut got = Vec::new();
    loop {
        let mut bytes = vec![0; 1 + random.below(300) as usize];
        let read = stream.read(&mut bytes).await?;
        if read == 0 {
            break;
        }
        got.extend(&bytes[..read]);
        annulus::time::sleep(Duration::from_millis(random.below(3))).await;
    }
    let mut logs = logs.lock().expect("nobody panics with it");
    logs[number].got.push(got);
    Ok(())
}

/// Writes files, and ends as soon as the last write has answered.
async fn write_files(written: Arc<Mutex<bool>>) -> Fallible {
    if *written.lock().expect("nobody panics with it") {
        for number in 0..FILES {
            let bytes = fs::read(format!("/tmp/file-{number}")).await?;
            assert_eq!(bytes.len(), 6000, "file {number} is not whole");
            assert!(bytes.iter().all(|&byte| u64::from(byte) == number));
        }
        std::future::pending::<()>().await;
    }
    for number in 0..FILES {
        let mut file = File::create(format!("/tmp/file-{number}")).await?;
        file.write_all(&[number as u8; 6000]).await?;
        // Dropped at once, and neither flushed nor closed.
    }
    *written.lock().expect("nobody panics with it") = true;
    Ok(())
}

fn writes(sim: &mut Sim) {
    let mut random = vary(sim);
    sim.faults(hidden(random.pick(&[0, 5, 30])));
    sim.network(Network {
        window_bytes_max: 500,
        ..Network::default()
    });
    let logs: Vec<Log> = (0..STREAMS).map(|_| Log::default()).collect();
    let logs = Arc::new(Mutex::new(logs));
    let [readers, writers] = [&logs, &logs].map(Arc::clone);
    sim.host("server", move || {
        let logs = Arc::clone(&readers);
        async move {
            let listener = TcpListener::bind("0.0.0.0:80").await?;
            loop {
                let (stream, _) = listener.accept().await?;
                annulus::spawn(reader(stream, Arc::clone(&logs)));
            }
        }
    });
    let written = Arc::new(Mutex::new(false));
    let flag = Arc::clone(&written);
    sim.host("disk", move || write_files(Arc::clone(&flag)));
    let bits = random.bits();
    sim.client("client", async move {
        let mut tasks = Vec::new();
        for first in 0..AT_ONCE {
            let writers = Arc::clone(&writers);
            tasks.push(annulus::spawn(async move {
                for number in (first..STREAMS).step_by(AT_ONCE as usize) {
                    let own = Random::seeded(bits ^ number);
                    writer(number as usize, own, Arc::clone(&writers)).await?;
                }
                Fallible::Ok(())
            }));
        }
        for task in tasks {
            task.await??;
        }
        Ok(())
    });
    while !*written.lock().expect("nobody panics with it") {
        sim.run_for(Duration::from_micros(100)).unwrap();
    }
    // The file's writes have answered, and the runtime goes before they are on the disk.
    sim.stop("disk");
    sim.bounce("disk");
    sim.run().unwrap();
    let logs = std::mem::take(&mut *logs.lock().expect("nobody panics with it"));
    for log in &logs {
        sim.count("dropped", log.dropped);
        sim.count("poisoned", log.poisoned);
        let (sent, got) = (log.sent.concat(), log.got.concat());
        assert_eq!(sent.len(), got.len(), "the count was not exact");
        assert_eq!(sent, got, "the stream has a hole, or a byte twice");
    }
    end(sim, &["client", "server", "disk"]);
}

#[test]
fn a_dropped_write_is_never_half_invisible() {
    let totals = seeds(count(), |sim| writes(sim));
    add_up("writes", &totals, &[("dropped", 20)]);
}
