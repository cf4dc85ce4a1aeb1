//! The ring alone drives a server: with every epoll call refused, an echo works all the same.

use std::time::Duration;

use annulus::io::{AsyncReadExt, AsyncWriteExt};
use annulus::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use annulus_tests::{
    EPOLL, FdKind, descriptors, for_each_runtime, in_child, on_uring, refuse, stress,
};

/// Round trips of each connection in a full run.
const ROUNDS: u64 = 2000;
const CONNECTIONS: usize = 4;

async fn echo(stream: impl annulus::io::AsyncRead + annulus::io::AsyncWrite) {
    let (mut read, mut write) = annulus::io::split(stream);
    annulus::io::copy(&mut read, &mut write)
        .await
        .expect("the client reads");
}

async fn ask(stream: impl annulus::io::AsyncRead + annulus::io::AsyncWrite, rounds: u64) -> u64 {
    let mut stream = std::pin::pin!(stream);
    for round in 0..rounds {
        stream.write_u64(round).await.expect("the server reads");
        assert_eq!(stream.read_u64().await.expect("the server answers"), round);
    }
    rounds
}

#[test]
fn an_echo_needs_no_epoll() {
    if !on_uring("it waits in epoll") {
        return;
    }
    in_child("an_echo_needs_no_epoll", || {
        // 1. From here on there is no epoll in this process.
        refuse(EPOLL, libc::ENOSYS).expect("a filter needs no privilege");
        let rounds = stress(ROUNDS);
        for_each_runtime(|name, runtime| {
            let total = runtime.block_on(async {
                // 2. A server for TCP and one for Unix sockets.
                let tcp = TcpListener::bind("127.0.0.1:0")
                    .await
                    .expect("loopback binds");
                let address = tcp.local_addr().expect("it is bound");
                let folder = tempfile::tempdir().expect("a temporary folder");
                let path = folder.path().join("socket");
                let unix = UnixListener::bind(&path).expect("the folder takes a socket");
                let server = annulus::spawn(async move {
                    loop {
                        annulus::select! {
                            accepted = tcp.accept() => {
                                annulus::spawn(echo(accepted.expect("accepts").0));
                            }
                            accepted = unix.accept() => {
                                annulus::spawn(echo(accepted.expect("accepts").0));
                            }
                        }
                    }
                });
                // 3. Clients, a timer and a file beside them.
                let mut clients = Vec::new();
                for _ in 0..CONNECTIONS {
                    let stream = TcpStream::connect(address).await.expect("it listens");
                    clients.push(annulus::spawn(ask(stream, rounds)));
                    let stream = UnixStream::connect(&path).await.expect("it listens");
                    clients.push(annulus::spawn(ask(stream, rounds)));
                }
                annulus::time::sleep(Duration::from_millis(5)).await;
                let file = folder.path().join("file");
                annulus::fs::write(&file, b"on the ring")
                    .await
                    .expect("the folder takes a file");
                assert_eq!(
                    annulus::fs::read(&file).await.expect("it is there"),
                    b"on the ring"
                );
                let mut total = 0;
                for client in clients {
                    total += client.await.expect("it does not panic");
                }
                server.abort();
                total
            });
            let kinds = descriptors();
            println!("{name}: {total} round trips; descriptors {kinds:?}");
            assert_eq!(total, rounds * 2 * CONNECTIONS as u64);
            assert!(!kinds.contains_key(&FdKind::Epoll), "{name}: {kinds:?}");
            assert!(kinds.contains_key(&FdKind::Ring), "{name}: {kinds:?}");
        });
    });
}
