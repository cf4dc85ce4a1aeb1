//! Pipes and FIFOs: order, the end, backpressure, prompt closing, and what is refused.

use std::ffi::CString;
use std::fs::File;
use std::io::{ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::pin::pin;

use annulus::io::{AsyncReadExt, AsyncWriteExt, Interest, Ready};
use annulus::net::unix::pipe::{OpenOptions, Receiver, Sender, pipe};
use annulus_tests::{
    Flag, Moment, Outcome, Random, drop_at, for_each_local, for_each_runtime, on_a_machine,
    settled, stress,
};
use futures::FutureExt;
use futures::poll;

annulus::sim_install!();

const OF_THE_SYSTEM: &str = "its hosts have no pipes of the system";
/// Reads dropped in a full run over all runtimes.
const DROPS: u64 = 40_000;
const RUNTIMES: u64 = 6;

/// A FIFO in a folder of its own.
struct Fifo {
    path: PathBuf,
    _folder: tempfile::TempDir,
}

impl Fifo {
    fn new() -> Fifo {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("fifo");
        let name = CString::new(path.as_os_str().as_bytes()).expect("no zero in it");
        // SAFETY: the path is a C string that lives across the call.
        let made = unsafe { libc::mkfifo(name.as_ptr(), 0o600) };
        assert_eq!(made, 0, "{}", std::io::Error::last_os_error());
        Fifo {
            path,
            _folder: folder,
        }
    }
}

impl AsRef<Path> for Fifo {
    fn as_ref(&self) -> &Path {
        &self.path
    }
}

/// Writes until nothing more goes; how much went.
async fn fill(sender: &Sender) -> usize {
    let mut count = 0;
    loop {
        match sender.try_write(&[7; 4096]) {
            Ok(len) => count += len,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                return count;
            }
        }
    }
}

fn is_nonblocking(fd: &impl AsFd) -> bool {
    use std::os::fd::AsRawFd;
    // SAFETY: the command takes no argument.
    let flags = unsafe { libc::fcntl(fd.as_fd().as_raw_fd(), libc::F_GETFL) };
    flags & libc::O_NONBLOCK != 0
}

#[test]
fn what_is_written_is_read_in_order_and_then_comes_the_end() {
    for_each_runtime(|_, runtime| {
        runtime.block_on(async {
            let (mut sender, mut receiver) = pipe().expect("a pipe");
            let bytes: Vec<u8> = (0..1 << 20).map(|at| (at % 251) as u8).collect();
            let sent = bytes.clone();
            let writer = annulus::spawn(async move {
                let (first, rest) = sent.split_at(100);
                let parts = [IoSlice::new(&first[..50]), IoSlice::new(&first[50..])];
                assert_eq!(sender.write_vectored(&parts).await.expect("room"), 100);
                sender.write_all(rest).await.expect("it is read");
            });
            let mut received = Vec::new();
            receiver.read_to_end(&mut received).await.expect("no error");
            writer.await.expect("it does not panic");
            assert!(received == bytes, "{} bytes", received.len());
            // The end stays the end.
            assert_eq!(receiver.try_read(&mut [0; 1]).expect("the end"), 0);
        });
    });
}

#[test]
fn a_full_pipe_turns_the_writer_away_until_it_is_read() {
    for_each_runtime(|_, runtime| {
        runtime.block_on(async {
            let (sender, mut receiver) = pipe().expect("a pipe");
            // 1. It is full, and says so to whoever waits.
            let room = fill(&sender).await;
            assert!(room >= 4096, "{room}");
            let mut writable = pin!(sender.writable());
            assert!(poll!(&mut writable).is_pending());
            // 2. It is read.
            let mut bytes = vec![0; room];
            receiver
                .read_exact(&mut bytes)
                .await
                .expect("they are there");
            // 3. The writer hears of it.
            writable.await.expect("the runtime lives");
            assert_eq!(sender.try_write(b"more").expect("room"), 4);
        });
    });
}

#[test]
fn a_try_hears_of_changes_although_nobody_waits() {
    for_each_runtime(|_, runtime| {
        runtime.block_on(async {
            let (sender, receiver) = pipe().expect("a pipe");
            let mut called = false;
            let nothing = receiver.try_io(|| {
                called = true;
                Ok(())
            });
            assert_eq!(
                nothing.map_err(|error| error.kind()),
                Err(ErrorKind::WouldBlock)
            );
            assert!(!called, "nothing had told that it is readable");
            assert_eq!(sender.try_write(b"abc").expect("room"), 3);
            settled("the bytes are seen", || receiver.try_io(|| Ok(())).is_ok()).await;
            let (mut first, mut second) = ([0; 1], [0; 4]);
            let mut parts = [IoSliceMut::new(&mut first), IoSliceMut::new(&mut second)];
            assert_eq!(receiver.try_read_vectored(&mut parts).expect("bytes"), 3);
            assert_eq!((&first, &second[..2]), (b"a", &b"bc"[..]));
            // A full pipe, emptied, is seen to have room again.
            let room = fill(&sender).await;
            settled("it is full of bytes", || {
                receiver.try_read_buf(&mut Vec::with_capacity(room)).is_ok()
            })
            .await;
            settled("the room is seen", || sender.try_write(b"x").is_ok()).await;
        });
    });
}

#[test]
fn what_was_taken_back_is_watched_at_once() {
    for_each_local(|_, runtime| {
        runtime.block_on(async {
            let (sender, receiver) = pipe().expect("a pipe");
            // 1. A try that finds no room is the last before there is some.
            let room = fill(&sender).await;
            annulus_tests::turns().await;
            // 2. There is room, which the loop sees.
            let mut bytes = Vec::with_capacity(room);
            assert_eq!(receiver.try_read_buf(&mut bytes).expect("bytes"), room);
            annulus_tests::turns().await;
            // 3. So the very next try is made.
            assert_eq!(sender.try_write(b"x").expect("room"), 1);
        });
    });
}

#[test]
fn a_writer_whose_reader_goes_is_told() {
    for_each_runtime(|_, runtime| {
        runtime.block_on(async {
            let (mut sender, receiver) = pipe().expect("a pipe");
            fill(&sender).await;
            let (flag, waker) = Flag::new();
            let mut context = std::task::Context::from_waker(&waker);
            assert!(sender.poll_write_ready(&mut context).is_pending());
            drop(receiver);
            settled("the writer is woken", || flag.is_raised()).await;
            let ready = sender.ready(Interest::WRITABLE).await.expect("it lives");
            assert!(ready.is_write_closed(), "{ready:?}");
            let error = sender.write_all(b"x").await.expect_err("nobody reads");
            assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        });
    });
}

#[test]
fn a_fifo_is_no_end_before_its_first_writer_comes() {
    if !on_a_machine(OF_THE_SYSTEM) {
        return;
    }
    for_each_runtime(|_, runtime| {
        runtime.block_on(async {
            let fifo = Fifo::new();
            // 1. Nobody is there: read(2) would yield 0.
            let mut receiver = OpenOptions::new()
                .open_receiver(&fifo)
                .expect("it needs nobody");
            let mut bytes = [0; 5];
            let mut read = pin!(receiver.read_exact(&mut bytes));
            assert!(poll!(&mut read).is_pending());
            annulus_tests::turns().await;
            assert!(poll!(&mut read).is_pending());
            // 2. A writer comes.
            let mut sender = OpenOptions::new().open_sender(&fifo).expect("a reader");
            sender.write_all(b"hello").await.expect("room");
            read.await.expect("five bytes");
            assert_eq!(&bytes, b"hello");
        });
    });
}

#[test]
fn a_fifo_whose_writers_have_gone_waits_for_the_next() {
    if !on_a_machine(OF_THE_SYSTEM) {
        return;
    }
    for_each_runtime(|_, runtime| {
        runtime.block_on(async {
            let fifo = Fifo::new();
            let mut receiver = OpenOptions::new()
                .open_receiver(&fifo)
                .expect("it needs nobody");
            for round in 0..3_u8 {
                // 1. A writer comes and goes: its bytes, then the end.
                let mut sender = OpenOptions::new().open_sender(&fifo).expect("a reader");
                sender.write_all(&[round]).await.expect("room");
                drop(sender);
                let mut bytes = Vec::new();
                receiver.read_to_end(&mut bytes).await.expect("no error");
                assert_eq!(bytes, [round]);
                while !receiver
                    .ready(Interest::READABLE)
                    .await
                    .expect("it lives")
                    .is_read_closed()
                {
                    annulus::task::yield_now().await;
                }
                // 2. The next has come, and says nothing yet: neither bytes nor the end.
                let mut sender = OpenOptions::new().open_sender(&fifo).expect("a reader");
                let mut byte = [0];
                {
                    let mut read = pin!(receiver.read(&mut byte));
                    assert!(poll!(&mut read).is_pending());
                    // 3. It says something.
                    sender.write_all(&[100 + round]).await.expect("room");
                    assert_eq!(read.await.expect("no error"), 1);
                }
                assert_eq!(byte, [100 + round]);
                drop(sender);
                assert_eq!(receiver.read(&mut byte).await.expect("the end"), 0);
            }
        });
    });
}

#[test]
fn a_fifo_that_is_open_for_both_has_no_end() {
    if !on_a_machine(OF_THE_SYSTEM) {
        return;
    }
    for_each_runtime(|_, runtime| {
        runtime.block_on(async {
            let fifo = Fifo::new();
            let error = OpenOptions::new()
                .open_sender(&fifo)
                .expect_err("no reader");
            assert_eq!(error.raw_os_error(), Some(libc::ENXIO));
            let mut both = OpenOptions::new();
            both.read_write(true);
            let mut sender = both.open_sender(&fifo).expect("it is its own reader");
            sender.write_all(b"early").await.expect("room");
            let mut receiver = both.open_receiver(&fifo).expect("a FIFO");
            drop(sender);
            let mut bytes = [0; 5];
            receiver.read_exact(&mut bytes).await.expect("five bytes");
            assert!(receiver.read(&mut bytes).now_or_never().is_none());
        });
    });
}

#[test]
fn dropping_an_end_closes_it_though_somebody_waited() {
    if !on_a_machine(OF_THE_SYSTEM) {
        return;
    }
    let scenario = async || {
        // The reader goes: a write from outside finds nobody, at once.
        let (sender, mut receiver) = pipe().expect("a pipe");
        let mut outside = File::from(sender.into_blocking_fd().expect("it can block"));
        assert!(poll!(pin!(receiver.read(&mut [0; 1]))).is_pending());
        annulus_tests::turns().await;
        drop(receiver);
        let error = outside.write(b"x").expect_err("nobody reads");
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        // The writer goes: a read from outside finds the end, at once.
        let (sender, receiver) = pipe().expect("a pipe");
        let room = fill(&sender).await;
        let mut outside = File::from(receiver.into_blocking_fd().expect("it can block"));
        assert!(poll!(pin!(sender.writable())).is_pending());
        annulus_tests::turns().await;
        drop(sender);
        let mut bytes = Vec::new();
        outside.read_to_end(&mut bytes).expect("no error");
        assert_eq!(bytes.len(), room);
    };
    for_each_runtime(|_, runtime| runtime.block_on(scenario()));
    for_each_local(|_, runtime| runtime.block_on(scenario()));
}

#[test]
fn an_end_that_was_taken_out_is_held_no_more() {
    if !on_a_machine(OF_THE_SYSTEM) {
        return;
    }
    let scenario = async || {
        let (sender, mut receiver) = pipe().expect("a pipe");
        // 1. A poll stands in the kernel, which holds the pipe by it.
        assert!(poll!(pin!(receiver.read(&mut [0; 1]))).is_pending());
        annulus_tests::turns().await;
        // 2. The end is taken out and closed, all without a turn of the loop.
        let fd = receiver
            .into_nonblocking_fd()
            .expect("it has no other errors");
        assert!(is_nonblocking(&fd));
        drop(fd);
        // 3. So nobody reads any more.
        let error = sender.try_write(b"x").expect_err("nobody reads");
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    };
    for_each_runtime(|_, runtime| runtime.block_on(scenario()));
    for_each_local(|_, runtime| runtime.block_on(scenario()));
}

#[test]
fn a_dropped_read_takes_no_byte_with_it() {
    let rounds = stress(DROPS) / RUNTIMES;
    let mut waited = 0;
    let mut scenario = async |name: &str| {
        let mut random = Random::new("dropped reads");
        let (mut sender, mut receiver) = pipe().expect("a pipe");
        let (mut waiting, mut woken) = (0, 0);
        for round in 0..rounds {
            let byte = [round as u8];
            let moment = match random.below(3) {
                0 => Moment::Unpublished,
                1 => Moment::InFlight,
                _ => Moment::Completed,
            };
            let mut buf = [0];
            let write = || {
                let written = sender.write_all(&byte).now_or_never();
                written.expect("there is room").expect("no error");
            };
            match drop_at(moment, receiver.read(&mut buf), write).await {
                Outcome::Waiting => waiting += 1,
                Outcome::Woken => woken += 1,
                Outcome::Ready(result) => panic!("nothing was there: {result:?}"),
            }
            receiver.read_exact(&mut buf).await.expect("it is there");
            assert_eq!(buf, byte);
        }
        println!("{name}: {waiting} reads dropped waiting, {woken} woken, no byte lost");
        assert!(woken > rounds / 10);
        waited += waiting;
    };
    for_each_runtime(|name, runtime| runtime.block_on(scenario(name)));
    for_each_local(|name, runtime| runtime.block_on(scenario(name)));
    assert!(waited > rounds * RUNTIMES / 10, "{waited} waited");
}

#[test]
fn what_is_no_pipe_or_the_wrong_end_is_refused() {
    if !on_a_machine(OF_THE_SYSTEM) {
        return;
    }
    for_each_runtime(|_, runtime| {
        let _context = runtime.enter();
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("file");
        File::create(&path).expect("a file");
        let kind = |error: std::io::Error| (error.kind(), error.to_string());
        let refused = |why: &str| (ErrorKind::InvalidInput, why.to_owned());
        let options = OpenOptions::new();
        let error = options.open_receiver(&path).expect_err("a regular file");
        assert_eq!(kind(error), refused("not a pipe"));
        let error = options.open_sender(&path).expect_err("a regular file");
        assert_eq!(kind(error), refused("not a pipe"));
        let file = File::open(&path).expect("it is there");
        let error = Receiver::from_file(file).expect_err("a regular file");
        assert_eq!(kind(error), refused("not a pipe"));

        let (reading, writing) = std::io::pipe().expect("a pipe");
        let error = Sender::from_owned_fd(reading.into()).expect_err("the wrong end");
        assert_eq!(
            kind(error),
            refused("not in O_WRONLY or O_RDWR access mode")
        );
        let error = Receiver::from_owned_fd(writing.into()).expect_err("the wrong end");
        assert_eq!(
            kind(error),
            refused("not in O_RDONLY or O_RDWR access mode")
        );
    });
}

#[test]
fn a_pipe_from_outside_stops_blocking_and_blocks_again_when_it_leaves() {
    if !on_a_machine(OF_THE_SYSTEM) {
        return;
    }
    for_each_runtime(|_, runtime| {
        runtime.block_on(async {
            let (reading, writing) = std::io::pipe().expect("a pipe");
            assert!(!is_nonblocking(&reading));
            let mut receiver = Receiver::from_owned_fd(reading.into()).expect("a pipe");
            let mut sender = Sender::from_owned_fd(writing.into()).expect("a pipe");
            assert!(is_nonblocking(&receiver) && is_nonblocking(&sender));
            sender.write_all(b"hello").await.expect("room");
            receiver.read_exact(&mut [0; 5]).await.expect("bytes");
            let fd: OwnedFd = receiver.into_blocking_fd().expect("it can block");
            assert!(!is_nonblocking(&fd));
            let fd = sender.into_nonblocking_fd().expect("it has no errors");
            assert!(is_nonblocking(&fd));
            // A FIFO that was opened elsewhere.
            let fifo = Fifo::new();
            let file = File::options()
                .read(true)
                .custom_flags(libc::O_NONBLOCK)
                .open(&fifo);
            let receiver = Receiver::from_file(file.expect("it is there")).expect("a FIFO");
            let mut sender = OpenOptions::new().open_sender(&fifo).expect("a reader");
            sender.write_all(b"x").await.expect("room");
            let ready = receiver.ready(Interest::READABLE).await.expect("it lives");
            assert_eq!(ready, Ready::READABLE);
        });
    });
}
