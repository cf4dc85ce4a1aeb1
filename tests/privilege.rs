//! P14: least privilege. Rings may be restricted to what annulus does on them; descriptors are not
//! inherited; no kernel thread runs for us; a peer that is gone is an error and no signal.

use std::fs;
use std::io::ErrorKind;

use annulus::fs::File;
use annulus::io::{AsyncReadExt, AsyncWriteExt};
use annulus::net::{TcpListener, UdpSocket, UnixStream};
use annulus::runtime::{Builder, LocalOptions, RecvMode, Runtime};
use annulus_tests::{
    connected, current_thread, for_each_runtime, has_closed, in_child, multi_thread,
    nothing_in_flight, serial, turns,
};

/// What tests/ covers in breadth when it runs with `ANNULUS_TEST_RESTRICT=1`, once in short.
async fn a_bit_of_everything() {
    // 1. Files, and their names.
    let folder = tempfile::tempdir().expect("a folder can be made");
    let (one, two) = (folder.path().join("one"), folder.path().join("two"));
    annulus::fs::write(&one, b"restricted")
        .await
        .expect("written");
    annulus::fs::rename(&one, &two).await.expect("renamed");
    annulus::fs::hard_link(&two, &one).await.expect("linked");
    let text = annulus::fs::read(&one).await.expect("read");
    assert_eq!(text, b"restricted");
    let mut file = File::create(&two).await.expect("created");
    file.write_all(b"more").await.expect("written");
    file.sync_all().await.expect("synced");
    annulus::fs::remove_file(&one).await.expect("removed");
    // 2. Sockets: accepted, read while they wait, written to, closed while somebody waits.
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("it binds");
    let address = listener.local_addr().expect("it has one");
    let server = annulus::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("somebody connects");
        let byte = stream.read_u8().await.expect("it comes");
        stream.write_u8(byte + 1).await.expect("it goes");
    });
    let mut client = annulus::net::TcpStream::connect(address)
        .await
        .expect("somebody listens");
    turns().await;
    client.write_u8(41).await.expect("it goes");
    assert_eq!(client.read_u8().await.expect("it comes"), 42);
    server.await.expect("it ends well");
    let (mut stream, mut peer) = connected().await;
    let reading = annulus::spawn(async move { stream.read_u8().await });
    turns().await;
    reading.abort();
    reading.await.expect_err("it was aborted");
    assert!(has_closed(&mut peer));
    let udp = UdpSocket::bind("127.0.0.1:0").await.expect("it binds");
    udp.send_to(b"!", udp.local_addr().expect("it has one"))
        .await
        .expect("it goes");
    assert_eq!(udp.recv(&mut [0; 8]).await.expect("it comes"), 1);
    // 3. Time, and a wake from another thread.
    annulus::time::sleep(std::time::Duration::from_millis(1)).await;
    let sum = annulus::task::spawn_blocking(|| 6 * 7).await;
    assert_eq!(sum.expect("it does not panic"), 42);
}

#[test]
fn a_restricted_runtime_does_all_that_another_does() {
    let _serial = serial();
    for mode in [RecvMode::Base, RecvMode::Hot, RecvMode::Auto] {
        let mut builders = [current_thread(mode), multi_thread(mode)];
        for builder in &mut builders {
            let runtime = builder.restrict().build().expect("the runtime builds");
            runtime.block_on(async {
                annulus::spawn(a_bit_of_everything())
                    .await
                    .expect("it ends well");
                a_bit_of_everything().await;
            });
            drop(runtime);
            nothing_in_flight("restricted");
        }
        let local = current_thread(mode)
            .restrict()
            .build_local(LocalOptions::default())
            .expect("the runtime builds");
        local.block_on(a_bit_of_everything());
        drop(local);
        nothing_in_flight("restricted, local");
    }
}

/// Names in /proc/self/fd whose target contains `text`.
fn descriptors_named(text: &str) -> Vec<i32> {
    let entries = fs::read_dir("/proc/self/fd").expect("/proc is mounted");
    let numbers = entries.filter_map(|entry| {
        let path = entry.expect("the folder lists itself").path();
        let target = fs::read_link(&path).ok()?;
        let is_meant = target.to_string_lossy().contains(text);
        is_meant.then(|| path.file_name()?.to_str()?.parse().ok())?
    });
    numbers.collect()
}

#[test]
fn a_restricted_runtime_makes_only_restricted_rings() {
    in_child("a_restricted_runtime_makes_only_restricted_rings", || {
        let runtime = multi_thread(RecvMode::Auto)
            .restrict()
            .build()
            .expect("the runtime builds");
        let rings = descriptors_named("[io_uring]");
        println!("{} rings", rings.len());
        for ring in rings {
            // Asking for what there is: a registration that no part of annulus makes on them.
            const IORING_REGISTER_PROBE: u32 = 8;
            let mut probe = [0u64; 2];
            // SAFETY: 16 bytes are the head of a probe, and no entries are asked for.
            let asked = unsafe {
                libc::syscall(
                    libc::SYS_io_uring_register,
                    ring,
                    IORING_REGISTER_PROBE,
                    probe.as_mut_ptr(),
                    0,
                )
            };
            let error = std::io::Error::last_os_error();
            assert_eq!((asked, error.raw_os_error()), (-1, Some(libc::EACCES)));
        }
        drop(runtime);
    });
}

/// One of each descriptor that annulus makes, or takes from the kernel.
async fn descriptors_of_all_kinds() {
    let (stream, _peer) = connected().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("it binds");
    let address = listener.local_addr().expect("it has one");
    let _client = std::net::TcpStream::connect(address).expect("somebody listens");
    let (accepted, _) = listener.accept().await.expect("somebody connected");
    let udp = UdpSocket::bind("127.0.0.1:0").await.expect("it binds");
    let pair = UnixStream::pair().expect("a pair can be made");
    let file = File::open("/dev/null").await.expect("it opens");
    let copy = file.try_clone().await.expect("it can be cloned");
    let signal = annulus::signal::unix::signal(annulus::signal::unix::SignalKind::hangup());
    let _signal = signal.expect("a signal can be waited for");
    let mut inherited = Vec::new();
    for entry in fs::read_dir("/proc/self/fdinfo").expect("/proc is mounted") {
        let path = entry.expect("the folder lists itself").path();
        let number: i32 = path
            .file_name()
            .and_then(|name| name.to_str()?.parse().ok())
            .expect("a number");
        let Ok(text) = fs::read_to_string(&path) else {
            continue;
        };
        let flags = text
            .lines()
            .find_map(|line| line.strip_prefix("flags:"))
            .expect("every descriptor has flags");
        let flags = i32::from_str_radix(flags.trim(), 8).expect("they are octal");
        if number > 2 && flags & libc::O_CLOEXEC == 0 {
            let target = fs::read_link(format!("/proc/self/fd/{number}"));
            inherited.push((number, target));
        }
    }
    assert!(inherited.is_empty(), "{inherited:?}");
    drop((stream, accepted, udp, pair, file, copy));
}

#[test]
fn a_program_that_is_executed_inherits_no_descriptor() {
    in_child("a_program_that_is_executed_inherits_no_descriptor", || {
        // What the test's own parent left open is not ours.
        for number in 3..1024 {
            // SAFETY: changes a flag of a descriptor, if there is one.
            unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) };
        }
        for_each_runtime(|name, runtime| {
            println!("{name}");
            runtime.block_on(descriptors_of_all_kinds());
        });
    });
}

#[test]
fn no_thread_of_the_kernel_polls_for_a_runtime() {
    in_child("no_thread_of_the_kernel_polls_for_a_runtime", || {
        let runtime = multi_thread(RecvMode::Auto)
            .build()
            .expect("the runtime builds");
        runtime.block_on(a_bit_of_everything());
        let names = fs::read_dir("/proc/self/task").expect("/proc is mounted");
        let names = names.map(|task| {
            let task = task.expect("the folder lists itself").path();
            fs::read_to_string(task.join("comm")).unwrap_or_default()
        });
        let polling: Vec<String> = names.filter(|name| name.starts_with("iou-sqp")).collect();
        assert!(polling.is_empty(), "{polling:?}");
        // What the kernel says of each ring: -1 stands for no thread.
        for ring in descriptors_named("[io_uring]") {
            let text = fs::read_to_string(format!("/proc/self/fdinfo/{ring}")).expect("it is ours");
            if let Some(thread) = text.lines().find_map(|line| line.strip_prefix("SqThread:")) {
                assert_eq!(thread.trim(), "-1", "{text}");
            }
        }
        drop(runtime);
    });
}

/// Writes to peers that are gone, by every way of writing there is.
fn write_to_the_gone(runtime: &Runtime) {
    runtime.block_on(async {
        let (mut stream, peer) = connected().await;
        drop(peer);
        let mut refused = 0;
        for _ in 0..100 {
            let Err(error) = stream.write_all(&[0; 4096]).await else {
                continue;
            };
            let kinds = [ErrorKind::BrokenPipe, ErrorKind::ConnectionReset];
            assert!(kinds.contains(&error.kind()), "{error}");
            refused += 1;
        }
        assert!(refused > 0, "the peer was there to the end");
        let (mut one, other) = UnixStream::pair().expect("a pair can be made");
        drop(other);
        let error = one.write_all(b"!").await.expect_err("nobody reads");
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        // The ring's own send: the writer waits for room when the peer goes.
        let (mut one, other) = UnixStream::pair().expect("a pair can be made");
        let writing = annulus::spawn(async move { one.write_all(&vec![0; 16 << 20]).await });
        turns().await;
        drop(other);
        let written = writing.await.expect("it ends well");
        written.expect_err("nobody reads");
    });
}

#[test]
fn a_program_with_sigpipe_at_its_default_survives_peers_that_reset() {
    in_child(
        "a_program_with_sigpipe_at_its_default_survives_peers_that_reset",
        || {
            // Not what std makes of it: what a program in another language has.
            // SAFETY: SIG_DFL is no code of ours.
            unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
            for_each_runtime(|name, runtime| {
                println!("{name}");
                write_to_the_gone(runtime);
            });
        },
    );
}

#[test]
fn what_is_emulated_takes_the_restriction_as_met() {
    let _serial = serial();
    let runtime = Builder::new_current_thread()
        .enable_all()
        .kernel(annulus::runtime::KernelKind::Emulated)
        .restrict()
        .build()
        .expect("there is no ring to restrict");
    runtime.block_on(a_bit_of_everything());
}
