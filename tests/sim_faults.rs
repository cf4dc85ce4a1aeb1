//! What goes wrong in a simulated world: every kind of fault does, and a program that tries again
//! gets on.

use std::time::Duration;

use annulus::fs::File;
use annulus::io::{AsyncReadExt, AsyncWriteExt};
use annulus::net::{TcpListener, TcpStream, UdpSocket};
use annulus::sim::{Fault, Faults, Network, Sim, seeds};
use annulus::time::timeout;

annulus::sim_install!();

/// Kinds of faults that every seed meets here, of those that such a program can.
const KINDS_MIN: usize = 10;

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
    sim.host("server", serve);
    for name in ["one", "other"] {
        sim.client(name, async {
            let socket = UdpSocket::bind("0.0.0.0:0").await?;
            let mut tasks = Vec::new();
            for number in 0..8 {
                tasks.push(annulus::spawn(async move {
                    insist(|| exchange(number)).await;
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
    seeds(16, |sim| {
        let mut faults = Faults::some();
        faults.set(Fault::Reset, 5);
        sim.faults(faults).network(Network {
            lost_per_mille: 50,
            ..Network::default()
        });
        sim.duration_max(Duration::from_secs(120));
        program(sim);
        sim.run().unwrap();
        let struck = |fault: &Fault| sim.injected().injected(*fault) > 0;
        let kinds = Fault::ALL.iter().filter(|&fault| struck(fault)).count();
        assert!(kinds >= KINDS_MIN, "{kinds} kinds of faults");
    });
}
