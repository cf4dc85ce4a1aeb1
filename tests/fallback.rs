//! Where io_uring is refused a server serves all the same, and one line of the log says why.

use std::io::{ErrorKind, Read, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use annulus::io::{AsyncReadExt, AsyncWriteExt};
use annulus::net::TcpListener;
use annulus::runtime::{Builder, KernelKind, RecvMode};
use annulus_tests::{
    FdKind, IO_URING, current_thread, descriptors, in_child, multi_thread, nothing_in_flight,
    on_thread, refuse, stress, turns,
};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// Connections of a full run.
const CONNECTIONS: u64 = 2000;

/// What the log says, above DEBUG.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<(Level, String)>>>);

impl Log {
    fn lines(&self) -> Vec<(Level, String)> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::INFO
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut text = Text(String::new());
        event.record(&mut text);
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.push((*event.metadata().level(), text.0));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

/// Builds with `builder`, and returns what the log said about it.
fn logged<T>(build: impl FnOnce() -> T) -> (T, Vec<(Level, String)>) {
    let log = Log::default();
    let built = tracing::subscriber::with_default(log.clone(), build);
    (built, log.lines())
}

/// From here on there is no io_uring for this process, and nothing in its environment says so.
fn without_io_uring(errno: i32) {
    refuse(&IO_URING[..1], errno).expect("a filter needs no privilege");
    // SAFETY: this process runs one test, which has started no other thread yet.
    unsafe { std::env::remove_var("ANNULUS_KERNEL") };
}

fn serves(errno: i32, name: &str, cause: &str) {
    without_io_uring(errno);
    let modes = [RecvMode::Base, RecvMode::Hot];
    let builders: [fn(RecvMode) -> Builder; 2] = [current_thread, multi_thread];
    for (mode, builder) in modes
        .into_iter()
        .flat_map(|mode| builders.map(|one| (mode, one)))
    {
        // 1. It builds, and says why there is no io_uring, once.
        let (runtime, lines) = logged(|| builder(mode).build().expect("it falls back"));
        let [(level, line)] = &lines[..] else {
            panic!("one line: {lines:?}");
        };
        println!("{line}");
        assert_eq!(*level, Level::WARN);
        for part in ["emulated", name, cause] {
            assert!(line.contains(part), "{part}: {line}");
        }
        // 2. An echo server serves; its clients know nothing of rings.
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("it binds");
            let address = listener.local_addr().expect("it is bound");
            let server = annulus::spawn(async move {
                while let Ok((mut stream, _)) = listener.accept().await {
                    annulus::spawn(async move {
                        let mut buf = [0; 64];
                        while let Ok(len @ 1..) = stream.read(&mut buf).await {
                            stream
                                .write_all(&buf[..len])
                                .await
                                .expect("the client reads");
                        }
                    });
                }
            });
            let clients = annulus::task::spawn_blocking(move || {
                for number in 0..stress(CONNECTIONS) {
                    let mut client = std::net::TcpStream::connect(address).expect("it listens");
                    let mut back = [0; 8];
                    client.write_all(&number.to_ne_bytes()).expect("it reads");
                    client.read_exact(&mut back).expect("it answers");
                    assert_eq!(u64::from_ne_bytes(back), number);
                }
            });
            // 3. Files and timers beside it.
            let folder = tempfile::tempdir().expect("a temporary folder");
            let path = folder.path().join("file");
            annulus::fs::write(&path, b"kept")
                .await
                .expect("there is room");
            assert_eq!(
                annulus::fs::read(&path).await.expect("it is there"),
                b"kept"
            );
            annulus::time::sleep(Duration::from_millis(1)).await;
            clients.await.expect("no client was let down");
            server.abort();
        });
        assert!(!descriptors().contains_key(&FdKind::Ring));
        drop(runtime);
        nothing_in_flight(name);
    }
}

#[test]
fn a_server_runs_where_a_profile_forbids_io_uring() {
    in_child("a_server_runs_where_a_profile_forbids_io_uring", || {
        serves(libc::EPERM, "EPERM", "seccomp");
    });
}

#[test]
fn a_server_runs_where_there_is_no_io_uring() {
    in_child("a_server_runs_where_there_is_no_io_uring", || {
        serves(libc::ENOSYS, "ENOSYS", "does not have it");
    });
}

#[test]
fn a_memory_limit_is_no_reason_not_to_run() {
    in_child("a_memory_limit_is_no_reason_not_to_run", || {
        serves(libc::ENOMEM, "ENOMEM", "not enough memory");
    });
}

#[test]
fn a_log_that_is_set_up_in_the_runtime_hears_the_line_once() {
    let name = "a_log_that_is_set_up_in_the_runtime_hears_the_line_once";
    in_child(name, || {
        without_io_uring(libc::EPERM);
        for builder in [current_thread, multi_thread] {
            // 1. Nobody listens when it is built.
            let runtime = builder(RecvMode::Base).build().expect("it falls back");
            let log = Log::default();
            for _ in 0..2 {
                runtime.block_on(async {
                    let _listening = tracing::subscriber::set_default(log.clone());
                    turns().await;
                });
                // 2. One line, however often it is blocked on.
                let lines = log.lines();
                let [(level, line)] = &lines[..] else {
                    panic!("one line: {lines:?}");
                };
                assert_eq!(*level, Level::WARN);
                assert!(line.contains("EPERM"), "{line}");
            }
        }
    });
}

#[test]
fn a_kernel_that_was_asked_for_is_what_there_is_and_the_log_says_so() {
    let (runtime, lines) = logged(|| {
        let mut builder = current_thread(RecvMode::Base);
        builder.kernel(KernelKind::Emulated).build()
    });
    drop(runtime.expect("it needs nothing"));
    let [(level, line)] = &lines[..] else {
        panic!("one line: {lines:?}");
    };
    assert_eq!(*level, Level::INFO);
    assert!(
        line.contains("emulated") && line.contains("Builder::kernel"),
        "{line}"
    );
}

#[test]
fn a_diagnosis_names_the_refusal_and_the_remedy() {
    in_child("a_diagnosis_names_the_refusal_and_the_remedy", || {
        let before = annulus::diagnose();
        without_io_uring(libc::EPERM);
        let diagnosis = annulus::diagnose();
        let text = diagnosis.to_string();
        println!("{before}\n\n{text}");
        assert_eq!(diagnosis.chosen, Some("emulated"));
        assert_eq!(diagnosis.seccomp, annulus::Seccomp::Filtered);
        assert_eq!(diagnosis.nofile, before.nofile);
        for part in ["EPERM", "seccomp profile", "a thread for each"] {
            assert!(text.contains(part), "{part}: {text}");
        }
    });
}

#[test]
fn a_builder_says_so_where_the_shortage_is_one_of_descriptors() {
    in_child(
        "a_builder_says_so_where_the_shortage_is_one_of_descriptors",
        || {
            without_io_uring(libc::EMFILE);
            let error = current_thread(RecvMode::Base)
                .build()
                .expect_err("no descriptor");
            assert!(error.to_string().contains("ulimit -n"), "{error}");
        },
    );
}

#[test]
fn the_variable_names_a_kernel_that_there_is() {
    in_child("the_variable_names_a_kernel_that_there_is", || {
        refuse(&IO_URING[..1], libc::EPERM).expect("a filter needs no privilege");
        let build = |name: &str| {
            // SAFETY: this process runs one test, whose runtimes have ended their threads.
            unsafe { std::env::set_var("ANNULUS_KERNEL", name) };
            on_thread(|| logged(|| current_thread(RecvMode::Base).build().map(drop)))
        };
        // 1. One that does not exist.
        let (built, lines) = build("epoll");
        let error = built.expect_err("there is no such kernel");
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        let text = error.to_string();
        for part in ["ANNULUS_KERNEL", "epoll", "uring", "emulated"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(lines.is_empty(), "{lines:?}");
        // 2. One that is refused: the cause and the remedy.
        let text = build("uring").0.expect_err("it is refused").to_string();
        assert!(
            text.contains("EPERM") && text.contains("seccomp profile"),
            "{text}"
        );
        // 3. One that is there.
        let (built, lines) = build("emulated");
        built.expect("it needs nothing");
        assert!(lines[0].1.contains("ANNULUS_KERNEL"), "{lines:?}");
        // 4. What the program says goes before what the variable does.
        let mut builder = current_thread(RecvMode::Base);
        assert!(builder.kernel(KernelKind::Uring).build().is_err());
    });
}
