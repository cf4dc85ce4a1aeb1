//! A task, a timer, a file and a socket, in ten lines.
//!
//! Run: `cargo run --release -p annulus-examples --example tour`
//!
//! One sees: `a task slept 10 ms; a file and a socket said "hello, ring"`
#![forbid(unsafe_code)]

use std::time::Duration;

use annulus::io::{AsyncReadExt, AsyncWriteExt};
use annulus::net::{TcpListener, TcpStream};
use annulus::{fs, spawn, time};

#[annulus::main]
async fn main() -> std::io::Result<()> {
    let task = spawn(time::sleep(Duration::from_millis(10)));
    let path = std::env::temp_dir().join(format!("annulus-tour-{}", std::process::id()));
    fs::write(&path, "hello, ring").await?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let mut client = TcpStream::connect(listener.local_addr()?).await?;
    listener
        .accept()
        .await?
        .0
        .write_all(&fs::read(&path).await?)
        .await?;
    let mut heard = String::new();
    client.read_to_string(&mut heard).await?;
    task.await?;
    println!("a task slept 10 ms; a file and a socket said {heard:?}");
    fs::remove_file(&path).await
}
