//! TCP under tokio's API: what a stream and a listener do, in base and in hot mode.

use std::io::{ErrorKind, IoSlice, IoSliceMut, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::sync::Arc;
use std::time::Duration;

use annulus::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt, Interest};
use annulus::net::{TcpListener, TcpSocket, TcpStream, lookup_host};
use annulus_tests::{connected, current_thread, for_each_runtime, on_a_machine, serial};

annulus::sim_install!();

type Result<T = ()> = std::io::Result<T>;

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
fn requests_and_responses_pass_in_both_modes() {
    for_each_runtime(|name, runtime| {
        let hot_before = annulus::stats().hot_recv_bytes;
        runtime.block_on(async {
            let (mut client, mut server) = pair().await;
            let echo = annulus::spawn(async move {
                let mut buf = [0; 256];
                loop {
                    let len = server.read(&mut buf).await?;
                    if len == 0 {
                        return Result::Ok(());
                    }
                    server.write_all(&buf[..len]).await?;
                }
            });
            for round in 0..200_u32 {
                let request = round.to_ne_bytes();
                client.write_all(&request).await.expect("request");
                let mut response = [0; 4];
                client.read_exact(&mut response).await.expect("response");
                assert_eq!(response, request);
            }
            client.shutdown().await.expect("shutdown");
            assert_eq!(client.read(&mut [0; 8]).await.expect("end"), 0);
            echo.await.expect("no panic").expect("no error");
        });
        let hot = annulus::stats().hot_recv_bytes - hot_before;
        println!("{name}: {hot} bytes came from RECV completions");
        assert_eq!(name.ends_with("hot"), hot > 0, "{name}");
    });
}

#[test]
fn a_large_transfer_arrives_whole_and_in_order() {
    const BYTES: usize = 8 << 20;
    for_each_runtime(|name, runtime| {
        runtime.block_on(async {
            let (mut client, mut server) = pair().await;
            let data: Vec<u8> = (0..BYTES).map(|at| (at % 251) as u8).collect();
            let sent = data.clone();
            let writer = annulus::spawn(async move {
                client.write_all(&sent).await.expect("write");
                client.shutdown().await.expect("shutdown");
                client
            });
            let mut received = Vec::new();
            server.read_to_end(&mut received).await.expect("read");
            assert!(received == data, "{name}: {} bytes", received.len());
            writer.await.expect("no panic");
        });
    });
}

#[test]
fn readiness_is_reported_once_it_is_there_and_taken_back_by_would_block() {
    for_each_runtime(|name, runtime| {
        runtime.block_on(async {
            let (stream, mut peer) = connected().await;
            let mut readable = Box::pin(stream.readable());
            assert!(futures::poll!(readable.as_mut()).is_pending(), "{name}");
            assert_eq!(
                stream.try_read(&mut [0; 8]).unwrap_err().kind(),
                ErrorKind::WouldBlock
            );
            peer.write_all(b"ready").expect("write");
            readable.await.expect("readable");
            let mut buf = [0; 8];
            assert_eq!(stream.try_read(&mut buf).expect("ready"), 5);
            assert_eq!(
                stream.try_read(&mut buf).unwrap_err().kind(),
                ErrorKind::WouldBlock
            );
            let mut readable = Box::pin(stream.readable());
            assert!(futures::poll!(readable.as_mut()).is_pending(), "{name}");
            assert!(
                stream
                    .ready(Interest::WRITABLE)
                    .await
                    .expect("room")
                    .is_writable()
            );
        });
    });
}

#[test]
fn several_tasks_wait_for_the_same_readiness() {
    for_each_runtime(|_, runtime| {
        runtime.block_on(async {
            let (stream, mut peer) = connected().await;
            let stream = Arc::new(stream);
            let waiters: Vec<_> = (0..40)
                .map(|_| {
                    let stream = Arc::clone(&stream);
                    annulus::spawn(async move { stream.readable().await })
                })
                .collect();
            annulus::task::yield_now().await;
            peer.write_all(b"x").expect("write");
            for waiter in waiters {
                waiter.await.expect("no panic").expect("readable");
            }
        });
    });
}

#[test]
fn a_full_buffer_makes_a_writer_wait_until_the_peer_reads() {
    for_each_runtime(|name, runtime| {
        runtime.block_on(async {
            let (client, mut server) = pair().await;
            let chunk = [7; 4096];
            let mut written = 0;
            while let Ok(len) = client.try_write(&chunk) {
                written += len;
            }
            let mut writable = Box::pin(client.writable());
            assert!(futures::poll!(writable.as_mut()).is_pending(), "{name}");
            let mut rest = vec![0; written];
            server.read_exact(&mut rest).await.expect("read");
            writable.await.expect("room again");
            client.try_write(&chunk).expect("room again");
        });
    });
}

#[test]
fn a_reset_wakes_the_reader_and_the_writer() {
    for_each_runtime(|name, runtime| {
        runtime.block_on(async {
            let (client, server) = pair().await;
            while client.try_write(&[0; 4096]).is_ok() {}
            let (mut reader, mut writer) = client.into_split();
            let read = annulus::spawn(async move { reader.read(&mut [0; 8]).await });
            let write = annulus::spawn(async move { writer.write_all(&[0; 1 << 20]).await });
            annulus::task::yield_now().await;
            server.set_zero_linger().expect("linger");
            drop(server);
            // The error is told once: to one side as such, to the other as the end.
            let read = read.await.expect("no panic").map_err(|error| error.kind());
            let write = write.await.expect("no panic").unwrap_err().kind();
            assert!(
                matches!(read, Ok(0) | Err(ErrorKind::ConnectionReset)),
                "{name}: {read:?}"
            );
            assert!(
                matches!(write, ErrorKind::ConnectionReset | ErrorKind::BrokenPipe),
                "{name}: {write}"
            );
        });
    });
}

#[test]
fn peeked_bytes_are_read_again() {
    for_each_runtime(|_, runtime| {
        runtime.block_on(async {
            let (mut client, mut server) = pair().await;
            client.write_all(b"peek").await.expect("write");
            let mut buf = [0; 8];
            assert_eq!(server.peek(&mut buf).await.expect("peek"), 4);
            assert_eq!(server.peek(&mut buf[..2]).await.expect("peek"), 2);
            assert_eq!(server.read(&mut buf).await.expect("read"), 4);
            assert_eq!(&buf[..4], b"peek");
        });
    });
}

#[test]
fn vectored_calls_keep_the_order_of_their_buffers() {
    for_each_runtime(|_, runtime| {
        runtime.block_on(async {
            let (mut client, server) = pair().await;
            assert!(client.is_write_vectored());
            let parts = [
                IoSlice::new(b"one "),
                IoSlice::new(b"two "),
                IoSlice::new(b"three"),
            ];
            assert_eq!(client.write_vectored(&parts).await.expect("write"), 13);
            // Where packets take a while, no byte need have come yet.
            assert_eq!(server.peek(&mut [0; 16]).await.expect("peek"), 13);
            let (mut first, mut second) = ([0; 5], [0; 16]);
            let mut bufs = [IoSliceMut::new(&mut first), IoSliceMut::new(&mut second)];
            assert_eq!(server.try_read_vectored(&mut bufs).expect("ready"), 13);
            assert_eq!((&first, &second[..8]), (b"one t", &b"wo three"[..]));
        });
    });
}

#[test]
fn halves_work_in_two_tasks_and_become_one_again() {
    for_each_runtime(|_, runtime| {
        runtime.block_on(async {
            let (client, server) = pair().await;
            let (mut reader, mut writer) = client.into_split();
            let (mut server_reader, server_writer) = server.into_split();
            let echo = annulus::spawn(async move {
                let mut server_writer = server_writer;
                annulus::io::copy(&mut server_reader, &mut server_writer).await
            });
            let writing = annulus::spawn(async move {
                writer.write_all(&[3; 100_000]).await.expect("write");
                writer
            });
            let mut back = vec![0; 100_000];
            reader.read_exact(&mut back).await.expect("read");
            let writer = writing.await.expect("no panic");
            let (other, _other_peer) = pair().await;
            let (other_reader, other_writer) = other.into_split();
            let error = reader.reunite(other_writer).unwrap_err();
            let (reader, other_writer) = (error.0, error.1);
            other_reader.reunite(other_writer).expect("of one stream");
            let stream = reader.reunite(writer).expect("of one stream");
            // Dropping the write half, not the stream, ends the write direction.
            let (mut reader, writer) = stream.into_split();
            drop(writer);
            assert_eq!(echo.await.expect("no panic").expect("no error"), 100_000);
            assert_eq!(reader.read(&mut [0; 8]).await.expect("end"), 0);
        });
    });
}

#[test]
fn borrowed_halves_read_and_write_at_once() {
    for_each_runtime(|_, runtime| {
        runtime.block_on(async {
            let (mut client, mut server) = pair().await;
            let (mut reader, mut writer) = client.split();
            writer.write_all(b"ping").await.expect("write");
            let mut buf = [0; 4];
            server.read_exact(&mut buf).await.expect("read");
            server.write_all(&buf).await.expect("write");
            reader.read_exact(&mut buf).await.expect("read");
            assert_eq!(&buf, b"ping");
        });
    });
}

#[test]
fn a_connection_that_nobody_accepts_is_refused() {
    for_each_runtime(|_, runtime| {
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
            let addr = listener.local_addr().expect("bound");
            drop(listener);
            let error = TcpStream::connect(addr).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        });
    });
}

#[test]
fn names_and_literals_are_resolved() {
    for_each_runtime(|_, runtime| {
        runtime.block_on(async {
            let listener = TcpListener::bind(("localhost", 0)).await.expect("bind");
            let port = listener.local_addr().expect("bound").port();
            TcpStream::connect(format!("localhost:{port}"))
                .await
                .expect("connect");
            let mut found = lookup_host("127.0.0.1:1").await.expect("literal");
            assert_eq!(found.next(), Some(([127, 0, 0, 1], 1).into()));
            let error = TcpStream::connect("no-port").await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
        });
    });
}

#[test]
fn a_used_address_is_refused_and_a_dropped_one_is_free() {
    for_each_runtime(|_, runtime| {
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
            let addr = listener.local_addr().expect("bound");
            let mut accept = Box::pin(listener.accept());
            assert!(futures::poll!(accept.as_mut()).is_pending());
            let error = TcpListener::bind(addr).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::AddrInUse);
            drop(accept);
            drop(listener);
            // Where the home is another thread, that one lets go of the poll within a moment.
            let bind = || async { TcpListener::bind(addr).await.is_ok() };
            while !bind().await {
                annulus::time::sleep(Duration::from_millis(1)).await;
            }
        });
    });
}

#[test]
fn options_are_what_they_were_set_to() {
    let _serial = serial();
    let runtime = current_thread(Default::default()).build().expect("build");
    runtime.block_on(async {
        let socket = TcpSocket::new_v4().expect("socket");
        socket.set_reuseaddr(true).expect("set");
        socket.set_keepalive(true).expect("set");
        socket.set_recv_buffer_size(16 << 10).expect("set");
        assert!(socket.reuseaddr().expect("get") && socket.keepalive().expect("get"));
        assert_eq!(socket.recv_buffer_size().expect("get"), 32 << 10);
        assert_eq!(socket.device().expect("get"), None);
        socket.bind(([127, 0, 0, 1], 0).into()).expect("bind");
        let listener = socket.listen(16).expect("listen");
        listener.set_ttl(33).expect("set");
        assert_eq!(listener.ttl().expect("get"), 33);
        let socket = TcpSocket::new_v4().expect("socket");
        let stream = socket.connect(listener.local_addr().expect("bound")).await;
        let stream = stream.expect("connect");
        stream.set_nodelay(true).expect("set");
        assert!(stream.nodelay().expect("get"));
        assert_eq!(stream.linger().expect("get"), None);
        stream.set_zero_linger().expect("set");
        assert_eq!(stream.linger().expect("get"), Some(Duration::ZERO));
        assert!(stream.take_error().expect("get").is_none());
    });
}

#[test]
fn std_streams_go_in_and_out() {
    for_each_runtime(|_, runtime| {
        runtime.block_on(async {
            let (client, mut server) = pair().await;
            let number = client.as_raw_fd();
            let client = client.into_std().expect("nothing is in flight");
            assert_eq!(client.as_raw_fd(), number);
            let mut client = TcpStream::try_from(client).expect("non-blocking");
            client.write_all(b"back").await.expect("write");
            let mut buf = [0; 4];
            server.read_exact(&mut buf).await.expect("read");
        });
    });
}

#[test]
fn user_calls_run_under_the_readiness_of_the_stream() {
    if !on_a_machine("std makes the call, and finds no socket") {
        return;
    }
    for_each_runtime(|_, runtime| {
        runtime.block_on(async {
            let (stream, mut peer) = connected().await;
            let socket = stream.as_fd().try_clone_to_owned().expect("dup");
            let mut socket = std::net::TcpStream::from(socket);
            let mut buf = [0; 4];
            let read = || std::io::Read::read(&mut socket, &mut buf);
            let mut waiting = Box::pin(stream.async_io(Interest::READABLE, read));
            assert!(futures::poll!(waiting.as_mut()).is_pending());
            peer.write_all(b"user").expect("write");
            assert_eq!(waiting.await.expect("read"), 4);
            assert_eq!(&buf, b"user");
        });
    });
}

#[test]
fn many_streams_move_between_workers_and_lose_nothing() {
    const STREAMS: u32 = 64;
    const ROUNDS: u32 = 100;
    for_each_runtime(|_, runtime| {
        let tasks: Vec<_> = (0..STREAMS)
            .map(|stream| {
                runtime.spawn(async move {
                    let (client, server) = pair().await;
                    let (mut from, mut to) = server.into_split();
                    let (mut reader, mut writer) = client.into_split();
                    // Each half in a task of its own: both directions are polled by whichever
                    // worker has the task.
                    let echo =
                        annulus::spawn(async move { annulus::io::copy(&mut from, &mut to).await });
                    let write = annulus::spawn(async move {
                        for round in 0..ROUNDS {
                            writer.write_u32(stream * ROUNDS + round).await?;
                            if round % 7 == 0 {
                                annulus::task::yield_now().await;
                            }
                        }
                        Result::Ok(())
                    });
                    for round in 0..ROUNDS {
                        let number = reader.read_u32().await.expect("echo");
                        assert_eq!(number, stream * ROUNDS + round);
                    }
                    write.await.expect("no panic").expect("write");
                    assert_eq!(reader.read(&mut [0; 8]).await.expect("end"), 0);
                    echo.await.expect("no panic").expect("echo");
                })
            })
            .collect();
        runtime.block_on(async {
            for task in tasks {
                task.await.expect("nothing is lost");
            }
        });
    });
}

#[test]
fn futures_of_the_api_can_move_between_threads() {
    fn send<T: Send>(_: &T) {}
    fn shared<T: Send + Sync + Unpin>() {}
    shared::<TcpStream>();
    shared::<TcpListener>();
    shared::<TcpSocket>();
    shared::<annulus::net::tcp::OwnedReadHalf>();
    shared::<annulus::net::tcp::OwnedWriteHalf>();
    send(&TcpStream::connect(("localhost", 1)));
    send(&TcpStream::connect("localhost:1"));
    send(&TcpListener::bind(String::from("localhost:1")));
    send(&async {
        let (mut stream, _) = pair().await;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let _ = listener.accept().await?;
        stream.ready(Interest::READABLE).await?;
        stream.async_io(Interest::READABLE, || Ok(())).await?;
        stream.peek(&mut [0; 8]).await?;
        stream.write_all(b"x").await
    });
}
