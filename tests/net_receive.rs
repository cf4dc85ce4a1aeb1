//! Streams that receive by operations of their own: where the bytes of dropped reads are, and who
//! may have the descriptor meanwhile. In base mode the same holds, and is easy.

use std::io::{ErrorKind, Write};
use std::os::fd::{AsFd, AsRawFd};

use annulus::io::{AsyncReadExt, AsyncWriteExt, Interest};
use annulus::net::{TcpListener, TcpStream};
use annulus_tests::{connected, for_each_runtime, on_a_machine, settled, turns};

annulus::sim_install!();

/// A connected pair, both of them ours.
async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let addr = listener.local_addr().expect("bound");
    let client = TcpStream::connect(addr).await.expect("connect");
    let (server, peer) = listener.accept().await.expect("accept");
    assert_eq!(peer, client.local_addr().expect("connected"));
    (client, server)
}

#[test]
fn a_dropped_read_hands_its_stream_to_std_with_every_byte_or_not_at_all() {
    if !on_a_machine("std reads from the socket, and finds none") {
        return;
    }
    for_each_runtime(|name, runtime| {
        runtime.block_on(async {
            let (mut stream, mut peer) = connected().await;
            // 1. Hot mode is entered: the first waits of a runtime find the pool not made yet.
            for _ in 0..8 {
                let mut buf = [0; 1];
                let mut read = Box::pin(stream.read_exact(&mut buf));
                assert!(futures::poll!(read.as_mut()).is_pending(), "{name}");
                annulus::task::yield_now().await;
                peer.write_all(b"x").expect("write");
                read.await.expect("read");
            }
            // 2. A read is dropped, and its receive is in flight in hot mode.
            let mut buf = [0; 8];
            let mut read = Box::pin(stream.read(&mut buf));
            assert!(futures::poll!(read.as_mut()).is_pending(), "{name}");
            drop(read);
            // 3. Nothing has come: on its own worker the stream cancels it and becomes std's.
            match stream.into_std() {
                Ok(stream) => {
                    peer.write_all(b"later").expect("write");
                    stream.set_nonblocking(false).expect("blocking");
                    let mut buf = [0; 5];
                    std::io::Read::read_exact(&mut &stream, &mut buf).expect("every byte");
                }
                Err(error) => {
                    // block_on of a multi_thread runtime is not the stream's home.
                    assert!(name.starts_with("multi_thread"), "{name}: {error}");
                    assert!(name.ends_with("hot"), "{name}: {error}");
                }
            }
        });
    });
}

#[test]
fn whoever_has_the_descriptor_finds_every_byte_in_the_kernel() {
    for_each_runtime(|name, runtime| {
        runtime.block_on(async {
            let (mut stream, mut peer) = connected().await;
            let mut buf = [0; 1];
            assert!(stream.as_fd().as_raw_fd() > 0, "pinned from here on");
            let before = annulus::stats().hot_recv_bytes;
            for _ in 0..8 {
                let mut read = Box::pin(stream.read_exact(&mut buf));
                assert!(futures::poll!(read.as_mut()).is_pending(), "{name}");
                annulus::task::yield_now().await;
                peer.write_all(b"x").expect("write");
                read.await.expect("read");
            }
            assert_eq!(annulus::stats().hot_recv_bytes, before, "{name}");
        });
    });
}

#[test]
fn a_user_call_does_not_overtake_bytes_that_a_dropped_read_has_left() {
    if !on_a_machine("the C library makes the call, and finds no socket") {
        return;
    }
    for_each_runtime(|name, runtime| {
        runtime.block_on(async {
            let (mut stream, mut peer) = connected().await;
            // 1. Reads that wait, until one of them is served by a receive in hot mode.
            let hot = || annulus::stats().hot_recv_bytes;
            let before = hot();
            for _ in 0..8 {
                let mut buf = [0; 1];
                let mut read = Box::pin(stream.read_exact(&mut buf));
                assert!(futures::poll!(read.as_mut()).is_pending(), "{name}");
                annulus::task::yield_now().await;
                peer.write_all(b"x").expect("write");
                read.await.expect("read");
            }
            let is_hot = hot() > before;
            // 2. A read is dropped; then its bytes arrive.
            let mut buf = [0; 8];
            let mut read = Box::pin(stream.read(&mut buf));
            assert!(futures::poll!(read.as_mut()).is_pending(), "{name}");
            turns().await;
            drop(read);
            let before = hot();
            peer.write_all(b"late").expect("write");
            // 3. A call on the descriptor finds them there, or is told where they are.
            let socket = {
                let fd = stream.as_raw_fd();
                move |buf: &mut [u8]| {
                    // SAFETY: the descriptor is open, and the buffer as long as said.
                    let len = unsafe { libc::recv(fd, buf.as_mut_ptr().cast(), buf.len(), 0) };
                    usize::try_from(len).map_err(|_| std::io::Error::last_os_error())
                }
            };
            if is_hot {
                settled("the receive lands", || hot() > before).await;
                let call = stream
                    .async_io(Interest::READABLE, || socket(&mut [0; 8]))
                    .await;
                assert_eq!(call.unwrap_err().kind(), ErrorKind::Other, "{name}");
                assert_eq!(stream.try_read(&mut buf).expect("left"), 4);
                assert_eq!(&buf[..4], b"late");
                peer.write_all(b"next").expect("write");
            }
            let call = stream
                .async_io(Interest::READABLE, || socket(&mut [0; 8]))
                .await;
            assert_eq!(call.expect("in the kernel"), 4, "{name}");
        });
    });
}

#[test]
fn streams_that_hold_every_buffer_slow_nobody_down() {
    /// More than a home has buffers for.
    const STREAMS: usize = 400;
    for_each_runtime(|name, runtime| {
        let before = annulus::stats().enobufs;
        let streams = runtime.spawn(async {
            let mut streams = Vec::new();
            for _ in 0..STREAMS {
                streams.push(pair().await);
            }
            // 1. Each stream waits to be read, and its read is dropped.
            for (stream, _) in &mut streams {
                for _ in 0..2 {
                    let mut buf = [0; 8];
                    let mut read = Box::pin(stream.read(&mut buf));
                    assert!(futures::poll!(read.as_mut()).is_pending());
                    drop(read);
                    annulus::task::yield_now().await;
                }
            }
            // 2. Bytes arrive for all: in hot mode they take every buffer.
            for (_, peer) in &mut streams {
                peer.write_all(b"all of it").await.expect("write");
            }
            turns().await;
            // 3. Everything is there, in the order of the streams and against it.
            for (stream, peer) in streams.iter_mut().rev() {
                let mut buf = [0; 9];
                stream.read_exact(&mut buf).await.expect("read");
                assert_eq!(&buf, b"all of it");
                // 4. And the stream goes on.
                peer.write_all(b"more").await.expect("write");
                stream.read_exact(&mut buf[..4]).await.expect("read");
                assert_eq!(&buf[..4], b"more");
            }
        });
        runtime.block_on(streams).expect("no byte is lost");
        let enobufs = annulus::stats().enobufs - before;
        println!("{name}: {enobufs} receives found no buffer");
        // With several workers the streams may be of several homes, which have buffers each.
        match name {
            "current_thread, hot" => assert!(enobufs > 0, "the pool was not exhausted"),
            "multi_thread, hot" => {}
            _ => assert_eq!(enobufs, 0, "{name}"),
        }
    });
}
