//! An axum Router, served through hyper-util on annulus: no tokio runtime and no
//! epoll in the process.
//!
//! Run: `cargo run --release -p annulus-examples --example http [-- --addr ADDR]`
//! and in another terminal: `curl http://127.0.0.1:8080/hello/ring`
//!
//! One sees: `listening on http://127.0.0.1:8080`, and from curl `hello, ring`.
//! Ctrl-C: no more connections are taken, requests that are being answered are
//! finished (try it during `curl http://127.0.0.1:8080/slow`), and the server
//! ends with status 0. Those that take longer than ten seconds are cut off, with
//! status 1.
//!
//! What joins the two worlds is small: `TokioIo`, because annulus' streams have
//! tokio's traits, and an `Executor` that spawns on annulus.
#![forbid(unsafe_code)]

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use annulus::net::{TcpListener, TcpStream};
use annulus::signal::unix::{SignalKind, signal};
use annulus::time::{sleep, timeout};
use axum::Router;
use axum::extract::Path;
use axum::routing::get;
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use lexopt::prelude::*;

const USAGE: &str = "usage: http [--addr ADDR]    (default: --addr 127.0.0.1:8080)";
const GRACE: Duration = Duration::from_secs(10);

fn router() -> Router {
    Router::new()
        .route("/", get(async || "hello\n"))
        .route(
            "/hello/{name}",
            get(async |Path(name): Path<String>| format!("hello, {name}\n")),
        )
        .route("/slow", get(slow))
}

async fn slow() -> &'static str {
    sleep(Duration::from_secs(2)).await;
    "two seconds later\n"
}

#[annulus::main]
async fn main() -> ExitCode {
    // Where io_uring is refused a line on stderr says so, and why.
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .init();
    let addr = match addr(lexopt::Parser::from_env()) {
        Ok(Some(addr)) => addr,
        Ok(None) => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("http: {error}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match serve(&addr).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("http: {addr}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The address to listen on, or `None` where only help was asked for.
fn addr(mut args: lexopt::Parser) -> Result<Option<String>, lexopt::Error> {
    let mut addr = "127.0.0.1:8080".to_owned();
    while let Some(arg) = args.next()? {
        match arg {
            Long("addr") => addr = args.value()?.string()?,
            Short('h') | Long("help") => return Ok(None),
            _ => return Err(arg.unexpected()),
        }
    }
    Ok(Some(addr))
}

async fn serve(addr: &str) -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind(addr).await?;
    // Before the address is printed: who reads it may press Ctrl-C at once.
    let mut ctrl_c = signal(SignalKind::interrupt())?;
    println!("listening on http://{}", listener.local_addr()?);

    let server = auto::Builder::new(Executor);
    let service = TowerToHyperService::new(router());
    let graceful = GracefulShutdown::new();
    loop {
        let accepted = annulus::select! {
            accepted = listener.accept() => accepted,
            _ = ctrl_c.recv() => break,
        };
        match accepted {
            Ok((stream, _)) => answer(stream, &server, service.clone(), &graceful),
            Err(error) => eprintln!("http: accept: {error}"),
        }
    }
    drop(listener);
    eprintln!("http: finishing {} connections", graceful.count());
    timeout(GRACE, graceful.shutdown())
        .await
        .map_err(|_| format!("requests still unanswered after {} s", GRACE.as_secs()))?;
    Ok(())
}

fn answer(
    stream: TcpStream,
    server: &auto::Builder<Executor>,
    service: TowerToHyperService<Router>,
    graceful: &GracefulShutdown,
) {
    // Answers are written whole: there is nothing for Nagle's algorithm to join.
    // Where it fails the peer has gone, and the first read says so.
    let _ = stream.set_nodelay(true);
    let connection = server
        .serve_connection(TokioIo::new(stream), service)
        .into_owned();
    // An error here is a peer that broke off or does not speak HTTP: its loss.
    annulus::spawn(graceful.watch(connection));
}

/// Where hyper spawns what it must, such as the streams of an HTTP/2 connection.
#[derive(Clone, Copy)]
struct Executor;

impl<F> hyper::rt::Executor<F> for Executor
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, future: F) {
        annulus::spawn(future);
    }
}
