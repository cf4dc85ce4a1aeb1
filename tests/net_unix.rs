//! Unix sockets under tokio's API.

use std::io::ErrorKind;
use std::path::Path;

use annulus::io::{AsyncReadExt, AsyncWriteExt, Interest};
use annulus::net::{UnixDatagram, UnixListener, UnixSocket, UnixStream};
use annulus_tests::{Folder, for_each_runtime, is_simulated, on_a_machine};

annulus::sim_install!();

#[test]
fn a_stream_at_a_path_carries_bytes_and_credentials() {
    for_each_runtime(|_, runtime| {
        let folder = Folder::new(runtime.handle());
        runtime.block_on(async {
            let path = folder.path().join("socket");
            let listener = UnixListener::bind(&path).expect("bind");
            let addr = listener.local_addr().expect("bound");
            assert_eq!(addr.as_pathname(), Some(path.as_path()));
            let error = UnixListener::bind(&path).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::AddrInUse);
            let mut client = UnixStream::connect(&path).await.expect("connect");
            let (mut server, peer) = listener.accept().await.expect("accept");
            assert!(peer.is_unnamed());
            assert_eq!(
                client.peer_addr().expect("peer").as_pathname(),
                Some(path.as_path())
            );
            let cred = server.peer_cred().expect("credentials");
            // A simulated host knows no processes.
            let pid = (!is_simulated()).then_some(std::process::id() as i32);
            assert_eq!(cred.pid(), pid);
            for _ in 0..20 {
                client.write_all(b"ping").await.expect("write");
                let mut buf = [0; 4];
                server.read_exact(&mut buf).await.expect("read");
                server.write_all(&buf).await.expect("write");
                client.read_exact(&mut buf).await.expect("read");
                assert_eq!(&buf, b"ping");
            }
            drop(client);
            assert_eq!(server.read(&mut [0; 8]).await.expect("end"), 0);
        });
    });
}

#[test]
fn abstract_names_need_no_file() {
    for_each_runtime(|name, runtime| {
        runtime.block_on(async {
            let name = format!("\0annulus {name} {}", std::process::id());
            let listener = UnixListener::bind(&name).expect("bind");
            let addr = listener.local_addr().expect("bound");
            assert_eq!(addr.as_abstract_name(), Some(&name.as_bytes()[1..]));
            let client = UnixStream::connect_addr(&addr).await.expect("connect");
            let (server, _) = listener.accept().await.expect("accept");
            client.writable().await.expect("room");
            client.try_write(b"x").expect("room");
            // Where bytes take a while, none need have come when the stream is new.
            let read = loop {
                server.readable().await.expect("readable");
                match server.try_read(&mut [0; 8]) {
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    read => break read.expect("ready"),
                }
            };
            assert_eq!(read, 1);
        });
    });
}

#[test]
fn errors_of_connecting_say_what_is_wrong() {
    for_each_runtime(|_, runtime| {
        let folder = Folder::new(runtime.handle());
        runtime.block_on(async {
            let missing = UnixStream::connect("/nowhere/annulus").await.unwrap_err();
            assert_eq!(missing.kind(), ErrorKind::NotFound);
            let long = UnixStream::connect("x".repeat(200)).await.unwrap_err();
            assert_eq!(long.kind(), ErrorKind::InvalidInput);
            if is_simulated() {
                // There the name goes with its socket.
                return;
            }
            let path = folder.path().join("gone");
            drop(UnixListener::bind(&path).expect("bind"));
            let refused = UnixStream::connect(&path).await.unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        });
    });
}

#[test]
fn a_full_backlog_is_an_error_and_not_a_wait() {
    for_each_runtime(|name, runtime| {
        runtime.block_on(async {
            let name = format!("\0annulus {name} backlog {}", std::process::id());
            let socket = UnixSocket::new_stream().expect("socket");
            socket.bind(&name).expect("bind");
            let listener = socket.listen(0).expect("listen");
            let _first = UnixStream::connect(&name).await.expect("one fits");
            let error = UnixStream::connect(&name).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::WouldBlock);
            listener.accept().await.expect("accept");
            UnixStream::connect(&name).await.expect("room again");
        });
    });
}

#[test]
fn halves_of_a_pair_work_apart_and_become_one_again() {
    for_each_runtime(|_, runtime| {
        runtime.block_on(async {
            let (ours, mut theirs) = UnixStream::pair().expect("pair");
            let (mut reader, mut writer) = ours.into_split();
            let writing = annulus::spawn(async move {
                writer.write_all(&[5; 300_000]).await.expect("write");
                writer
            });
            let mut received = vec![0; 300_000];
            theirs.read_exact(&mut received).await.expect("read");
            theirs.write_all(b"done").await.expect("write");
            let mut buf = [0; 4];
            reader.read_exact(&mut buf).await.expect("read");
            let writer = writing.await.expect("no panic");
            let mut ours = reader.reunite(writer).expect("of one stream");
            let (_, mut writer) = ours.split();
            writer.shutdown().await.expect("shutdown");
            assert_eq!(theirs.read(&mut buf).await.expect("end"), 0);
        });
    });
}

#[test]
fn datagrams_keep_their_bounds_and_name_their_sender() {
    for_each_runtime(|name, runtime| {
        let folder = Folder::new(runtime.handle());
        runtime.block_on(async {
            let (here, there) = (folder.path().join("here"), folder.path().join("there"));
            let ours = UnixDatagram::bind(&here).expect("bind");
            let theirs = UnixDatagram::bind(&there).expect("bind");
            let mut buf = [0; 64];
            let mut recv = Box::pin(theirs.recv_from(&mut buf));
            assert!(futures::poll!(recv.as_mut()).is_pending(), "{name}");
            ours.send_to(b"one", &there).await.expect("send");
            let (len, sender) = recv.await.expect("receive");
            assert_eq!((len, sender.as_pathname()), (3, Some(here.as_path())));
            let unbound = UnixDatagram::unbound().expect("socket");
            unbound.connect(&there).expect("connect");
            unbound.send(b"two").await.expect("send");
            let (len, sender) = theirs.recv_from(&mut buf).await.expect("receive");
            assert!(len == 3 && sender.is_unnamed());
            let (left, right) = UnixDatagram::pair().expect("pair");
            left.send(b"abc").await.expect("send");
            left.send(b"de").await.expect("send");
            assert_eq!(right.recv(&mut buf).await.expect("receive"), 3);
            assert_eq!(right.try_recv(&mut buf).expect("ready"), 2);
            assert_eq!(
                right.try_recv(&mut buf).unwrap_err().kind(),
                ErrorKind::WouldBlock
            );
        });
    });
}

#[test]
fn a_full_datagram_queue_makes_the_sender_wait() {
    if !on_a_machine("a simulated queue of datagrams drops what finds no room") {
        return;
    }
    for_each_runtime(|name, runtime| {
        runtime.block_on(async {
            let (left, right) = UnixDatagram::pair().expect("pair");
            let mut sent = 0;
            while left.try_send(&[0; 512]).is_ok() {
                sent += 1;
            }
            let mut send = Box::pin(left.send(&[1; 512]));
            assert!(futures::poll!(send.as_mut()).is_pending(), "{name}");
            let mut buf = [0; 512];
            for _ in 0..sent {
                right.recv(&mut buf).await.expect("receive");
                if futures::poll!(send.as_mut()).is_ready() {
                    return;
                }
            }
            send.await.expect("room again");
        });
    });
}

#[test]
fn a_socket_of_the_wrong_kind_is_refused() {
    for_each_runtime(|_, runtime| {
        runtime.block_on(async {
            let stream = UnixSocket::new_stream().expect("socket");
            assert!(stream.datagram().is_err());
            let datagram = UnixSocket::new_datagram().expect("socket");
            assert!(datagram.listen(1).is_err());
        });
    });
}

#[test]
fn std_sockets_go_in_and_out() {
    if !on_a_machine("it is about sockets of std's") {
        return;
    }
    for_each_runtime(|_, runtime| {
        runtime.block_on(async {
            let (ours, theirs) = std::os::unix::net::UnixStream::pair().expect("pair");
            ours.set_nonblocking(true).expect("non-blocking");
            let ours = UnixStream::from_std(ours).expect("non-blocking");
            std::io::Write::write_all(&mut &theirs, b"x").expect("write");
            let ready = ours.ready(Interest::READABLE).await.expect("readable");
            assert!(ready.is_readable());
            let ours = ours.into_std().expect("nothing is in flight");
            assert_eq!(
                std::io::Read::read(&mut &ours, &mut [0; 8]).expect("read"),
                1
            );
        });
    });
}

#[test]
fn futures_of_the_api_can_move_between_threads() {
    fn send<T: Send>(_: &T) {}
    send(&async {
        let mut stream = UnixStream::connect(Path::new("x")).await?;
        stream.ready(Interest::READABLE).await?;
        stream.write_all(b"x").await?;
        let datagram = UnixDatagram::unbound()?;
        datagram.recv_from(&mut [0; 8]).await?;
        datagram.send_to(b"x", "x").await
    });
}
