//! What goes wrong in a simulated world: every kind of fault does, and a program that tries again
//! gets on.

use std::time::Duration;

use annulus::fs::File;
use annulus::io::{AsyncReadExt, AsyncWriteExt};
use annulus::net::{TcpListener, TcpStream, UdpSocket};
use annulus::runtime::RecvMode;
use annulus::sim::{Fault, Faults, Network, Sim, seeds};
use annulus::time::timeout;
use annulus::uring;

annulus::sim_install!();

/// Echoes lines, and never gives up listening.
async fn serve() -> annulus::sim::Outcome {
    let listener = TcpListener::bind("0.0.0.0:80").await?;
    loop {
        let Ok((mut stream, _)) = listener.accept().await else {
            continue;
        };
        annulus::spawn(async move {
            let mut bytes = [0; 512];
            while let Ok(count @ 1..) = stream.read(&mut bytes).await {
                if stream.write_all(&bytes[..count]).await.is_err() {
                    break;
                }
            }
        });
    }
}

/// One connection: what was sent comes back, or the connection breaks.
async fn exchange(number: u8) -> std::io::Result<()> {
    let mut stream = TcpStream::connect("server:80").await?;
    for round in 0..4 {
        let sent = [number ^ round; 700];
        let mut got = Vec::new();
        let (mut reader, mut writer) = stream.split();
        let write = writer.write_all(&sent);
        let read = async {
            while got.len() < sent.len() {
                let mut bytes = [0; 300];
                // Given up again and again, which loses nothing.
                let some = timeout(Duration::from_millis(1), reader.read(&mut bytes)).await;
                match some {
                    Ok(Ok(0)) => return Err(std::io::ErrorKind::UnexpectedEof.into()),
                    Ok(count) => got.extend_from_slice(&bytes[..count?]),
                    Err(_) => {}
                }
            }
            std::io::Result::Ok(())
        };
        let (wrote, read) = annulus::join!(write, read);
        wrote?;
        read?;
        assert!(got == sent, "what comes back is what was sent");
    }
    Ok(())
}

/// As an exchange, of bytes that are not copied; their memory comes back.
async fn lend(number: u8) -> std::io::Result<()> {
    let stream = TcpStream::connect("server:80").await?;
    for _ in 0..4 {
        let (sent, buf) = uring::send_zc(&stream, vec![number; 200]).await;
        let (sent, mut got) = (sent?, Vec::new());
        while got.len() < sent {
            // Given up, which cancels it.
            let receive = uring::recv(&stream, vec![0; 50]);
            if let Ok((received, bytes)) = timeout(Duration::from_millis(1), receive).await {
                if received? == 0 {
                    return Err(std::io::ErrorKind::UnexpectedEof.into());
                }
                got.extend(bytes);
            }
        }
        assert_eq!(got.len(), sent);
        assert!(
            got.iter().all(|&byte| byte == number),
            "what comes back is what was sent"
        );
        assert_eq!(buf.await, vec![number; 200]);
    }
    Ok(())
}

async fn files(number: u8) -> std::io::Result<()> {
    let path = format!("/tmp/{number}");
    let mut file = File::create(&path).await?;
    file.write_all(&[number; 3000]).await?;
    file.flush().await?;
    file.sync_all().await?;
    let mut bytes = Vec::new();
    File::open(&path).await?.read_to_end(&mut bytes).await?;
    assert!(bytes == [number; 3000], "{} bytes read", bytes.len());
    Ok(())
}

/// Does `work` until it succeeds.
async fn insist<F: Future<Output = std::io::Result<()>>>(work: impl Fn() -> F) {
    while let Err(error) = work().await {
        std::hint::black_box(error);
        annulus::time::sleep(Duration::from_millis(1)).await;
    }
}

fn program(sim: &mut Sim) {
    sim.runtime(|builder| {
        builder.recv_mode(RecvMode::Hot);
    });
    sim.host("server", serve);
    for name in ["one", "other"] {
        sim.client(name, async {
            let socket = UdpSocket::bind("0.0.0.0:0").await?;
            let mut tasks = Vec::new();
            for number in 0..8 {
                tasks.push(annulus::spawn(async move {
                    insist(|| exchange(number)).await;
                    insist(|| lend(number)).await;
                    insist(|| files(number)).await;
                }));
            }
            for task in tasks {
                task.await?;
                let _ = socket.send_to(b"lost", "server:53").await;
            }
            Ok(())
        });
    }
}

#[test]
fn a_program_that_tries_again_gets_on_whatever_goes_wrong() {
    let totals = seeds(16, |sim| {
        let mut faults = Faults::some();
        faults.set(Fault::Reset, 5);
        // There are few writes to files.
        faults.set(Fault::FileFull, 200);
        sim.faults(faults).network(Network {
            lost_per_mille: 50,
            ..Network::default()
        });
        sim.duration_max(Duration::from_secs(120));
        program(sim);
        sim.run().unwrap();
    });
    // Of a process for one seed that is not asked.
    if std::env::var("ANNULUS_SEED").is_ok() {
        return;
    }
    let never = Fault::ALL
        .into_iter()
        .filter(|&fault| totals.injected(fault) == 0);
    assert_eq!(Vec::from_iter(never), [], "faults that never happened");
}
