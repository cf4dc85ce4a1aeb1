//! UDP under tokio's API.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use annulus::io::{Interest, ReadBuf};
use annulus::net::UdpSocket;
use annulus_tests::{current_thread, for_each_runtime, serial};

annulus::sim_install!();

async fn bound() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("bind");
    let addr = socket.local_addr().expect("bound");
    (socket, addr)
}

#[test]
fn datagrams_arrive_with_their_sender() {
    for_each_runtime(|_, runtime| {
        runtime.block_on(async {
            let ((ours, our_addr), (theirs, their_addr)) = (bound().await, bound().await);
            let theirs = Arc::new(theirs);
            let receiver = Arc::clone(&theirs);
            let receiving = annulus::spawn(async move {
                let mut buf = [0; 64];
                for round in 0..100_u32 {
                    let (len, sender) = receiver.recv_from(&mut buf).await.expect("receive");
                    assert_eq!((&buf[..len], sender), (&round.to_ne_bytes()[..], our_addr));
                    receiver.send_to(&buf[..len], sender).await.expect("send");
                }
            });
            let mut buf = [0; 64];
            for round in 0..100_u32 {
                ours.send_to(&round.to_ne_bytes(), their_addr)
                    .await
                    .expect("send");
                let (len, sender) = ours.recv_from(&mut buf).await.expect("receive");
                assert_eq!((len, sender), (4, their_addr));
            }
            receiving.await.expect("no panic");
        });
    });
}

#[test]
fn a_connected_socket_needs_no_address() {
    for_each_runtime(|_, runtime| {
        runtime.block_on(async {
            let ((ours, our_addr), (theirs, their_addr)) = (bound().await, bound().await);
            assert_eq!(
                ours.peer_addr().unwrap_err().kind(),
                ErrorKind::NotConnected
            );
            ours.connect(their_addr).await.expect("connect");
            theirs.connect(our_addr).await.expect("connect");
            assert_eq!(ours.peer_addr().expect("connected"), their_addr);
            assert_eq!(ours.send(b"hello").await.expect("send"), 5);
            let mut buf = [0; 16];
            assert_eq!(theirs.peek(&mut buf).await.expect("peek"), 5);
            assert_eq!(theirs.peek_sender().await.expect("peek"), our_addr);
            assert_eq!(theirs.recv(&mut buf[..3]).await.expect("cut"), 3);
            assert_eq!(
                theirs.try_recv(&mut buf).unwrap_err().kind(),
                ErrorKind::WouldBlock
            );
        });
    });
}

#[test]
fn readiness_and_try_calls_agree() {
    for_each_runtime(|name, runtime| {
        runtime.block_on(async {
            let ((ours, our_addr), (theirs, _)) = (bound().await, bound().await);
            let mut readable = Box::pin(ours.readable());
            assert!(futures::poll!(readable.as_mut()).is_pending(), "{name}");
            theirs.writable().await.expect("room");
            theirs.try_send_to(b"abc", our_addr).expect("room");
            readable.await.expect("readable");
            let mut buf = Vec::with_capacity(16);
            assert_eq!(ours.try_recv_buf(&mut buf).expect("ready"), 3);
            assert_eq!(buf, b"abc");
            assert_eq!(
                ours.try_recv_from(&mut [0; 4]).unwrap_err().kind(),
                ErrorKind::WouldBlock
            );
            theirs.send_to(b"defg", our_addr).await.expect("send");
            let mut storage = [0; 8];
            let mut part = ReadBuf::new(&mut storage);
            let poll = std::future::poll_fn(|cx| ours.poll_recv_from(cx, &mut part));
            poll.await.expect("receive");
            assert_eq!(part.filled(), b"defg");
        });
    });
}

#[test]
fn a_refused_datagram_is_told_to_the_receiver() {
    for_each_runtime(|_, runtime| {
        runtime.block_on(async {
            let ((ours, _), (theirs, their_addr)) = (bound().await, bound().await);
            ours.connect(their_addr).await.expect("connect");
            drop(theirs);
            ours.send(b"nobody").await.expect("send");
            let error = ours.recv(&mut [0; 8]).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        });
    });
}

#[test]
fn a_dropped_receive_loses_no_datagram() {
    for_each_runtime(|name, runtime| {
        runtime.block_on(async {
            let ((ours, our_addr), (theirs, _)) = (bound().await, bound().await);
            for round in 0..50_u32 {
                let mut gone = [0; 8];
                let mut recv = Box::pin(ours.recv(&mut gone));
                assert!(futures::poll!(recv.as_mut()).is_pending(), "{name}");
                theirs
                    .send_to(&round.to_ne_bytes(), our_addr)
                    .await
                    .expect("send");
                annulus::task::yield_now().await;
                drop(recv);
                let mut buf = [0; 8];
                assert_eq!(ours.recv(&mut buf).await.expect("receive"), 4);
                assert_eq!(buf[..4], round.to_ne_bytes());
            }
        });
    });
}

#[test]
fn options_are_what_they_were_set_to() {
    let _serial = serial();
    let runtime = current_thread(Default::default()).build().expect("build");
    runtime.block_on(async {
        let (socket, _) = bound().await;
        socket.set_broadcast(true).expect("set");
        socket.set_ttl(9).expect("set");
        socket.set_multicast_ttl_v4(3).expect("set");
        socket.set_multicast_loop_v4(false).expect("set");
        socket.set_tos_v4(16).expect("set");
        assert!(socket.broadcast().expect("get"));
        assert!(!socket.multicast_loop_v4().expect("get"));
        assert_eq!(socket.ttl().expect("get"), 9);
        assert_eq!(socket.multicast_ttl_v4().expect("get"), 3);
        assert_eq!(socket.tos_v4().expect("get"), 16);
        let group = Ipv4Addr::new(224, 0, 0, 251);
        if socket.join_multicast_v4(group, Ipv4Addr::LOCALHOST).is_ok() {
            socket
                .leave_multicast_v4(group, Ipv4Addr::LOCALHOST)
                .expect("joined");
        }
        let socket = socket.into_std().expect("nothing is in flight");
        let socket = UdpSocket::from_std(socket).expect("non-blocking");
        assert!(socket.take_error().expect("get").is_none());
    });
}

#[test]
fn futures_of_the_api_can_move_between_threads() {
    fn send<T: Send>(_: &T) {}
    send(&async {
        let (socket, addr) = bound().await;
        socket.send_to(b"x", "localhost:1").await?;
        socket.recv_buf_from(&mut Vec::with_capacity(8)).await?;
        socket.async_io(Interest::READABLE, || Ok(())).await?;
        socket.connect(addr).await
    });
}
