//! Crates outside the workspace, as users write them: one that renames annulus to tokio, and one
//! that patches tokio and serves with an unchanged axum.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use annulus_tests::{is_emulated, serial};

const TOKIO: &str = "tokio-1.54.1";

fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .canonicalize()
        .expect("the package has a parent")
}

/// A folder for what these tests build, beside what cargo builds: the test's own binary lies in
/// `TARGET/debug/deps`.
fn target() -> PathBuf {
    let program = std::env::current_exe().expect("a test knows its own path");
    let target = program
        .ancestors()
        .nth(3)
        .expect("the binary lies three folders deep");
    target.join("outside")
}

/// Writes a package of one file, with the workspace's own lock, so that the same versions do.
fn package(folder: &Path, manifest: &str, main: &str) {
    fs::create_dir_all(folder.join("src")).expect("the temporary folder takes one");
    fs::write(folder.join("Cargo.toml"), manifest).expect("a file is written");
    fs::write(folder.join("src/main.rs"), main).expect("a file is written");
    if let Ok(lock) = fs::read(top().join("Cargo.lock")) {
        fs::write(folder.join("Cargo.lock"), lock).expect("a file is written");
    }
}

/// Runs cargo in `folder`: without the network if all is there, else with it.
fn cargo(folder: &Path, args: &[&str]) {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let run = |offline: &[&str]| {
        Command::new(&cargo)
            .current_dir(folder)
            .args(args)
            .args(offline)
            .env("CARGO_TARGET_DIR", target())
            .env("CARGO_PROFILE_DEV_DEBUG", "0")
            .output()
            .expect("cargo starts")
    };
    let offline = run(&["--offline"]);
    if !offline.status.success() {
        let online = run(&[]);
        assert!(
            online.status.success(),
            "offline:\n{}\nonline:\n{}",
            String::from_utf8_lossy(&offline.stderr),
            String::from_utf8_lossy(&online.stderr),
        );
    }
}

/// Builds the package `name` in `folder`, and returns its program.
fn build(folder: &Path, name: &str) -> PathBuf {
    cargo(folder, &["build"]);
    target().join("debug").join(name)
}

#[test]
fn a_crate_that_renames_annulus_to_tokio_runs() {
    let _serial = serial();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let manifest = format!(
        r#"
            [package]
            name = "renamed"
            version = "0.1.0"
            edition = "2024"

            [dependencies]
            tokio = {{ package = "annulus", path = "{}", features = ["full"] }}

            [workspace]
        "#,
        top().join("runtime").display(),
    );
    package(folder.path(), &manifest, RENAMED);
    let output = Command::new(build(folder.path(), "renamed"))
        .output()
        .expect("it starts");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "pong after the timer\n"
    );
}

const RENAMED: &str = r#"
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, mpsc, oneshot};

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let (stop, stopped) = oneshot::channel::<()>();
    let server = tokio::spawn(async move {
        tokio::select! {
            _ = stopped => 0,
            accepted = listener.accept() => {
                let (mut stream, _) = accepted.expect("accepts");
                let mut ping = [0; 4];
                stream.read_exact(&mut ping).await.expect("reads");
                stream.write_all(b"pong").await.expect("writes");
                1
            }
        }
    });
    let (sender, mut receiver) = mpsc::channel(1);
    let log = std::sync::Arc::new(Mutex::new(String::new()));
    let client = {
        let log = log.clone();
        async move {
            let mut stream = TcpStream::connect(address).await?;
            stream.write_all(b"ping").await?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await?;
            log.lock().await.push_str(&answer);
            sender.send(()).await.expect("the receiver waits");
            std::io::Result::Ok(())
        }
    };
    let timer = tokio::time::sleep(Duration::from_millis(20));
    let (client, ()) = tokio::join!(client, timer);
    client?;
    receiver.recv().await.expect("the client is done");
    drop(stop);
    assert_eq!(server.await.expect("the server does not panic"), 1);
    let never = tokio::time::timeout(Duration::from_millis(1), std::future::pending::<()>());
    never.await.expect_err("it never ends");
    println!("{} after the timer", log.lock().await);
    Ok(())
}
"#;

#[test]
fn a_crate_that_patches_tokio_serves_with_an_unchanged_axum() {
    let _serial = serial();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let patch = patch_manifest();
    let manifest = format!(
        r#"
            [package]
            name = "patched"
            version = "0.1.0"
            edition = "2024"

            [dependencies]
            axum = {{ version = "0.8", default-features = false, features = ["http1", "tokio"] }}
            tokio = {{ version = "1", features = ["macros", "net", "rt-multi-thread"] }}

            [patch.crates-io]
            tokio = {{ path = "{}" }}

            [workspace]
        "#,
        patch.display(),
    );
    package(folder.path(), &manifest, PATCHED);
    // As a user does: a lock from before the patch holds on to the published tokio.
    cargo(folder.path(), &["update", "--package", "tokio"]);
    let program = build(folder.path(), "patched");

    // 1. The server names the port it was given.
    let mut server = Command::new(program)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut line = String::new();
    let stdout = server.stdout.as_mut().expect("stdout is a pipe");
    BufReader::new(stdout)
        .read_line(&mut line)
        .expect("it speaks");
    let address = line
        .trim()
        .strip_prefix("listening on ")
        .expect("it listens")
        .to_owned();
    // 2. It answers, and it has no epoll instance: axum's calls went to the ring.
    let answer = get(&address);
    let kinds = fs::read_dir(format!("/proc/{}/fd", server.id())).expect("it runs");
    let kinds: Vec<_> = kinds
        .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok())
        .map(|target| target.to_string_lossy().into_owned())
        .collect();
    // 3. It ends with its stdin.
    drop(server.stdin.take());
    let status = server.wait().expect("it can be waited for");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.ends_with("hello from axum"), "{answer}");
    let (io_uring, epoll) = ("anon_inode:[io_uring]", "anon_inode:[eventpoll]");
    let (ours, others) = if is_emulated() {
        (epoll, io_uring)
    } else {
        (io_uring, epoll)
    };
    assert!(kinds.iter().any(|kind| kind == ours), "{kinds:?}");
    assert!(!kinds.iter().any(|kind| kind == others), "{kinds:?}");
    assert!(status.success(), "{status}");
}

const PATCHED: &str = r#"
use axum::{Router, routing::get};

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let (closed, stop) = tokio::sync::oneshot::channel::<()>();
    std::thread::spawn(move || {
        std::io::copy(&mut std::io::stdin(), &mut std::io::sink()).expect("stdin is a pipe");
        let _ = closed.send(());
    });
    let app = Router::new().route("/", get(|| async { "hello from axum" }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on {}", listener.local_addr()?);
    axum::serve(listener, app)
        .with_graceful_shutdown(async { _ = stop.await })
        .await
}
"#;

fn get(address: &str) -> String {
    let mut stream = std::net::TcpStream::connect(address).expect("the server listens");
    stream
        .write_all(
            format!("GET / HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").as_bytes(),
        )
        .expect("the server reads");
    let mut answer = String::new();
    stream
        .read_to_string(&mut answer)
        .expect("the server answers and closes");
    answer
}

/// The folder of a variant of `runtime/patch/Cargo.toml` whose `real` is a copy of the published
/// tokio: one version of a package per source is all that cargo holds, and this needs no git.
fn patch_manifest() -> PathBuf {
    let folder = target().join("patch");
    let runtime = top().join("runtime");
    fs::create_dir_all(&folder).expect("the target folder takes one");
    let real = target().join(TOKIO);
    if !real.join("Cargo.toml").exists() {
        copy(&published(), &real);
    }
    let manifest = fs::read_to_string(runtime.join("patch/Cargo.toml")).expect("it is there");
    let mut variant = String::new();
    let mut replaced = 0;
    for line in manifest.lines() {
        if line.starts_with("real = ") {
            let (before, after) = line.split_once("git = ").expect("real comes from git");
            let (_, rest) = after
                .split_once("default-features")
                .expect("it names its features");
            let path = real.display();
            variant += &format!("{before}path = \"{path}\", default-features{rest}");
            replaced += 1;
        } else {
            // Its paths are relative to runtime/patch.
            variant += &line
                .replace("path = \"../../", &format!("path = \"{}/", top().display()))
                .replace("path = \"../", &format!("path = \"{}/", runtime.display()));
        }
        variant.push('\n');
    }
    assert_eq!(
        replaced, 2,
        "the manifest names `real` for Linux and for the rest"
    );
    let path = folder.join("Cargo.toml");
    if fs::read_to_string(&path).is_ok_and(|text| text == variant) {
        return folder;
    }
    fs::write(path, variant).expect("a file is written");
    folder
}

/// Where cargo has unpacked the published tokio, which the workspace depends on.
fn published() -> PathBuf {
    let home = std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .unwrap_or_else(|| {
            Path::new(&std::env::var_os("HOME").expect("a user has a home")).join(".cargo")
        });
    let registries = fs::read_dir(home.join("registry/src")).expect("cargo has unpacked crates");
    registries
        .map(|registry| {
            registry
                .expect("the folder lists itself")
                .path()
                .join(TOKIO)
        })
        .find(|path| path.exists())
        .expect("the workspace's tokio is unpacked")
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("the target folder takes one");
    for entry in fs::read_dir(from).expect("the folder is there") {
        let entry = entry.expect("the folder lists itself");
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy(&from, &to);
        } else {
            fs::copy(from, to).expect("a file is copied");
        }
    }
}
