//! What the world refuses: the right `io::Error` or simply the right behaviour, and other tasks
//! go on.

use std::io::{ErrorKind, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use annulus::fs::{File, OpenOptions};
use annulus::io::{AsyncReadExt, AsyncWriteExt};
use annulus::net::{TcpListener, TcpStream};
use annulus::runtime::{KernelKind, RecvMode, Runtime};
use annulus_tests::{
    IO_URING, Peer, connected, current_thread, fd_limit, for_each_runtime, in_child, multi_thread,
    refuse,
};

/// Builds runtimes that have to have io_uring where io_uring_setup answers `errno`; the error's text has to say `cause` and
/// `remedy`.
fn refused(errno: i32, cause: &str, remedy: &str) {
    refuse(&IO_URING[..1], errno).expect("a filter needs no privilege");
    for mut builder in [current_thread(RecvMode::Auto), multi_thread(RecvMode::Auto)] {
        builder.kernel(KernelKind::Uring);
        let error = builder.build().expect_err("there is no ring to be had");
        let text = error.to_string();
        println!("{text}");
        assert!(text.contains("io_uring"), "{text}");
        assert!(text.contains(cause), "no cause: {text}");
        assert!(text.contains(remedy), "no remedy: {text}");
    }
}

#[test]
fn a_refusing_seccomp_profile_is_named() {
    in_child("a_refusing_seccomp_profile_is_named", || {
        refused(libc::EPERM, "EPERM", "seccomp");
    });
}

#[test]
fn a_refusing_security_module_is_named() {
    in_child("a_refusing_security_module_is_named", || {
        refused(libc::EACCES, "EACCES", "security module");
    });
}

#[test]
fn a_kernel_without_io_uring_is_named() {
    in_child("a_kernel_without_io_uring_is_named", || {
        refused(libc::ENOSYS, "ENOSYS", "5.19");
    });
}

#[test]
fn a_memory_limit_is_named() {
    in_child("a_memory_limit_is_named", || {
        refused(libc::ENOMEM, "ENOMEM", "ulimit -l");
    });
}

#[test]
fn a_program_without_the_hooks_of_a_simulation_is_told_what_it_lacks() {
    for mut builder in [current_thread(RecvMode::Auto), multi_thread(RecvMode::Auto)] {
        let built = builder.kernel(KernelKind::Simulated).build();
        let error = built.expect_err("this program has none");
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().contains("sim_install!"), "{error}");
    }
}

#[test]
fn the_name_of_no_kernel_is_told_with_those_there_are() {
    const NAME: &str = "the_name_of_no_kernel_is_told_with_those_there_are";
    in_child(NAME, || {
        // SAFETY: this process runs this test alone.
        unsafe { std::env::set_var("ANNULUS_KERNEL", "imaginary") };
        let built = current_thread(RecvMode::Auto).build();
        let error = built.expect_err("there is no such kernel");
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        let text = error.to_string();
        for name in ["imaginary", "auto", "uring", "emulated", "simulated"] {
            assert!(text.contains(name), "{text}");
        }
    });
}

/// A task that counts while others meet their errors.
fn heartbeat(runtime: &Runtime) -> Arc<AtomicU64> {
    let beats = Arc::new(AtomicU64::new(0));
    let counter = beats.clone();
    drop(runtime.spawn(async move {
        loop {
            annulus::time::sleep(Duration::from_millis(1)).await;
            counter.fetch_add(1, Ordering::AcqRel);
        }
    }));
    beats
}

async fn kind<T>(attempt: impl Future<Output = std::io::Result<T>>) -> ErrorKind {
    match attempt.await {
        Ok(_) => panic!("it worked"),
        Err(error) => error.kind(),
    }
}

#[test]
fn errors_are_those_of_the_kernel_and_other_tasks_go_on() {
    for_each_runtime(|name, runtime| {
        let beats = heartbeat(runtime);
        runtime.block_on(async {
            // An address in use, one that nobody listens on, one that is no address.
            let listener = TcpListener::bind("127.0.0.1:0")
                .await
                .expect("loopback binds");
            let address = listener.local_addr().expect("it is bound");
            assert_eq!(kind(TcpListener::bind(address)).await, ErrorKind::AddrInUse);
            drop(listener);
            assert_eq!(
                kind(TcpStream::connect(address)).await,
                ErrorKind::ConnectionRefused
            );
            assert_eq!(
                kind(TcpStream::connect("no address")).await,
                ErrorKind::InvalidInput
            );
            // A missing file, a folder that is a file, a descriptor that cannot be written.
            assert_eq!(kind(File::open("/no/such/file")).await, ErrorKind::NotFound);
            let below = "/dev/null/file";
            assert_eq!(kind(File::create(below)).await, ErrorKind::NotADirectory);
            let mut read_only = File::open("/dev/zero").await.expect("there are zeros");
            read_only
                .write_all(b"x")
                .await
                .expect("a file takes it into its buffer");
            assert!(read_only.flush().await.is_err());
            // A full disk: at the flush, or at the write after.
            let mut full = OpenOptions::new()
                .write(true)
                .open("/dev/full")
                .await
                .expect("a device");
            full.write_all(b"x")
                .await
                .expect("a file takes it into its buffer");
            assert_eq!(kind(full.flush()).await, ErrorKind::StorageFull);
            // A reset by the peer: both directions say so, or that the pipe is broken.
            let (mut stream, peer) = connected().await;
            reset(peer);
            assert_eq!(
                kind(stream.read(&mut [0; 8])).await,
                ErrorKind::ConnectionReset
            );
            let written = kind(stream.write_all(b"x")).await;
            assert!(matches!(
                written,
                ErrorKind::BrokenPipe | ErrorKind::ConnectionReset
            ));
            // The end of a stream.
            let (mut stream, peer) = connected().await;
            drop(peer);
            assert_eq!(kind(stream.read_u8()).await, ErrorKind::UnexpectedEof);
        });
        // The heart beats on, behind all of them.
        let before = beats.load(Ordering::Acquire);
        runtime.block_on(annulus_tests::settled("the heart beats", || {
            beats.load(Ordering::Acquire) > before + 3
        }));
        println!("{name}: {} beats", beats.load(Ordering::Acquire));
    });
}

/// Closes with a reset instead of an end: what the peer sent was not read.
fn reset(mut peer: Peer) {
    let linger = libc::linger {
        l_onoff: 1,
        l_linger: 0,
    };
    // SAFETY: the value lives across the call, and is as long as said.
    let set = unsafe {
        libc::setsockopt(
            std::os::fd::AsRawFd::as_raw_fd(&*peer),
            libc::SOL_SOCKET,
            libc::SO_LINGER,
            (&raw const linger).cast(),
            size_of_val(&linger) as libc::socklen_t,
        )
    };
    assert_eq!(set, 0, "{}", std::io::Error::last_os_error());
    peer.flush().expect("nothing is buffered");
}

#[test]
fn the_longest_duration_is_a_duration() {
    for_each_runtime(|_, runtime| {
        runtime.block_on(async {
            let forever = annulus::spawn(annulus::time::sleep(Duration::MAX));
            // A timeout of MAX around what ends, and around what does not.
            let soon = annulus::time::sleep(Duration::from_millis(1));
            let ended = annulus::time::timeout(Duration::MAX, soon).await;
            ended.expect("a millisecond is sooner");
            let never = annulus::time::timeout(Duration::MAX, std::future::pending::<()>());
            let never = annulus::spawn(never);
            let mut interval = annulus::time::interval(Duration::MAX);
            interval.tick().await;
            annulus::time::sleep(Duration::from_millis(5)).await;
            assert!(!forever.is_finished() && !never.is_finished());
            forever.abort();
            never.abort();
        });
    });
}

#[test]
fn accepting_without_descriptors_neither_spins_nor_stops() {
    in_child(
        "accepting_without_descriptors_neither_spins_nor_stops",
        || {
            const CLIENTS: usize = 8;
            const FOR: Duration = Duration::from_secs(1);
            for_each_runtime(|name, runtime| {
                let beats = heartbeat(runtime);
                let accepted = Arc::new(AtomicU64::new(0));
                let errors = Arc::new(AtomicU64::new(0));
                // 1. Clients stand in the backlog, and no number is left for what accept returns.
                let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"));
                let listener = listener.expect("loopback binds");
                let address = listener.local_addr().expect("it is bound");
                let connect = |_| std::net::TcpStream::connect(address).expect("it listens");
                let mut clients: Vec<_> = (0..CLIENTS).map(connect).collect();
                let before = fd_limit(lowest_free()).expect("the limit can be lowered");
                let enters = annulus::stats().enters;
                let beats_before = beats.load(Ordering::Acquire);
                let server = {
                    let (accepted, errors) = (accepted.clone(), errors.clone());
                    runtime.spawn(async move {
                        while accepted.load(Ordering::Acquire) < CLIENTS as u64 {
                            match listener.accept().await {
                                Ok((mut stream, _)) => {
                                    accepted.fetch_add(1, Ordering::AcqRel);
                                    stream.write_all(b"hello").await.expect("the client reads");
                                }
                                Err(error) => {
                                    assert_eq!(error.raw_os_error(), Some(libc::EMFILE), "{error}");
                                    errors.fetch_add(1, Ordering::AcqRel);
                                }
                            }
                        }
                    })
                };
                // 2. For a second, that is so. Everything else goes on.
                let start = Instant::now();
                runtime.block_on(async { annulus::time::sleep(FOR).await });
                let waited = start.elapsed();
                let enters = annulus::stats().enters - enters;
                let beats = beats.load(Ordering::Acquire) - beats_before;
                let errors = errors.load(Ordering::Acquire);
                println!("{name}: {errors} errors, {enters} enters, {beats} beats in {waited:?}");
                assert_eq!(
                    accepted.load(Ordering::Acquire),
                    0,
                    "{name}: there was a number left"
                );
                assert!(errors <= 12, "{name}: {errors} errors in a second");
                assert!(beats >= 100, "{name}: other tasks hardly went on");
                // Two for each beat, and what the workers tell each other.
                assert!(
                    enters < 10 * beats + 1000,
                    "{name}: {enters} enters, it spins"
                );
                // 3. With numbers again, every client is accepted.
                fd_limit(before).expect("the limit can be raised");
                runtime.block_on(server).expect("it does not panic");
                for client in &mut clients {
                    let mut hello = String::new();
                    client
                        .read_to_string(&mut hello)
                        .expect("the server writes and closes");
                    assert_eq!(hello, "hello");
                }
            });
        },
    );
}

/// The number that the next descriptor will get: a limit of that much leaves none.
fn lowest_free() -> u64 {
    use std::os::fd::AsRawFd;
    let probe = std::fs::File::open("/dev/null").expect("a descriptor is left");
    probe.as_raw_fd() as u64
}
