//! P12: what is multishot and ends is armed again, whoever waits; nothing is lost meanwhile.

use std::time::Duration;

use annulus::io::{AsyncReadExt, AsyncWriteExt};
use annulus::net::{TcpListener, TcpStream, UdpSocket};
use annulus::sim::{Fault, Faults, Sim, seeds};
use annulus::time::sleep;
use annulus::uring::Incoming;
use futures::StreamExt;

use crate::scenario::{Fallible, add_up, count, end, vary};

const CLIENTS: u64 = 80;
const BYTES: usize = 500;

async fn talk(number: u64) -> std::io::Result<()> {
    let mut stream = TcpStream::connect("server:80").await?;
    let sent: Vec<u8> = (0..BYTES).map(|place| place as u8 ^ number as u8).collect();
    let (mut reader, mut writer) = stream.split();
    let write = async {
        for part in sent.chunks(50) {
            writer.write_all(part).await?;
            sleep(Duration::from_millis(number % 4)).await;
        }
        writer.shutdown().await
    };
    let mut got = Vec::new();
    let (wrote, read) = annulus::join!(write, reader.read_to_end(&mut got));
    wrote?;
    read?;
    assert_eq!(got, sent, "bytes were lost");
    Ok(())
}

/// Datagrams wake a reader too: on one host none is lost.
async fn datagrams() -> Fallible {
    let receiver = UdpSocket::bind("127.0.0.1:0").await?;
    let address = receiver.local_addr()?;
    let sender = UdpSocket::bind("127.0.0.1:0").await?;
    for number in 0..100_u8 {
        sender.send_to(&[number], address).await?;
        let mut bytes = [0; 4];
        let (read, _) = receiver.recv_from(&mut bytes).await?;
        assert_eq!(&bytes[..read], [number]);
    }
    Ok(())
}

fn rearms(sim: &mut Sim) {
    let mut random = vary(sim);
    let rate = random.pick(&[50, 300, 700]);
    sim.faults(
        Faults::none()
            .set(Fault::MultishotEnds, rate)
            .set(Fault::NoBuffers, rate)
            .set(Fault::ShortRead, 50)
            .clone(),
    );
    let queue = 1 + random.below(8) as usize;
    sim.host("server", move || async move {
        let listener = TcpListener::bind("0.0.0.0:80").await?;
        let mut incoming = Incoming::new(listener, queue);
        while let Some(stream) = incoming.next().await {
            let mut stream = stream?;
            annulus::spawn(async move {
                let (mut reader, mut writer) = stream.split();
                annulus::io::copy(&mut reader, &mut writer).await?;
                writer.shutdown().await
            });
        }
        Ok(())
    });
    sim.client("client", async {
        let mut tasks: Vec<_> = (0..CLIENTS)
            .map(|number| annulus::spawn(async move { Ok(talk(number).await?) }))
            .collect();
        tasks.push(annulus::spawn(datagrams()));
        for task in tasks {
            task.await??;
        }
        Ok(())
    });
    sim.run().unwrap();
    sim.count("accept_multishot", CLIENTS);
    end(sim, &["client", "server"]);
}

#[test]
fn a_multishot_that_ends_is_armed_again() {
    let totals = seeds(count(), |sim| rearms(sim));
    add_up("rearms", &totals, &[]);
}
