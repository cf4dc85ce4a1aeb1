//! P6: a dropped socket write is never half-invisible, and a file write that answered Ready
//! reaches the file.

use std::io::{IoSlice, Read};
use std::path::PathBuf;
use std::time::Duration;

use annulus::fs::File;
use annulus::io::AsyncWriteExt;
use annulus::net::TcpStream;
use annulus::runtime::Handle;
use annulus::uring::send;
use annulus_tests::{
    Aside, Moment, Outcome, Peer, Random, aside, connected_narrow, drop_at, for_each_runtime,
    on_a_machine, rest, stress, turns, wait,
};

annulus::sim_install!();

/// Writes of a full run dropped after they had answered Pending.
const DROPS: u64 = 100_000;
/// Owned sends of a full run dropped while they waited.
const SENDS: u64 = 4000;
/// Files of a full run dropped right after they were written.
const FILES: u64 = 4000;
const RUNTIMES: u64 = 4;
const SEND_BYTES: usize = 128 << 10;
const MARK: &[u8] = b"after";
const HEAD: &[u8] = b"head";

/// The bytes of a stream that numbers them, from `from` on.
fn numbered(from: u64, count: usize) -> Vec<u8> {
    (from..from + count as u64)
        .map(|number| (number % 251) as u8)
        .collect()
}

/// Reads a little at a time to the end, slowly, so that the writer finds the buffer full.
/// Returns how many bytes came, each of which was the right one.
fn slow_reader(handle: &Handle, mut peer: Peer) -> Aside<u64> {
    aside(handle, move || {
        let mut random = Random::new("sizes of a slow reader");
        let (mut bytes, mut at) = (vec![0; 4096], 0);
        loop {
            let ask = 1 + random.below(bytes.len() as u64) as usize;
            let read = peer.read(&mut bytes[..ask]).expect("the connection stands");
            if read == 0 {
                return at;
            }
            assert_eq!(bytes[..read], numbered(at, read), "at byte {at}");
            at += read as u64;
            rest(Duration::from_micros(random.below(200)));
        }
    })
}

/// What a writer did.
#[derive(Default)]
struct Counts {
    dropped: u64,
    late: u64,
    written: u64,
}

async fn drop_writes(mut stream: TcpStream, count: u64) -> Counts {
    let mut random = Random::new("moments and sizes of dropped writes");
    let mut counts = Counts::default();
    while counts.dropped < count {
        // 1. The stream says how many bytes it took; the next write begins after them.
        let bytes = numbered(counts.written, 1 + random.below(8192) as usize);
        let moment = match random.below(64) {
            0 => Moment::Completed,
            1..5 => Moment::InFlight,
            _ => Moment::Unpublished,
        };
        // 2. A write that answers Pending has sent nothing, whenever it is dropped.
        let outcome = match random.below(4) {
            0 => {
                let (front, back) = bytes.split_at(bytes.len() / 3);
                let slices = [IoSlice::new(front), IoSlice::new(back)];
                drop_at(moment, stream.write_vectored(&slices), || ()).await
            }
            1 => {
                let mut rest = &bytes[..];
                drop_at(moment, stream.write_buf(&mut rest), || ()).await
            }
            _ => drop_at(moment, stream.write(&bytes), || ()).await,
        };
        match outcome {
            Outcome::Ready(written) => {
                counts.written += written.expect("the connection stands") as u64;
            }
            Outcome::Waiting => counts.dropped += 1,
            Outcome::Woken => {
                counts.dropped += 1;
                counts.late += 1;
            }
        }
    }
    counts
}

#[test]
fn a_dropped_write_has_sent_nothing() {
    let count = stress(DROPS).div_ceil(RUNTIMES);
    for_each_runtime(|name, runtime| {
        let _context = runtime.enter();
        let (stream, peer) = connected_narrow();
        let reader = slow_reader(runtime.handle(), peer);
        let counts = runtime.block_on(runtime.spawn(drop_writes(stream, count)));
        let Counts {
            dropped,
            late,
            written,
        } = counts.expect("it does not panic");
        let received = reader.join().expect("every byte is the right one");
        println!(
            "{name}: {dropped} writes dropped, {late} after there was room; {written} bytes \
             written, {received} received"
        );
        assert_eq!(received, written, "{name}");
    });
}

/// What a dropped send left, and what followed it.
struct Sent {
    /// Bytes that filled the connection before.
    before: usize,
    waited: bool,
    marked: std::io::Result<()>,
}

async fn drop_send(mut stream: TcpStream, moment: Moment, start_reader: impl FnOnce()) -> Sent {
    // 1. The connection is full, so that a send waits.
    let mut before = 0;
    stream.writable().await.expect("the connection stands");
    while let Ok(written) = stream.try_write(&numbered(before as u64, 4096)) {
        before += written;
    }
    // 2. The send is dropped; half of the time the reader makes room just before.
    let buf = numbered(before as u64, SEND_BYTES);
    let outcome = drop_at(moment, send(&stream, buf), start_reader).await;
    // 3. The next write follows a whole send, or none, or is told how much of it went.
    Sent {
        before,
        waited: !matches!(outcome, Outcome::Ready(_)),
        marked: stream.write_all(MARK).await,
    }
}

#[test]
fn a_dropped_send_completes_or_poisons_the_stream() {
    let count = stress(SENDS).div_ceil(RUNTIMES);
    for_each_runtime(|name, runtime| {
        let _context = runtime.enter();
        let mut random = Random::new("moments of dropped sends");
        let (mut dropped, mut whole, mut unsent, mut poisoned) = (0, 0, 0, 0);
        for round in 0..count {
            let (stream, mut peer) = connected_narrow();
            let moment = random.pick(&[Moment::Unpublished, Moment::InFlight]);
            let (start, may_read) = annulus::sync::mpsc::unbounded_channel::<()>();
            let reader = aside(runtime.handle(), move || {
                // Started by name, or by the sender's end.
                let mut may_read = may_read;
                let _ = wait(may_read.recv());
                let mut bytes = Vec::new();
                peer.read_to_end(&mut bytes).map(|_| bytes)
            });
            let sending = runtime.spawn(async move {
                let early = (round % 2 == 0).then(|| start.clone());
                let start_early = move || {
                    if let Some(early) = early {
                        early.send(()).expect("the reader waits");
                    }
                };
                let (sent, ()) = futures::join!(drop_send(stream, moment, start_early), async {
                    turns().await;
                    turns().await;
                    drop(start);
                });
                sent
            });
            let sent = runtime.block_on(sending).expect("it does not panic");
            let received = reader.join().expect("reading does not panic");
            let received = received.expect("the stream ends well");
            if !sent.waited {
                continue;
            }
            dropped += 1;
            let mut expected = numbered(0, sent.before);
            match sent.marked {
                Ok(()) if received.len() == sent.before + MARK.len() => {
                    expected.extend_from_slice(MARK);
                    unsent += 1;
                }
                Ok(()) => {
                    expected.extend(numbered(sent.before as u64, SEND_BYTES));
                    expected.extend_from_slice(MARK);
                    whole += 1;
                }
                Err(error) => {
                    let part = received.len() - sent.before;
                    expected.extend(numbered(sent.before as u64, part));
                    let said = error.to_string();
                    assert!(
                        said.contains(&part.to_string()),
                        "{name}: {part} were sent; {said}"
                    );
                    poisoned += 1;
                }
            }
            assert_eq!(
                received.len(),
                expected.len(),
                "{name}: bytes are missing or doubled"
            );
            assert!(
                received == expected,
                "{name}: a dropped send and the next are mixed up"
            );
        }
        println!(
            "{name}: {dropped} sends dropped: {whole} went whole, {unsent} not at all, \
             {poisoned} poisoned their stream"
        );
        assert!(
            dropped * 2 >= count,
            "{name}: {dropped} sends waited, of {count}"
        );
    });
}

#[test]
fn a_file_write_that_answered_ready_reaches_the_file() {
    let count = stress(FILES).div_ceil(RUNTIMES);
    if !on_a_machine("its files go with its runtimes") {
        return;
    }
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a temporary folder");
    let mut random = Random::new("sizes of files");
    let mut written: Vec<(PathBuf, usize)> = Vec::new();
    for_each_runtime(|name, runtime| {
        for round in 0..count {
            let path = folder.path().join(written.len().to_string());
            let size = 1 + random.below(100_000) as usize;
            written.push((path.clone(), size));
            let (answer, answered) = annulus::sync::oneshot::channel();
            let task = runtime.spawn(async move {
                // 1. Earlier bytes, behind which the write has to land.
                let mut file = File::create(&path).await.expect("the folder takes a file");
                file.write_all(HEAD).await.expect("the disk has room");
                // 2. Ready, without a flush.
                file.write_all(&numbered(0, size))
                    .await
                    .expect("the disk has room");
                answer.send(()).expect("the test waits");
                if round % 3 != 0 {
                    std::future::pending::<()>().await;
                }
            });
            runtime.block_on(answered).expect("the task does not panic");
            // 3. The file goes with the end of its task, with its abort, or with the runtime,
            //    which is dropped as soon as the last one is written.
            if round % 3 == 1 {
                task.abort();
            }
        }
        println!("{name}: {count} files");
    });
    // 4. No runtime is there any more; every byte is.
    for (path, size) in written {
        let bytes = std::fs::read(&path).expect("the file is there");
        assert_eq!(bytes.len(), HEAD.len() + size, "{}", path.display());
        assert!(bytes.starts_with(HEAD) && bytes[HEAD.len()..] == numbered(0, size));
    }
}
