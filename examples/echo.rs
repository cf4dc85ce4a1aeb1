//! A server that sends back what it is sent, as one writes it for tokio: delete
//! the `use annulus as tokio` line, and it is a program for tokio.
//!
//! Run: `cargo run --release -p annulus-examples --example echo [ADDR]`, and in
//! another terminal: `nc 127.0.0.1 7000`
//!
//! One sees: `listening on 127.0.0.1:7000`, and each line that is typed into
//! `nc` comes back. Ctrl-C ends the server.
#![forbid(unsafe_code)]

use annulus as tokio;

use tokio::net::{TcpListener, TcpStream};

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let addr = std::env::args().nth(1);
    let listener = TcpListener::bind(addr.as_deref().unwrap_or("127.0.0.1:7000")).await?;
    println!("listening on {}", listener.local_addr()?);
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                tokio::spawn(async move {
                    if let Err(error) = echo(stream).await {
                        eprintln!("{peer}: {error}");
                    }
                });
            }
            // Out of descriptors, or a peer that left while it was waiting:
            // the next one may be luckier.
            Err(error) => eprintln!("accept: {error}"),
        }
    }
}

async fn echo(mut stream: TcpStream) -> std::io::Result<()> {
    let (mut reader, mut writer) = stream.split();
    tokio::io::copy(&mut reader, &mut writer).await?;
    Ok(())
}
