//! `AsyncFd`: other people's descriptors, whose readiness their users clear.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use annulus::io::unix::AsyncFd;
use annulus::io::{Interest, Ready};
use annulus_tests::{
    for_each_local, for_each_runtime, on_a_machine, serial, settled, stress, turns,
};
use futures::poll;

const FOREIGN: &str = "its hosts have no descriptors of others";
/// Bytes that readers of one descriptor share in a full run over all runtimes.
const BYTES: u64 = 100_000;
const RUNTIMES: u64 = 4;

fn register<T: AsRawFd>(inner: T) -> AsyncFd<T> {
    // SAFETY: the tests register objects that own their descriptor, and leave it alone.
    unsafe { AsyncFd::register(inner) }.expect("it can be polled")
}

fn pair() -> (AsyncFd<UnixStream>, UnixStream) {
    let (ours, theirs) = UnixStream::pair().expect("a pair");
    ours.set_nonblocking(true).expect("a socket can be");
    theirs.set_nonblocking(true).expect("a socket can be");
    (register(ours), theirs)
}

/// Writes until nothing more goes.
fn fill(mut stream: &UnixStream) -> usize {
    let mut count = 0;
    while let Ok(len) = stream.write(&[0; 4096]) {
        count += len;
    }
    count
}

async fn read(fd: &AsyncFd<UnixStream>, buf: &mut [u8]) -> io::Result<usize> {
    loop {
        let mut guard = fd.readable().await?;
        if let Ok(result) = guard.try_io(|fd| fd.get_ref().read(buf)) {
            return result;
        }
    }
}

#[test]
fn a_wait_ends_when_there_is_something_and_again_only_when_there_is_more() {
    if !on_a_machine(FOREIGN) {
        return;
    }
    for_each_runtime(|_, runtime| {
        runtime.block_on(async {
            let (fd, mut peer) = pair();
            // 1. Writable from the start, readable not.
            let ready = fd.ready(Interest::READABLE | Interest::WRITABLE).await;
            assert_eq!(ready.expect("it lives").ready(), Ready::WRITABLE);
            let mut readable = pin!(fd.readable());
            assert!(poll!(&mut readable).is_pending());
            // 2. Something arrives; until it is cleared, every wait ends at once.
            peer.write_all(b"a").expect("room");
            let mut guard = readable.await.expect("it lives");
            assert!(fd.readable().await.is_ok());
            fd.get_ref().read_exact(&mut [0]).expect("it is there");
            guard.retain_ready();
            assert!(guard.ready().is_readable());
            assert!(fd.readable().await.is_ok());
            // 3. Cleared, it waits for the next.
            guard.clear_ready();
            assert!(guard.ready().is_empty());
            let mut readable = pin!(fd.readable());
            assert!(poll!(&mut readable).is_pending());
            turns().await;
            assert!(poll!(&mut readable).is_pending());
            peer.write_all(b"b").expect("room");
            drop(readable.await.expect("it lives"));
            // 4. The peer goes, which is told once and for all.
            drop(peer);
            settled("the end is seen", || {
                let told = fd.try_io(Interest::READABLE, |mut stream| stream.read(&mut [0; 2]));
                told.is_ok_and(|len| len == 0)
            })
            .await;
            let mut guard = loop {
                let guard = fd.readable().await.expect("it lives");
                if guard.ready().is_read_closed() {
                    break guard;
                }
                annulus::task::yield_now().await;
            };
            guard.clear_ready();
            assert!(fd.readable().await.is_ok());
        });
    });
}

#[test]
fn a_full_descriptor_is_writable_again_once_it_is_read() {
    if !on_a_machine(FOREIGN) {
        return;
    }
    for_each_runtime(|_, runtime| {
        runtime.block_on(async {
            let (mut fd, mut peer) = pair();
            // 1. Until a write would block.
            let mut written = 0;
            let mut guard = fd.writable_mut().await.expect("it lives");
            while let Ok(result) = guard.try_io(|fd| fd.get_mut().write(&[0; 4096])) {
                written += result.expect("the peer lives");
            }
            assert!(guard.ready().is_empty());
            {
                let mut writable = pin!(fd.writable());
                assert!(poll!(&mut writable).is_pending());
                // 2. The peer reads it all.
                let mut bytes = vec![0; written];
                peer.read_exact(&mut bytes).expect("they are there");
                // 3. Who waits is told, and so is who only tries.
                drop(writable.await.expect("it lives"));
            }
            let written = fill(fd.get_ref());
            let again = fd.try_io_mut(Interest::WRITABLE, |stream| stream.write(&[0]));
            assert_eq!(
                again.map_err(|error| error.kind()),
                Err(ErrorKind::WouldBlock)
            );
            assert!(peer.read(&mut vec![0; written]).expect("they are there") > 0);
            settled("the room is seen", || {
                let mut called = false;
                let _ = fd.try_io(Interest::WRITABLE, |_| {
                    called = true;
                    Ok(())
                });
                called
            })
            .await;
        });
    });
}

#[test]
fn one_kind_of_readiness_is_cleared_and_the_other_stays() {
    if !on_a_machine(FOREIGN) {
        return;
    }
    for_each_runtime(|_, runtime| {
        runtime.block_on(async {
            let (mut fd, mut peer) = pair();
            peer.write_all(b"a").expect("room");
            settled("it is seen", || {
                fd.try_io(Interest::READABLE, |_| Ok(())).is_ok()
                    && fd.try_io(Interest::WRITABLE, |_| Ok(())).is_ok()
            })
            .await;
            let both = Interest::READABLE | Interest::WRITABLE;
            let mut guard = fd.ready_mut(both).await.expect("it lives");
            assert_eq!(guard.ready(), Ready::READABLE | Ready::WRITABLE);
            guard.clear_ready_matching(Ready::READABLE);
            assert_eq!(guard.ready(), Ready::WRITABLE);
            guard.get_inner_mut().read_exact(&mut [0]).expect("a byte");
            guard.clear_ready_matching(Ready::ALL);
            assert_eq!(guard.ready(), Ready::EMPTY);
        });
    });
}

#[test]
fn readers_of_one_descriptor_are_all_woken_and_lose_nothing() {
    if !on_a_machine(FOREIGN) {
        return;
    }
    let bytes = stress(BYTES) / RUNTIMES;
    for_each_runtime(|name, runtime| {
        runtime.block_on(async {
            let (fd, peer) = pair();
            let fd = Arc::new(fd);
            let readers: Vec<_> = (0..4)
                .map(|_| {
                    let fd = fd.clone();
                    annulus::spawn(async move {
                        let mut count = 0;
                        while read(&fd, &mut [0]).await.expect("no error") == 1 {
                            count += 1;
                        }
                        count
                    })
                })
                .collect();
            let writer = register(peer);
            for _ in 0..bytes {
                writer
                    .async_io(Interest::WRITABLE, |mut stream| stream.write(b"x"))
                    .await
                    .expect("the readers live");
            }
            drop(writer);
            let mut counts = Vec::new();
            for reader in readers {
                counts.push(reader.await.expect("it does not panic"));
            }
            println!("{name}: {bytes} bytes, read by the four {counts:?}");
            assert_eq!(counts.iter().sum::<u64>(), bytes);
        });
    });
}

#[test]
fn its_object_closes_its_descriptor_at_once() {
    if !on_a_machine(FOREIGN) {
        return;
    }
    let scenario = async || {
        // 1. Polls of both sides stand in the kernel, which holds the socket by them.
        let (fd, mut peer) = pair();
        let mut writable = fd.writable().await.expect("it lives");
        fill(fd.get_ref());
        writable.clear_ready();
        assert!(poll!(pin!(fd.readable())).is_pending());
        turns().await;
        assert!(poll!(pin!(fd.writable())).is_pending());
        // 2. Dropped, the peer sees the end without a turn of the loop.
        drop(fd);
        io::copy(&mut peer, &mut io::sink()).expect("the end, and no WouldBlock");
        // 3. Taken out, the object lives on.
        let (fd, mut peer) = pair();
        assert!(poll!(pin!(fd.readable())).is_pending());
        turns().await;
        let stream = fd.into_inner();
        let nothing = peer.read(&mut [0]).expect_err("it is open");
        assert_eq!(nothing.kind(), ErrorKind::WouldBlock);
        drop(stream);
        assert_eq!(peer.read(&mut [0]).expect("the end"), 0);
        // 4. It can be registered again.
        let (fd, mut peer) = pair();
        let fd = register(fd.into_inner());
        peer.write_all(b"x").expect("room");
        assert_eq!(read(&fd, &mut [0]).await.expect("a byte"), 1);
    };
    for_each_runtime(|name, runtime| {
        // The root of a multi-threaded runtime runs beside its workers: there a close is prompt,
        // but not instant.
        if name.starts_with("current_thread") {
            runtime.block_on(scenario());
        }
    });
    for_each_local(|_, runtime| runtime.block_on(scenario()));
}

#[test]
fn it_lets_go_from_another_thread_too() {
    if !on_a_machine(FOREIGN) {
        return;
    }
    for_each_runtime(|_, runtime| {
        let (fd, mut peer) = runtime.block_on(async {
            let (fd, peer) = pair();
            assert!(poll!(pin!(fd.readable())).is_pending());
            turns().await;
            (fd, peer)
        });
        // 1. Nobody drives a current-thread runtime now, and this thread is no worker.
        drop(fd);
        annulus_tests::settled_blocking("the end is seen", || {
            peer.read(&mut [0]).is_ok_and(|len| len == 0)
        });
    });
}

#[test]
fn a_timerfd_and_an_eventfd_wake_their_waiters() {
    if !on_a_machine(FOREIGN) {
        return;
    }
    for_each_runtime(|_, runtime| {
        runtime.block_on(async {
            // SAFETY: the call takes no pointer.
            let fd = unsafe { libc::timerfd_create(libc::CLOCK_MONOTONIC, libc::TFD_NONBLOCK) };
            assert!(fd >= 0, "{}", io::Error::last_os_error());
            // SAFETY: the kernel just made this descriptor for us.
            let timer = File::from(unsafe { OwnedFd::from_raw_fd(fd) });
            let spec = libc::itimerspec {
                it_interval: libc::timespec {
                    tv_sec: 0,
                    tv_nsec: 1_000_000,
                },
                it_value: libc::timespec {
                    tv_sec: 0,
                    tv_nsec: 1_000_000,
                },
            };
            // SAFETY: the new value lives across the call, and no old one is asked for.
            let set = unsafe { libc::timerfd_settime(fd, 0, &spec, std::ptr::null_mut()) };
            assert_eq!(set, 0, "{}", io::Error::last_os_error());
            let timer = register(timer);
            let mut fired = 0;
            while fired < 5 {
                let read = |mut timer: &File| {
                    let mut count = [0; 8];
                    timer.read_exact(&mut count)?;
                    Ok(u64::from_ne_bytes(count))
                };
                let count = timer.async_io(Interest::READABLE, read).await;
                fired += count.expect("it fires");
            }
        });
    });
}

#[test]
fn urgent_data_ends_a_wait_for_it() {
    if !on_a_machine(FOREIGN) {
        return;
    }
    for_each_runtime(|_, runtime| {
        runtime.block_on(async {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback binds");
            let address = listener.local_addr().expect("it is bound");
            let stream = std::net::TcpStream::connect(address).expect("loopback connects");
            let (peer, _) = listener.accept().expect("it is in the backlog");
            // SAFETY: the stream owns its descriptor and is left alone.
            let fd = unsafe { AsyncFd::register_with_interest(stream, Interest::PRIORITY) };
            let fd = fd.expect("it can be polled");
            let mut urgent = pin!(fd.ready(Interest::PRIORITY));
            assert!(poll!(&mut urgent).is_pending());
            // SAFETY: the byte lives across the call.
            let sent =
                unsafe { libc::send(peer.as_raw_fd(), c"!".as_ptr().cast(), 1, libc::MSG_OOB) };
            assert_eq!(sent, 1);
            assert!(urgent.await.expect("it lives").ready().is_priority());
        });
    });
}

#[test]
fn what_cannot_be_waited_for_is_given_back_with_the_reason() {
    if !on_a_machine(FOREIGN) {
        return;
    }
    struct Closed;
    impl AsRawFd for Closed {
        fn as_raw_fd(&self) -> RawFd {
            -1
        }
    }
    for_each_runtime(|_, runtime| {
        let _context = runtime.enter();
        // SAFETY: it is refused.
        let refused = unsafe { AsyncFd::register(Closed) };
        let (Closed, cause) = refused.err().expect("it is not open").into_parts();
        assert_eq!(cause.raw_os_error(), Some(libc::EBADF));
        let file = File::open("/proc/self/exe").expect("it is there");
        // SAFETY: the file owns its descriptor and is left alone.
        let error = unsafe { AsyncFd::register(file) }.expect_err("it is always ready");
        let (file, cause) = error.into_parts();
        assert!(file.metadata().is_ok());
        assert_eq!(cause.raw_os_error(), Some(libc::EPERM));
    });
}

#[test]
fn the_end_of_the_runtime_ends_every_wait() {
    if !on_a_machine(FOREIGN) {
        return;
    }
    let _serial = serial();
    let runtime = annulus_tests::current_thread(annulus::runtime::RecvMode::Base)
        .build()
        .expect("the runtime builds");
    let (fd, guard_was) = runtime.block_on(async {
        let (ours, _theirs) = UnixDatagram::pair().expect("a pair");
        let fd = register(ours);
        let ready = fd.writable().await.expect("it lives").ready();
        (fd, ready)
    });
    assert!(guard_was.is_writable());
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| futures::executor::block_on(fd.readable()).map(drop));
        // Most often it waits by now; if not, it finds the runtime gone.
        std::thread::yield_now();
        drop(runtime);
        let error = waiter.join().expect("it does not panic");
        assert!(error.is_err());
    });
    let again = futures::executor::block_on(fd.readable());
    assert!(again.is_err());
    // What is left of it can still be used, and taken apart.
    let nothing = fd.try_io(Interest::READABLE, |_| Ok(()));
    assert_eq!(
        nothing.map_err(|error| error.kind()),
        Err(ErrorKind::WouldBlock)
    );
    assert!(fd.as_fd().as_raw_fd() >= 0);
    drop(fd.into_inner());
}

#[test]
fn a_wait_with_a_timeout_leaves_the_descriptor_as_it_was() {
    if !on_a_machine(FOREIGN) {
        return;
    }
    for_each_runtime(|_, runtime| {
        runtime.block_on(async {
            let (fd, mut peer) = pair();
            for _ in 0..100 {
                let waited = annulus::time::timeout(Duration::ZERO, fd.readable()).await;
                assert!(waited.is_err());
            }
            peer.write_all(b"x").expect("room");
            assert_eq!(read(&fd, &mut [0]).await.expect("a byte"), 1);
        });
    });
}
