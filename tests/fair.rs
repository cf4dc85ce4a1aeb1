//! P11 and P12: floods do not starve a ping; where receive buffers run out nobody is closed and no
//! byte is lost.

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use annulus::io::{AsyncReadExt, AsyncWriteExt};
use annulus::net::{TcpListener, TcpStream};
use annulus::runtime::RecvMode;
use annulus_tests::{
    current_thread, for_each_runtime, multi_thread, nothing_in_flight, serial, stress, turns,
};

/// Connections that send all they can.
const FLOODS: usize = 64;
/// Pings of a full run.
const PINGS: u64 = 2000;
/// What all floods together may move while a ping is under way, at the median: two rounds of what
/// a task moves before it gives way, which is 128 KiB and the read that goes beyond.
const BYTES_PER_PING_MAX: u64 = 2 * FLOODS as u64 * (256 << 10);
/// Connections to a ring of eight buffers, and how many of them keep theirs.
const STREAMS: usize = 64;
const HOGS: usize = 16;
/// Bytes that each of them gets in a full run; a hog gets no more than fits its socket.
const STREAM_BYTES: u64 = 4 << 20;
const HOG_BYTES: usize = 16 << 10;

#[test]
fn floods_do_not_starve_a_ping() {
    for_each_runtime(|name, runtime| {
        let flows: Arc<[AtomicU64]> = (0..FLOODS).map(|_| AtomicU64::new(0)).collect();
        let over = Arc::new(AtomicBool::new(false));
        let address = runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("it binds");
            let address = listener.local_addr().expect("it is bound");
            annulus::spawn(take_floods(listener, flows.clone()));
            address
        });
        // 1. The floods begin, and run until the last ping has come back.
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let over = over.clone();
                thread::spawn(move || flood(address, FLOODS / 2, &over))
            })
            .collect();
        let seen = flows.clone();
        let pinging = thread::spawn(move || ping(address, stress(PINGS), &seen));
        let join = async { annulus::task::spawn_blocking(move || pinging.join()).await };
        let (mut times, mut moved) = runtime
            .block_on(join)
            .expect("it ends")
            .expect("every ping comes back");
        // 2. Each flood has got on.
        runtime.block_on(annulus_tests::settled("every flood gets on", || {
            flows.iter().all(|bytes| bytes.load(Relaxed) > 0)
        }));
        over.store(true, Relaxed);
        for thread in threads {
            thread.join().expect("it ends");
        }
        times.sort_unstable();
        moved.sort_unstable();
        let moved = moved[moved.len() / 2];
        let bytes = || flows.iter().map(|bytes| bytes.load(Relaxed) >> 10);
        println!(
            "{name}: {} pings, p50 {:?}, p99 {:?}, {} KiB meanwhile; floods of {} to {} KiB",
            times.len(),
            times[times.len() / 2],
            times[times.len() * 99 / 100],
            moved >> 10,
            bytes().min().unwrap_or_default(),
            bytes().max().unwrap_or_default(),
        );
        assert_eq!(times.len() as u64, stress(PINGS));
        assert!(
            moved <= BYTES_PER_PING_MAX,
            "{moved} bytes while a ping waits"
        );
    });
}

/// What begins with `F` is a flood; anything else is echoed.
async fn take_floods(listener: TcpListener, flows: Arc<[AtomicU64]>) {
    let next = Arc::new(AtomicU64::new(0));
    while let Ok((mut stream, _)) = listener.accept().await {
        let (flows, next) = (flows.clone(), next.clone());
        annulus::spawn(async move {
            let mut buf = vec![0; 16 << 10];
            let mut flow = None;
            while let Ok(len @ 1..) = stream.read(&mut buf).await {
                if buf[0] == b'F' {
                    let flow = flow.get_or_insert_with(|| next.fetch_add(1, Relaxed));
                    flows[*flow as usize].fetch_add(len as u64, Relaxed);
                } else if stream.write_all(&buf[..len]).await.is_err() {
                    return;
                }
            }
        });
    }
}

fn flood(address: SocketAddr, count: usize, over: &AtomicBool) {
    let bytes = vec![b'F'; 64 << 10];
    let connect = |_| {
        let stream = std::net::TcpStream::connect(address).expect("it listens");
        stream.set_nonblocking(true).expect("a socket can be");
        stream
    };
    let mut streams: Vec<_> = (0..count).map(connect).collect();
    while !over.load(Relaxed) {
        let mut wrote = false;
        for stream in &mut streams {
            match stream.write(&bytes) {
                Ok(len) => wrote |= len > 0,
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}"),
            }
        }
        if !wrote {
            thread::sleep(Duration::from_micros(100));
        }
    }
}

/// How long each ping took, and what the floods moved meanwhile.
fn ping(address: SocketAddr, count: u64, flows: &[AtomicU64]) -> (Vec<Duration>, Vec<u64>) {
    let mut stream = std::net::TcpStream::connect(address).expect("it listens");
    stream.set_nodelay(true).expect("TCP knows its option");
    let patience = Some(Duration::from_secs(30));
    stream.set_read_timeout(patience).expect("30 s is one");
    let bytes = || -> u64 { flows.iter().map(|flow| flow.load(Relaxed)).sum() };
    let once = |_| {
        let (start, before) = (Instant::now(), bytes());
        stream.write_all(b"p").expect("it is read");
        stream.read_exact(&mut [0]).expect("it comes back");
        (start.elapsed(), bytes() - before)
    };
    (0..count).map(once).unzip()
}

#[test]
fn where_buffers_run_out_nobody_is_closed_and_no_byte_is_lost() {
    let _serial = serial();
    for mut builder in [current_thread(RecvMode::Hot), multi_thread(RecvMode::Hot)] {
        let before = annulus::stats();
        let runtime = builder.recv_buffers(8).build().expect("it builds");
        runtime.block_on(async {
            annulus::spawn(starving()).await.expect("it ends well");
        });
        drop(runtime);
        nothing_in_flight("eight buffers");
        let stats = annulus::stats();
        let (starved, received) = (
            stats.enobufs - before.enobufs,
            stats.hot_recv_bytes - before.hot_recv_bytes,
        );
        println!("{starved} receives found no buffer, others brought {received} bytes");
        assert!(starved > 0 && received > 0, "the buffers never ran out");
    }
}

async fn starving() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("it binds");
    let address = listener.local_addr().expect("it is bound");
    let mut peers = Vec::new();
    let mut streams = Vec::new();
    for _ in 0..STREAMS {
        let stream = TcpStream::connect(address).await.expect("it listens");
        peers.push(listener.accept().expect("it is in the backlog").0);
        streams.push(stream);
    }
    let mut readers = streams.split_off(HOGS);
    let mut hogs = streams;
    // 1. Each stream begins a receive and forgets it; the first ones only make the pool.
    for _ in 0..3 {
        for stream in hogs.iter_mut().chain(&mut readers) {
            let mut buf = [0; 4096];
            let read = stream.read(&mut buf);
            assert!(futures::future::poll_immediate(read).await.is_none());
        }
        turns().await;
    }
    // 2. Bytes come to all. Those of the hogs stay in the buffers.
    let sending = thread::spawn(move || send_numbered(peers));
    let total = stress(STREAM_BYTES) as usize;
    let reading: Vec<_> = readers
        .into_iter()
        .map(|stream| annulus::spawn(read_numbered(stream, total)))
        .collect();
    for reader in reading {
        reader.await.expect("it loses nothing");
    }
    // 3. The hogs have lost nothing, either.
    for hog in hogs {
        read_numbered(hog, HOG_BYTES).await;
    }
    sending.join().expect("everything was read");
}

fn number(place: usize) -> u8 {
    (place % 251) as u8
}

fn send_numbered(mut peers: Vec<std::net::TcpStream>) {
    let total = stress(STREAM_BYTES) as usize;
    let bytes: Vec<u8> = (0..total.max(HOG_BYTES)).map(number).collect();
    for piece in (0..total.max(HOG_BYTES)).step_by(1000) {
        for (index, peer) in peers.iter_mut().enumerate() {
            let total = if index < HOGS { HOG_BYTES } else { total };
            let end = total.min(piece + 1000);
            if piece < end {
                peer.write_all(&bytes[piece..end]).expect("it is read");
            }
        }
    }
}

/// Reads to the end, which comes behind `total` bytes.
async fn read_numbered(mut stream: TcpStream, total: usize) {
    let mut place = 0;
    let mut buf = [0; 1500];
    loop {
        let len = stream.read(&mut buf).await.expect("nobody is closed");
        if len == 0 {
            break;
        }
        for byte in &buf[..len] {
            assert_eq!(*byte, number(place), "at {place}");
            place += 1;
        }
    }
    assert_eq!(place, total, "bytes were lost");
}
