//! A world replays by its seed, and carries bytes.

use std::collections::HashMap;
use std::time::Duration;

use annulus::io::{AsyncReadExt, AsyncWriteExt};
use annulus::net::{TcpListener, TcpStream};
use annulus::sim::{Sim, seeds};

/// A server that answers each line with its number.
fn echo(sim: &mut Sim) {
    sim.host("server", || async {
        let listener = TcpListener::bind("0.0.0.0:80").await?;
        loop {
            let (mut stream, _) = listener.accept().await?;
            annulus::spawn(async move {
                let mut bytes = [0; 100];
                while let Ok(count) = stream.read(&mut bytes).await
                    && count > 0
                {
                    if stream.write_all(&bytes[..count]).await.is_err() {
                        break;
                    }
                }
            });
        }
    });
}

#[test]
fn bytes_come_back_in_order() {
    seeds(20, |sim| {
        echo(sim);
        sim.client("client", async {
            let mut stream = TcpStream::connect("server:80").await?;
            let sent: Vec<u8> = (0..=255).cycle().take(3000).collect();
            let (mut reader, mut writer) = stream.split();
            let write = async {
                writer.write_all(&sent).await?;
                writer.shutdown().await
            };
            let mut got = Vec::new();
            let (wrote, read) = annulus::join!(write, reader.read_to_end(&mut got));
            wrote?;
            read?;
            assert_eq!(got, sent);
            Ok(())
        });
        sim.run().unwrap();
    });
}

/// A program that draws from everything that is not a kernel.
fn draw(sim: &mut Sim) {
    use annulus::sync::watch;

    sim.workers(4);
    echo(sim);
    sim.client("client", async {
        let (sender, receiver) = watch::channel(0);
        let mut tasks = Vec::new();
        for number in 0..8_u64 {
            let mut receiver = receiver.clone();
            tasks.push(annulus::spawn(async move {
                let map: HashMap<u64, u64> = (0..20).map(|key| (key, number)).collect();
                let first = *map.keys().next().unwrap();
                let mut stream = TcpStream::connect("server:80").await?;
                let bytes = first.to_le_bytes();
                for _ in 0..5 {
                    annulus::select! {
                        written = stream.write_all(&bytes) => written?,
                        _ = receiver.changed() => {}
                        () = annulus::time::sleep(Duration::from_millis(first)) => {}
                    }
                    let added = annulus::task::spawn_blocking(move || first + 1)
                        .await
                        .unwrap();
                    std::hint::black_box(added);
                }
                std::io::Result::Ok(first)
            }));
        }
        for round in 1..20 {
            sender.send_replace(round);
            annulus::time::sleep(Duration::from_millis(3)).await;
        }
        for task in tasks {
            task.await??;
        }
        Ok(())
    });
    sim.run().unwrap();
}

#[test]
fn a_seed_replays_what_select_watch_maps_and_blocking_closures_did() {
    let traces: Vec<String> = (0..2)
        .map(|_| {
            let program = std::env::current_exe().unwrap();
            let output = std::process::Command::new(program)
                .args([
                    "replay::draws_for_a_seed",
                    "--exact",
                    "--nocapture",
                    "--ignored",
                ])
                .env("ANNULUS_SEED", "5")
                .output()
                .unwrap();
            let text = String::from_utf8(output.stdout).unwrap();
            let line = text.lines().find(|line| line.contains("trace"));
            line.unwrap_or_else(|| panic!("{text}")).to_owned()
        })
        .collect();
    assert_eq!(traces[0], traces[1]);
}

#[test]
#[ignore = "run by the test above, in a process of its own"]
fn draws_for_a_seed() {
    seeds(1, draw);
}
