//! P4: the kernel never writes to freed memory.
//!
//! Every block that is freed in this process is kept, filled with a pattern, and checked.

use std::io::{Read, Write};
use std::net::TcpListener as StdListener;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use annulus::fs::OpenOptions;
use annulus::io::AsyncReadExt;
use annulus::net::TcpStream;
use annulus::runtime::{RecvMode, Runtime};
use annulus::uring::{read_at, recv, send_zc};
use annulus_tests::{
    Quarantine, Random, Throttle, aside, connected, current_thread, is_simulated, multi_thread,
    nothing_in_flight, on_a_machine, serial, settled, since, skip, stress, turns,
};

annulus::sim_install!();

#[global_allocator]
static HEAP: Quarantine = Quarantine::new(256 << 20);

/// Runtimes of a full run dropped with socket reads in flight, and with direct disk reads.
const WITH_SOCKETS: u64 = 1000;
const WITH_DISK: u64 = 100;
/// Zero-copy sends of a full run.
const SENDS: u64 = 5000;

/// Each flavour in each receive mode, in turn.
fn runtime(round: u64) -> Runtime {
    let mode = [RecvMode::Base, RecvMode::Hot][(round / 2 % 2) as usize];
    let mut builder = match round % 2 {
        0 => current_thread(mode),
        _ => multi_thread(mode),
    };
    builder.build().expect("the runtime builds")
}

/// A stream, a second descriptor of its socket, and the peer: the second keeps the socket open,
/// and a read that stands in it could still complete.
fn with_second() -> (TcpStream, std::net::TcpStream, std::net::TcpStream) {
    let listener = StdListener::bind("127.0.0.1:0").expect("loopback binds");
    let address = listener.local_addr().expect("it is bound");
    let stream = std::net::TcpStream::connect(address).expect("loopback connects");
    let second = stream.try_clone().expect("a descriptor can be duplicated");
    let (peer, _) = listener.accept().expect("the connection is in the backlog");
    stream
        .set_nonblocking(true)
        .expect("a socket can be non-blocking");
    let stream = TcpStream::from_std(stream).expect("a runtime is in context");
    (stream, second, peer)
}

#[test]
fn a_runtime_dropped_with_socket_reads_in_flight_takes_them_back() {
    const STREAMS: usize = 4;
    if !on_a_machine("std reads from the socket, and finds none") {
        return;
    }
    let _serial = serial();
    let count = stress(WITH_SOCKETS);
    let mut in_flight = 0;
    for round in 0..count {
        // 1. Reads by the traits and with owned buffers wait in the ring.
        let runtime = runtime(round);
        let sockets = runtime.block_on(runtime.spawn(async {
            let mut sockets = Vec::new();
            for index in 0..STREAMS {
                let (mut stream, second, peer) = with_second();
                drop(annulus::spawn(async move {
                    if index % 2 == 0 {
                        drop(recv(&stream, vec![0; 4096]).await);
                    } else {
                        drop(stream.read(&mut vec![0; 4096]).await);
                    }
                }));
                sockets.push((second, peer));
            }
            // The workers tell how many there are whenever they have looked at their rings.
            settled("the reads wait in the ring", || {
                annulus::stats().ops_in_flight >= STREAMS as u64
            })
            .await;
            sockets
        }));
        let sockets = sockets.expect("it does not panic");
        in_flight += annulus::stats().ops_in_flight;
        // 2. The runtime goes, and their memory with it.
        drop(runtime);
        nothing_in_flight("reads");
        // 3. Now bytes come. A read left behind would take them; all of them are in the socket.
        for (mut second, mut peer) in sockets {
            peer.write_all(&[0x11; 2048])
                .expect("the buffer takes 2 KiB");
            drop(peer);
            second
                .set_nonblocking(false)
                .expect("a socket can be blocking");
            let mut bytes = Vec::new();
            second
                .read_to_end(&mut bytes)
                .expect("the peer has written");
            assert_eq!(
                bytes, [0x11; 2048],
                "round {round}: a read outlived its runtime"
            );
        }
    }
    let changed = HEAP.changed();
    println!("{count} runtimes, {in_flight} operations in flight: {changed} blocks changed");
    assert_eq!(changed, 0);
    assert!(in_flight >= count * STREAMS as u64);
}

#[test]
fn a_runtime_dropped_with_direct_disk_reads_in_flight_waits_for_them() {
    const READS: u64 = 2;
    const READ_BYTES: usize = 64 << 10;
    if !on_a_machine("it is about a real disk") {
        return;
    }
    let _serial = serial();
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a temporary folder");
    let path = folder.path().join("file");
    let mut file = std::fs::File::create(&path).expect("a temporary file");
    file.write_all(&vec![0x22; READ_BYTES * READS as usize])
        .expect("the disk has room");
    file.sync_all().expect("the disk takes it");
    // The block layer keeps each read for about 60 ms.
    let throttle = match Throttle::reads(&path, 1 << 20) {
        Ok(throttle) => throttle,
        Err(error) => return skip(&error.to_string()),
    };
    let count = stress(WITH_DISK);
    let mut in_flight = 0;
    for round in 0..count {
        // 1. Reads have reached the block layer, which cannot give them back.
        let runtime = runtime(round);
        let path = path.clone();
        let reading = runtime.spawn(async move {
            let mut options = OpenOptions::new();
            options.read(true).custom_flags(libc::O_DIRECT);
            let file = std::sync::Arc::new(options.open(&path).await.expect("it is there"));
            for index in 0..READS {
                let file = file.clone();
                drop(annulus::spawn(async move {
                    let buf = Vec::with_capacity(READ_BYTES);
                    read_at(&file, buf, index * READ_BYTES as u64)
                        .await
                        .0
                        .expect("it reads")
                }));
            }
            turns().await;
        });
        runtime.block_on(reading).expect("it does not panic");
        in_flight += annulus::stats().ops_in_flight;
        // 2. The runtime goes; the disk writes into its buffers for as long as it is not done.
        drop(runtime);
        nothing_in_flight("direct reads");
    }
    // 3. Whatever was left behind has arrived when a later read of the same disk has.
    throttle.limit(0).expect("the limit is ours");
    read_direct(&path);
    let changed = HEAP.changed();
    println!("{count} runtimes, {in_flight} operations in flight: {changed} blocks changed");
    assert_eq!(changed, 0);
    assert!(
        in_flight >= count,
        "{in_flight} operations were in flight, {count} wanted"
    );
}

/// Reads the file past the page cache.
fn read_direct(path: &Path) {
    let mut options = std::fs::OpenOptions::new();
    let mut file = options
        .read(true)
        .custom_flags(libc::O_DIRECT)
        .open(path)
        .expect("it is there");
    let mut buf = vec![0; 64 << 10];
    file.read_exact(&mut buf).expect("it reads");
}

#[test]
fn a_zero_copy_buffer_that_nobody_waits_for_is_sent_whole() {
    const SEND_BYTES: usize = 32 << 10;
    if !since(6, 0, "there is no send_zc") {
        return;
    }
    let _serial = serial();
    let mut random = Random::new("when the buffer goes");
    let count = stress(SENDS);
    let (mut before_notification, mut done) = (0, 0);
    let mut round = 0;
    while done < count {
        let runtime = runtime(round);
        round += 1;
        let sends = 16.min(count - done);
        done += sends;
        let drop_early = random.below(2) == 0;
        let (stream, peer) = runtime.block_on(connected());
        // 1. The receiver looks at every byte, and is slow to.
        let receiver = aside(runtime.handle(), move || {
            let mut peer = peer;
            let mut bytes = vec![0; 4096];
            let mut at = 0;
            loop {
                let read = peer.read(&mut bytes).expect("the connection stands");
                if read == 0 {
                    return at;
                }
                for byte in &bytes[..read] {
                    assert_eq!(*byte, (at / SEND_BYTES) as u8 + 1, "byte {at}");
                    at += 1;
                }
            }
        });
        let sending = runtime.spawn(async move {
            let (mut sent, mut waiting) = (0, 0);
            for index in 0..sends {
                let mut buf = vec![index as u8 + 1; SEND_BYTES];
                while !buf.is_empty() {
                    let (result, zc) = send_zc(&stream, buf).await;
                    let written = result.expect("the connection stands");
                    sent += written;
                    // 2. The buffer is dropped before or after its notification: what is freed
                    //    too early is filled with the quarantine's pattern, and sent so.
                    if drop_early && written == SEND_BYTES {
                        let mut zc = Box::pin(zc);
                        waiting += u64::from(futures::poll!(zc.as_mut()).is_pending());
                        break;
                    }
                    buf = zc.await;
                    buf.drain(..written);
                }
            }
            (sent, waiting)
        });
        let (sent, waiting) = runtime.block_on(sending).expect("it does not panic");
        before_notification += waiting;
        if is_simulated() {
            // It is the runtime's.
            assert_eq!(receiver.join().expect("every byte is right"), sent);
            drop(runtime);
        } else {
            drop(runtime);
            assert_eq!(receiver.join().expect("every byte is right"), sent);
        }
        nothing_in_flight("send_zc");
    }
    let changed = HEAP.changed();
    println!("{done} sends, {before_notification} buffers dropped before their notification");
    assert_eq!(changed, 0);
}
