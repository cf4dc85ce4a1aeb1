//! Operations that own their buffers, and the connections of a multishot accept.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::OwnedFd;
use std::time::Duration;

use annulus::fs::File;
use annulus::io::{AsyncReadExt, AsyncWriteExt};
use annulus::net::{TcpListener, TcpStream, UdpSocket, UnixStream};
use annulus::runtime::{RecvMode, Runtime};
use annulus::uring::{Incoming, IoBuf, IoBufMut, recv, send, send_zc};
use annulus_tests::{
    Moment, Outcome, connected, connected_narrow, current_thread, drop_at, fd_limit, fill,
    for_each_runtime, in_child, kill_rings, nothing_in_flight, serial, settled, settled_blocking,
    turns,
};
use futures::{FutureExt, StreamExt};

/// Runs a test's body as a task on each flavour in each receive mode.
fn on_each_runtime<F>(body: impl Fn() -> F)
where
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    for_each_runtime(|name, runtime| {
        let result = runtime.block_on(runtime.spawn(body()));
        let result = result.unwrap_or_else(|panic| panic!("{name}: {panic}"));
        result.unwrap_or_else(|error| panic!("{name}: {error}"));
    });
}

fn numbered(len: usize) -> Vec<u8> {
    (0..len).map(|n| (n % 251) as u8).collect()
}

#[test]
fn a_receive_fills_the_buffer_that_it_was_given() {
    on_each_runtime(|| async {
        let (stream, mut peer) = connected().await;
        // 1. What is there already, and what comes later.
        peer.write_all(b"hello")?;
        let (n, buf) = recv(&stream, Vec::with_capacity(64)).await;
        assert_eq!((n?, &buf[..]), (5, &b"hello"[..]));
        let (received, ()) = futures::join!(recv(&stream, buf), async {
            settled("the buffer is lent", || annulus::stats().bytes_lent == 64).await;
            peer.write_all(b"world!").expect("the connection stands");
        });
        assert_eq!((received.0?, &received.1[..]), (6, &b"world!"[..]));
        // 2. A part of a buffer, and a box, which keeps its length.
        peer.write_all(b"abcdef")?;
        let (n, slice) = recv(&stream, vec![b'-'; 8].slice_mut(2..4)).await;
        assert_eq!((n?, slice.into_inner()), (2, b"--ab----".to_vec()));
        let (n, boxed) = recv(&stream, vec![b'-'; 6].into_boxed_slice()).await;
        assert_eq!((n?, &*boxed), (4, &b"cdef--"[..]));
        // 3. The end, again and again.
        drop(peer);
        for _ in 0..2 {
            assert_eq!(recv(&stream, vec![0; 8]).await.0?, 0);
        }
        Ok(())
    });
}

#[test]
fn bytes_of_a_dropped_receive_are_the_next_reads() {
    on_each_runtime(|| async {
        let (mut stream, mut peer) = connected().await;
        let mut late = 0;
        let mut buf = [0; 4];
        for round in 0..300 {
            // 1. Four bytes come for a receive that nobody waits for any more.
            let moment = [Moment::Unpublished, Moment::InFlight, Moment::Completed][round % 3];
            let message = (round as u32).to_le_bytes();
            let outcome = drop_at(moment, recv(&stream, vec![0; 64]), || {
                peer.write_all(&message).expect("the connection stands");
            });
            late += usize::from(matches!(outcome.await, Outcome::Woken));
            // 2. Each kind of read finds them, in order and once.
            match round % 5 {
                0 => stream.read_exact(&mut buf).await.map(drop)?,
                1 => {
                    while stream.peek(&mut buf).await? < 4 {}
                    stream.read_exact(&mut buf).await?;
                }
                2 => {
                    let (n, received) = recv(&stream, Vec::with_capacity(4)).await;
                    assert_eq!(n?, 4);
                    buf.copy_from_slice(&received);
                }
                3 => {
                    let mut filled = 0;
                    while filled < 4 {
                        stream.readable().await?;
                        match stream.try_read(&mut buf[filled..]) {
                            Ok(n) => filled += n,
                            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
                        }
                    }
                }
                _ => {
                    let (mut reader, _writer) = stream.split();
                    // Less than there is: the rest stays.
                    reader.read_exact(&mut buf[..1]).await?;
                    reader.read_exact(&mut buf[1..]).await?;
                }
            }
            assert_eq!(buf, message, "round {round}, {moment:?}");
        }
        assert!(
            late >= 50,
            "{late} receives had their bytes when they were dropped"
        );
        Ok(())
    });
}

#[test]
fn a_stream_with_bytes_of_a_dropped_receive_does_not_go_to_std() {
    on_each_runtime(|| async {
        let (stream, mut peer) = connected().await;
        let outcome = drop_at(Moment::Completed, recv(&stream, vec![0; 64]), || {
            peer.write_all(b"bytes").expect("the connection stands");
        });
        assert!(matches!(outcome.await, Outcome::Woken));
        let error = stream.into_std().expect_err("the bytes would be lost");
        assert!(error.to_string().contains("read them"), "{error}");
        // One that was cancelled is no obstacle.
        let (stream, mut peer) = connected().await;
        drop(drop_at(Moment::InFlight, recv(&stream, vec![0; 64]), || ()).await);
        settled("the receive has ended", || {
            annulus::stats().ops_in_flight == 0
        })
        .await;
        peer.write_all(b"bytes")?;
        let mut stream = stream.into_std()?;
        stream.set_nonblocking(false)?;
        stream.read_exact(&mut [0; 5])
    });
}

#[test]
fn a_send_is_what_the_peer_gets() {
    on_each_runtime(|| async {
        let (stream, mut peer) = connected().await;
        let (n, text) = send(&stream, "hello").await;
        assert_eq!((n?, text), (5, "hello"));
        let (n, _) = send(&stream, String::from("- world -").slice(1..7)).await;
        assert_eq!(n?, 6);
        let mut bytes = [0; 11];
        peer.read_exact(&mut bytes)?;
        assert_eq!(&bytes, b"hello world");
        assert_eq!(send(&stream, Vec::new()).await.0?, 0);
        // To one that is gone.
        drop(peer);
        let error = loop {
            if let (Err(error), buf) = send(&stream, vec![7; 3]).await {
                assert_eq!(buf, [7; 3], "the buffer comes back on error too");
                break error;
            }
        };
        assert!(matches!(
            error.kind(),
            ErrorKind::ConnectionReset | ErrorKind::BrokenPipe
        ));
        Ok(())
    });
}

#[test]
fn a_dropped_send_that_ended_short_poisons_the_stream_with_its_count() {
    const LEN: usize = 1 << 20;
    on_each_runtime(|| async {
        let mut poisoned = 0;
        for round in 0..30 {
            // 1. More than the buffers hold, to a peer that does not read.
            let (mut stream, mut peer) = connected_narrow();
            let moment = [Moment::Unpublished, Moment::InFlight][round % 2];
            let outcome = drop_at(moment, send(&stream, numbered(LEN)), || ()).await;
            if let Outcome::Ready((sent, _)) = outcome {
                assert!(sent? <= LEN);
                continue;
            }
            // 2. Every kind of write is told how much of it went.
            let mut said = Vec::new();
            said.push(
                stream
                    .write_all(b"after")
                    .await
                    .expect_err("the stream is poisoned"),
            );
            said.push(
                stream
                    .try_write(b"after")
                    .expect_err("the stream is poisoned"),
            );
            said.push(
                send(&stream, "after")
                    .await
                    .0
                    .expect_err("the stream is poisoned"),
            );
            said.push(
                send_zc(&stream, "after")
                    .await
                    .0
                    .expect_err("the stream is poisoned"),
            );
            // 3. And it is what the peer gets.
            drop(stream);
            let read = annulus::task::spawn_blocking(move || {
                let mut bytes = Vec::new();
                peer.read_to_end(&mut bytes).map(|_| bytes)
            });
            let bytes = read.await??;
            assert!(bytes == numbered(bytes.len()));
            for error in said {
                assert_eq!(error.kind(), ErrorKind::BrokenPipe);
                let text = format!("{} of {LEN} bytes of a dropped send were sent", bytes.len());
                assert_eq!(error.to_string(), text);
            }
            poisoned += 1;
        }
        assert!(poisoned > 20, "{poisoned} sends were dropped");
        Ok(())
    });
}

#[test]
fn a_dropped_send_that_went_whole_leaves_no_trace() {
    on_each_runtime(|| async {
        let (mut stream, mut peer) = connected().await;
        let mut late = 0;
        for round in 0..100u8 {
            let outcome = drop_at(Moment::Completed, send(&stream, vec![round; 10]), || ()).await;
            late += usize::from(matches!(outcome, Outcome::Woken));
            stream.write_all(&[round]).await?;
            let mut bytes = [0; 11];
            peer.read_exact(&mut bytes)?;
            assert_eq!(bytes, [round; 11]);
        }
        println!("{late} sends were dropped after they had ended");
        Ok(())
    });
}

#[test]
fn sends_take_turns() {
    on_each_runtime(|| async {
        let (stream, mut peer) = connected_narrow();
        // 1. No room is left.
        let mut filled = 0;
        while let Ok(n) = stream.try_write(&[b'-'; 1024]) {
            filled += n;
        }
        // 2. A send waits for room, and others wait for it.
        let mut first = Box::pin(send(&stream, "x"));
        assert!(first.as_mut().now_or_never().is_none(), "there is no room");
        turns().await;
        let mut second = Box::pin(send_zc(&stream, "y"));
        assert!(
            second.as_mut().now_or_never().is_none(),
            "it waits behind the first"
        );
        let error = stream.try_write(b"z").expect_err("it may not go past them");
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        // 3. When the peer reads, all comes in order.
        let read = annulus::task::spawn_blocking(move || {
            let mut bytes = vec![0; filled + 2];
            peer.read_exact(&mut bytes).map(|()| bytes)
        });
        let (first, second) = futures::join!(first, second);
        assert_eq!((first.0?, second.0?), (1, 1));
        assert!(read.await??.ends_with(b"--xy"));
        Ok(())
    });
}

#[test]
fn a_zero_copy_send_gives_its_buffer_back_when_the_network_is_done() {
    const LEN: usize = 256 << 10;
    on_each_runtime(|| async {
        let (stream, mut peer) = connected().await;
        let read = annulus::task::spawn_blocking(move || {
            let mut bytes = Vec::new();
            peer.read_to_end(&mut bytes).map(|_| bytes)
        });
        let mut expected = Vec::new();
        let mut buf = numbered(LEN);
        for round in 0..20u8 {
            buf.fill(round);
            let (sent, zc_buf) = send_zc(&stream, buf).await;
            // The buffer is changed only when it is back: the peer must not see the next round.
            buf = zc_buf.await;
            assert_eq!(buf.len(), LEN);
            expected.resize(expected.len() + sent?, round);
        }
        // Dropped instead: the kernel still has what it needs.
        let (sent, zc_buf) = send_zc(&stream, vec![99; LEN]).await;
        drop(zc_buf);
        expected.resize(expected.len() + sent?, 99);
        drop(stream);
        assert!(read.await?? == expected);
        Ok(())
    });
}

#[test]
fn where_nothing_can_be_sent_without_a_copy_the_error_says_so() {
    on_each_runtime(|| async {
        let (a, b) = UnixStream::pair()?;
        let (sent, buf) = send_zc(&a, vec![1, 2, 3]).await;
        assert_eq!(
            sent.map_err(|error| error.kind()),
            Err(ErrorKind::Unsupported)
        );
        assert_eq!(buf.await, [1, 2, 3]);
        // The stream is as good as before.
        assert_eq!(send(&a, vec![1, 2, 3]).await.0?, 3);
        assert_eq!(recv(&b, Vec::with_capacity(8)).await.1, [1, 2, 3]);
        Ok(())
    });
}

#[test]
fn datagrams_keep_their_bounds() {
    on_each_runtime(|| async {
        let sockets = [(); 2].map(|()| std::net::UdpSocket::bind("127.0.0.1:0"));
        let [a, b] = sockets.map(|socket| socket.expect("loopback binds"));
        a.connect(b.local_addr()?)?;
        b.connect(a.local_addr()?)?;
        for socket in [&a, &b] {
            socket.set_nonblocking(true)?;
        }
        let (a, b) = (UdpSocket::from_std(a)?, UdpSocket::from_std(b)?);
        assert_eq!(send(&a, "one").await.0?, 3);
        assert_eq!(send(&a, "three").await.0?, 5);
        assert_eq!(recv(&b, Vec::with_capacity(64)).await.1, b"one");
        assert_eq!(recv(&b, Vec::with_capacity(64)).await.1, b"three");
        // A dropped one poisons nothing.
        drop(drop_at(Moment::Unpublished, send(&a, "lost"), || ()).await);
        assert_eq!(send(&a, "next").await.0?, 4);
        Ok(())
    });
}

/// A listener, and as many connections to it as asked for, each with its number as first bytes.
async fn listener_with(clients: u32) -> io::Result<(TcpListener, Vec<std::net::TcpStream>)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let clients = (0..clients)
        .map(|number| connect(address, number))
        .collect();
    Ok((listener, clients))
}

fn connect(address: std::net::SocketAddr, number: u32) -> std::net::TcpStream {
    let mut client = std::net::TcpStream::connect(address).expect("loopback connects");
    client
        .write_all(&number.to_le_bytes())
        .expect("the connection stands");
    client
}

async fn number_of(mut stream: TcpStream) -> io::Result<u32> {
    let mut number = [0; 4];
    stream.read_exact(&mut number).await?;
    Ok(u32::from_le_bytes(number))
}

#[test]
fn incoming_connections_are_all_taken_although_next_is_dropped() {
    on_each_runtime(|| async {
        let (listener, mut clients) = listener_with(0).await?;
        let address = listener.local_addr()?;
        let mut incoming = Incoming::new(listener, 8);
        let mut seen = BTreeMap::new();
        let mut late = 0;
        for number in 0..200u32 {
            // 1. A connection comes while a `next` waits, which is dropped.
            let moments = [Moment::Unpublished, Moment::InFlight, Moment::Completed];
            let moment = moments[number as usize % 3];
            let outcome = drop_at(moment, incoming.next(), || {
                clients.push(connect(address, number));
            });
            late += usize::from(matches!(outcome.await, Outcome::Woken));
            // 2. It is there for the next one.
            let stream = incoming.next().await.expect("it does not end")?;
            *seen.entry(number_of(stream).await?).or_insert(0) += 1;
        }
        assert!(
            seen.len() == 200 && seen.values().all(|count| *count == 1),
            "{seen:?}"
        );
        assert!(late > 60, "{late} connections came for nobody");
        Ok(())
    });
}

#[test]
fn a_full_queue_stops_accepting_and_loses_nothing() {
    const CLIENTS: u32 = 100;
    on_each_runtime(|| async {
        // 1. A queue of four, and nobody who takes from it.
        let (listener, mut clients) = listener_with(4).await?;
        let address = listener.local_addr()?;
        let mut incoming = Incoming::new(listener, 4);
        let mut seen = vec![number_of(incoming.next().await.expect("it does not end")?).await?];
        for number in 4..CLIENTS {
            clients.push(connect(address, number));
            turns().await;
        }
        // 2. Most of them are still in the kernel's backlog.
        let (listener, pending) = incoming.into_pending().await;
        assert!(
            pending.len() < 20,
            "{} connections in a queue of 4",
            pending.len()
        );
        for stream in pending {
            seen.push(number_of(stream).await?);
        }
        // 3. Whence another queue, or accept, takes them.
        let mut incoming = Incoming::new(listener, 4);
        while seen.len() < CLIENTS as usize / 2 {
            seen.push(number_of(incoming.next().await.expect("it does not end")?).await?);
        }
        let (listener, pending) = incoming.into_pending().await;
        for stream in pending {
            seen.push(number_of(stream).await?);
        }
        while seen.len() < CLIENTS as usize {
            seen.push(number_of(listener.accept().await?.0).await?);
        }
        seen.sort_unstable();
        assert_eq!(seen, (0..CLIENTS).collect::<Vec<_>>());
        Ok(())
    });
}

#[test]
fn connections_that_nobody_took_are_closed_and_counted() {
    on_each_runtime(|| async {
        let before = annulus::stats().connections_dropped;
        let (listener, mut clients) = listener_with(5).await?;
        let address = listener.local_addr()?;
        let mut incoming = Incoming::new(listener, 16);
        drop(incoming.next().await.expect("it does not end")?);
        turns().await;
        drop(incoming);
        // Where the task is not at home, some land after the drop.
        settled("of five, the four that nobody took are counted", || {
            annulus::stats().connections_dropped - before == 4
        })
        .await;
        for client in &mut clients {
            client.set_read_timeout(Some(Duration::from_secs(20)))?;
            let ended = client.read(&mut [0; 8]).map_err(|error| error.kind());
            assert!(
                matches!(ended, Ok(0) | Err(ErrorKind::ConnectionReset)),
                "{ended:?}"
            );
        }
        // The port is free at once, or where the task has moved, as soon as its home has looked.
        settled("the port is free", || {
            std::net::TcpListener::bind(address).is_ok()
        })
        .await;
        TcpListener::bind(address).await.map(drop)
    });
}

fn port_after_drop(runtime: Runtime, drop_it: impl FnOnce(Incoming) + Send) {
    let incoming = runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("loopback binds");
        let mut incoming = Incoming::new(listener, 4);
        assert!(incoming.next().now_or_never().is_none());
        turns().await;
        incoming
    });
    let address = incoming.get_ref().local_addr().expect("it is bound");
    drop_it(incoming);
    // SO_REUSEADDR is not set: a listening socket that is still there is in the way.
    settled_blocking("the port is free", || {
        std::net::TcpStream::connect(address).is_err()
    });
    drop(runtime);
}

#[test]
fn a_dropped_incoming_frees_its_port_from_any_thread() {
    let _serial = serial();
    // 1. After block_on has returned, when nobody drives the core.
    port_after_drop(
        current_thread(RecvMode::Auto).build().expect("it builds"),
        drop,
    );
    // 2. From a foreign thread.
    port_after_drop(
        current_thread(RecvMode::Auto).build().expect("it builds"),
        |incoming| {
            std::thread::scope(|scope| scope.spawn(|| drop(incoming)).join().expect("no panic"));
        },
    );
    nothing_in_flight("after the runtimes");
}

#[test]
fn without_descriptors_accepting_pauses_and_recovers() {
    in_child("without_descriptors_accepting_pauses_and_recovers", || {
        let runtime = current_thread(RecvMode::Auto).build().expect("it builds");
        runtime.block_on(async {
            // 1. Every descriptor is taken, and three connections wait.
            let (listener, clients) = listener_with(3).await.expect("loopback binds");
            let mut incoming = Incoming::new(listener, 8);
            let before = fd_limit(64).expect("the limit can be lowered");
            let taken: Vec<_> =
                std::iter::from_fn(|| std::fs::File::open("/dev/null").ok()).collect();
            // 2. The error is told, and not more than ten times a second.
            let sqes = annulus::stats().sqes;
            for _ in 0..3 {
                let error = incoming.next().await.expect("it does not end").map(drop);
                assert_eq!(
                    error.expect_err("none is free").raw_os_error(),
                    Some(libc::EMFILE)
                );
            }
            let sqes = annulus::stats().sqes - sqes;
            assert!(sqes < 50, "{sqes} SQEs for three errors");
            // 3. With descriptors, all come.
            fd_limit(before).expect("the limit can be raised");
            drop(taken);
            for _ in &clients {
                let stream = incoming.next().await.expect("it does not end");
                number_of(stream.expect("there are descriptors"))
                    .await
                    .expect("it has one");
            }
        });
        drop(runtime);
        nothing_in_flight("after the shortage");
    });
}

#[test]
fn a_runtime_dropped_with_owned_operations_takes_them_back() {
    for_each_runtime(|_, runtime| {
        let _context = runtime.enter();
        for _ in 0..20 {
            let (stream, peer) = connected_narrow();
            let (other, other_peer) = connected_narrow();
            drop(runtime.spawn(async move {
                let _peers = (peer, other_peer);
                let sending = send(&other, numbered(1 << 20));
                futures::join!(recv(&stream, vec![0; 4096]), sending)
            }));
        }
        runtime.block_on(turns());
    });
}

#[test]
fn operations_whose_ring_fails_for_good_end_with_its_error() {
    in_child(
        "operations_whose_ring_fails_for_good_end_with_its_error",
        || {
            let runtime = current_thread(RecvMode::Auto).build().expect("it builds");
            let errors = runtime.block_on(async {
                // 1. One of each waits in the kernel, and a second receive behind the first.
                let (stream, peer) = connected().await;
                fill(&stream, &peer).await;
                let (zc_stream, zc_peer) = connected().await;
                fill(&zc_stream, &zc_peer).await;
                let listener = TcpListener::bind("127.0.0.1:0")
                    .await
                    .expect("loopback binds");
                let mut incoming = Incoming::new(listener, 4);
                let (reader, _writer) = io::pipe().expect("a pipe");
                let mut pipe = File::from(OwnedFd::from(reader));
                let mut buf = [0; 8];
                let error = |kind: io::Result<usize>| kind.expect_err("the ring is dead").kind();
                let mut waiting = Box::pin(async {
                    futures::join!(
                        recv(&stream, vec![0; 8]).map(|(result, _)| error(result)),
                        recv(&stream, vec![0; 8]).map(|(result, _)| error(result)),
                        send(&stream, "x").map(|(result, _)| error(result)),
                        send_zc(&zc_stream, "x").map(|(result, _)| error(result)),
                        pipe.read(&mut buf).map(error),
                        incoming.next().map(|next| {
                            let next = next.expect("it does not end");
                            next.map(drop).expect_err("the ring is dead").kind()
                        }),
                    )
                });
                assert!(futures::poll!(&mut waiting).is_pending());
                turns().await;
                assert!(futures::poll!(&mut waiting).is_pending());
                // 2. From now on this thread can no longer enter its ring.
                kill_rings();
                // 3. Each ends.
                let (a, b, c, d, e, f) = waiting.await;
                [a, b, c, d, e, f]
            });
            assert_eq!(errors, [ErrorKind::PermissionDenied; 6]);
            drop(runtime);
            assert!(annulus::stats().cells_leaked >= 5, "{:?}", annulus::stats());
        },
    );
}

#[test]
fn sockets_whose_runtime_is_gone_say_so() {
    let _serial = serial();
    let runtime = current_thread(RecvMode::Auto).build().expect("it builds");
    let (stream, _peer, mut incoming) = runtime.block_on(async {
        let (stream, peer) = connected().await;
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("loopback binds");
        let mut incoming = Incoming::new(listener, 4);
        assert!(futures::poll!(incoming.next()).is_pending());
        turns().await;
        (stream, peer, incoming)
    });
    let context = runtime.handle().clone();
    drop(runtime);
    let _context = context.enter();
    let (received, sent, sent_zc, next) = futures::executor::block_on(async {
        futures::join!(
            recv(&stream, vec![0; 8]),
            send(&stream, "x"),
            send_zc(&stream, "y"),
            incoming.next()
        )
    });
    let errors = [
        received.0.map(drop),
        sent.0.map(drop),
        next.expect("it does not end").map(drop),
    ];
    for error in errors {
        let error = error.expect_err("the runtime is gone");
        assert!(error.to_string().contains("shutdown"), "{error}");
    }
    // Behind a send that came to nothing, the stream is poisoned or its runtime gone.
    drop(sent_zc.0.expect_err("the runtime is gone"));
    nothing_in_flight("after the runtime");
}
