//! What a user of `annulus::sim` can ask for, and what a program is refused that leaves the world.

use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use annulus::fs;
use annulus::io::unix::AsyncFd;
use annulus::io::{AsyncReadExt, AsyncWriteExt};
use annulus::net::unix::pipe;
use annulus::net::{TcpListener, TcpStream, UdpSocket};
use annulus::runtime::{Builder, Handle, RecvMode};
use annulus::sim::{Sim, seeds};
use annulus::time::{sleep, timeout};

annulus::sim_install!();

/// A server that says its name to whoever comes.
fn greeter(sim: &mut Sim) {
    sim.host("server", || async {
        let listener = TcpListener::bind("0.0.0.0:80").await?;
        loop {
            let (mut stream, _) = listener.accept().await?;
            annulus::spawn(async move { stream.write_all(b"server").await });
        }
    });
}

async fn greeting() -> std::io::Result<String> {
    let mut stream = TcpStream::connect("server:80").await?;
    let mut text = String::new();
    stream.read_to_string(&mut text).await?;
    Ok(text)
}

fn text_of(error: &dyn std::fmt::Display, parts: &[&str]) {
    let text = error.to_string();
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in {text:?}");
    }
}

// ---- Hosts --------------------------------------------------------------------------------

#[test]
fn a_host_that_was_crashed_is_silent_until_it_is_bounced() {
    let mut sim = Sim::new(1);
    greeter(&mut sim);
    let heard = Arc::new(Mutex::new(Vec::new()));
    let hears = heard.clone();
    sim.client("client", async move {
        for _ in 0..3 {
            let said = timeout(Duration::from_secs(1), greeting()).await;
            hears
                .lock()
                .unwrap()
                .push(matches!(said, Ok(Ok(text)) if text == "server"));
            sleep(Duration::from_secs(10)).await;
        }
        Ok(())
    });
    assert!(!sim.run_for(Duration::from_secs(5)).unwrap());
    sim.crash("server");
    assert!(!sim.is_host_running("server"));
    assert!(!sim.run_for(Duration::from_secs(10)).unwrap());
    sim.bounce("server");
    assert!(sim.is_host_running("server"));
    sim.run().unwrap();
    assert_eq!(*heard.lock().unwrap(), [true, false, true]);
    assert!(!sim.is_host_running("client"));
}

#[test]
fn a_partition_lasts_until_it_is_repaired() {
    let mut sim = Sim::new(2);
    greeter(&mut sim);
    sim.client("client", async {
        let began = annulus::time::Instant::now();
        assert_eq!(greeting().await?, "server");
        assert!(
            began.elapsed() >= Duration::from_secs(3),
            "{:?}",
            began.elapsed()
        );
        Ok(())
    });
    sim.partition("client", "server");
    assert!(!sim.run_for(Duration::from_secs(3)).unwrap());
    sim.repair("client", "server");
    sim.run().unwrap();
}

#[test]
fn a_client_that_was_crashed_is_not_waited_for() {
    let mut sim = Sim::new(3);
    sim.client("sleeper", std::future::pending());
    sim.client("worker", async { Ok(()) });
    sim.crash("sleeper");
    sim.run().unwrap();
}

#[test]
fn a_host_is_as_its_settings_say() {
    let mut sim = Sim::new(4);
    sim.workers(1).descriptors_max(20);
    sim.runtime(|builder| {
        builder.recv_mode(RecvMode::Hot).ring_entries(8, 16);
    });
    greeter(&mut sim);
    sim.client("client", async {
        assert_eq!(greeting().await?, "server");
        let mut sockets = Vec::new();
        let refused = loop {
            match UdpSocket::bind("0.0.0.0:0").await {
                Ok(socket) => sockets.push(socket),
                Err(error) => break error,
            }
        };
        assert_eq!(refused.raw_os_error(), Some(libc::EMFILE));
        assert!(sockets.len() < 20, "{}", sockets.len());
        Ok(())
    });
    sim.run().unwrap();
}

#[test]
fn names_are_found_and_unknown_ones_refused() {
    let mut sim = Sim::new(5);
    greeter(&mut sim);
    let server = sim.lookup("server");
    sim.client("client", async move {
        let found: Vec<_> = annulus::net::lookup_host("server:80").await?.collect();
        assert!(found.iter().any(|address| address.ip() == server));
        assert!(annulus::net::lookup_host("nobody:80").await.is_err());
        Ok(())
    });
    sim.run().unwrap();
    let unknown = catch_unwind(AssertUnwindSafe(|| {
        sim.crash("nobody");
    }));
    assert!(unknown.is_err());
}

#[test]
fn the_error_of_a_run_names_seed_host_and_cause() {
    let run = |software: Box<dyn Fn(&mut Sim)>| {
        let mut sim = Sim::new(77);
        software(&mut sim);
        sim.run().expect_err("it fails")
    };
    let error = run(Box::new(|sim| {
        sim.client("client", async { Err("no bread".into()) });
    }));
    text_of(&error, &["seed 77", "client", "no bread"]);
    let error = run(Box::new(|sim| {
        sim.client("client", async { panic!("no butter") });
    }));
    text_of(&error, &["seed 77", "client panicked", "no butter"]);
    let error = run(Box::new(|sim| {
        sim.client("client", std::future::pending());
    }));
    text_of(&error, &["seed 77", "nothing is left", "client waits"]);
    let error = run(Box::new(|sim| {
        sim.duration_max(Duration::from_secs(9));
        sim.client("client", async {
            sleep(Duration::from_secs(10)).await;
            Ok(())
        });
    }));
    text_of(&error, &["seed 77", "client did not end within 9s"]);
}

#[test]
fn a_panic_of_the_test_leaves_the_thread_to_the_next_world() {
    let failed = catch_unwind(|| {
        let mut sim = Sim::new(6);
        greeter(&mut sim);
        sim.client("client", async {
            greeting().await.map(drop).map_err(Into::into)
        });
        sim.run_for(Duration::from_millis(1)).unwrap();
        sim.partition("client", "nobody");
    });
    assert!(failed.is_err());
    // The real clock again, and a runtime of the system.
    assert!(Builder::new_current_thread().build().is_ok());
    let mut sim = Sim::new(6);
    greeter(&mut sim);
    sim.client("client", async {
        greeting().await.map(drop).map_err(Into::into)
    });
    sim.run().unwrap();
}

#[test]
fn a_pipe_joins_tasks_of_a_host() {
    let mut sim = Sim::new(12);
    sim.client("client", async {
        let (mut sender, mut receiver) = pipe::pipe()?;
        let writer = annulus::spawn(async move {
            for round in 0..100_u8 {
                sender.write_all(&[round; 1000]).await?;
            }
            std::io::Result::Ok(())
        });
        let mut bytes = Vec::new();
        receiver.read_to_end(&mut bytes).await?;
        writer.await??;
        assert!(
            bytes
                .chunks(1000)
                .zip(0..100)
                .all(|(chunk, round)| chunk == [round; 1000])
        );
        assert_eq!(bytes.len(), 100_000);
        annulus::io::stdout()
            .write_all(b"written by the simulated host\n")
            .await?;
        Ok(())
    });
    sim.run().unwrap();
}

// ---- Leaving the world --------------------------------------------------------------------

#[test]
fn what_would_leave_the_world_is_refused_by_name() {
    let mut sim = Sim::new(8);
    sim.client("client", async {
        let refused = Builder::new_current_thread().build().expect_err("refused");
        assert_eq!(refused.kind(), ErrorKind::Unsupported);
        text_of(&refused, &["Builder::build", "annulus::spawn"]);

        let refused = annulus::signal::ctrl_c().await.expect_err("refused");
        assert_eq!(refused.kind(), ErrorKind::Unsupported);
        text_of(&refused, &["signal"]);

        let refused = annulus::process::Command::new("true")
            .spawn()
            .expect_err("refused");
        assert_eq!(refused.kind(), ErrorKind::Unsupported);
        text_of(&refused, &["starting a process", "a host of its own"]);

        let refused = annulus::io::stdin()
            .read(&mut [0])
            .await
            .expect_err("refused");
        assert_eq!(refused.kind(), ErrorKind::Unsupported);
        text_of(&refused, &["standard input"]);

        let refused = pipe::OpenOptions::new()
            .open_receiver("/nowhere")
            .expect_err("refused");
        assert_eq!(refused.kind(), ErrorKind::Unsupported);
        text_of(&refused, &["opening a pipe", "pipe::pipe"]);

        let outside = std::net::UdpSocket::bind("127.0.0.1:0")?;
        // SAFETY: the socket owns its descriptor and is left alone.
        let refused = unsafe { AsyncFd::register(outside) }.expect_err("refused");
        let (_socket, refused) = refused.into_parts();
        assert_eq!(refused.kind(), ErrorKind::Unsupported);
        text_of(&refused, &["AsyncFd::register"]);

        let socket = std::net::UdpSocket::bind("127.0.0.1:0")?;
        let refused = UdpSocket::from_std(socket).expect_err("refused");
        assert_eq!(refused.kind(), ErrorKind::Unsupported);
        text_of(&refused, &["UdpSocket::from_std"]);

        let own = UdpSocket::bind("0.0.0.0:7").await?.into_std()?;
        assert_eq!(UdpSocket::from_std(own)?.local_addr()?.port(), 7);

        let handle = Handle::current();
        let blocked = annulus::task::spawn_blocking(move || handle.block_on(async {})).await;
        text_of(
            &blocked.expect_err("it panics"),
            &["block_on", "simulated world"],
        );
        Ok(())
    });
    sim.run().unwrap();
}

#[test]
fn a_closure_in_place_runs_on_the_spot() {
    let mut sim = Sim::new(9);
    sim.client("client", async {
        let thread = std::thread::current().id();
        let there = annulus::task::block_in_place(|| std::thread::current().id());
        assert_eq!(thread, there);
        Ok(())
    });
    sim.run().unwrap();
}

#[test]
fn a_closure_that_does_not_return_ends_the_program_with_its_site_and_seed() {
    let program = std::env::current_exe().unwrap();
    let output = Command::new(program)
        .args([
            "a_closure_waits_for_ever",
            "--exact",
            "--include-ignored",
            "--nocapture",
        ])
        .output()
        .unwrap();
    assert!(!output.status.success());
    let text = String::from_utf8(output.stderr).unwrap();
    text_of(
        &text,
        &[
            "seed 10",
            "tests/sim_api.rs",
            "ANNULUS_SEED=10",
            "\"client\"",
        ],
    );
}

#[test]
#[ignore = "run by the test above, in a process of its own"]
fn a_closure_waits_for_ever() {
    let mut sim = Sim::new(10);
    sim.client("client", async {
        let (_sender, receiver) = std::sync::mpsc::channel::<()>();
        let closure = annulus::task::spawn_blocking(move || receiver.recv());
        sleep(Duration::from_secs(1)).await;
        drop(_sender);
        let _ = closure.await;
        Ok(())
    });
    let _ = sim.run();
}

// ---- Seeds --------------------------------------------------------------------------------

#[test]
fn a_seed_that_fails_is_named_with_the_command_that_replays_it() {
    let output = seeds_in_a_child("some_seeds_fail");
    assert!(!output.0);
    let command = "ANNULUS_SEED=3 cargo test some_seeds_fail -- --exact";
    text_of(&output.1, &["seed 3 failed", command, "three is too many"]);
}

#[test]
#[ignore = "run by the test above, in a process of its own"]
fn some_seeds_fail() {
    seeds(10, |sim| {
        let seed = sim.seed();
        sim.client("client", async move {
            assert!(seed < 3, "three is too many");
            Ok(())
        });
        sim.run().unwrap();
    });
}

#[test]
fn a_test_whose_runs_differ_is_told_so() {
    let output = seeds_in_a_child("runs_differ");
    assert!(!output.0);
    text_of(&output.1, &["seed 0 does not replay", "ANNULUS_SEED=0"]);
}

#[test]
#[ignore = "run by the test above, in a process of its own"]
fn runs_differ() {
    seeds(1, |sim| {
        let process = u64::from(std::process::id());
        sim.client("client", async move {
            sleep(Duration::from_millis(process)).await;
            Ok(())
        });
        sim.run().unwrap();
    });
}

/// Whether the test passed, and what it printed.
fn seeds_in_a_child(test: &str) -> (bool, String) {
    let program = std::env::current_exe().unwrap();
    let output = Command::new(program)
        .args([test, "--exact", "--include-ignored", "--nocapture"])
        .output()
        .unwrap();
    let mut text = String::from_utf8(output.stdout).unwrap();
    text += &String::from_utf8(output.stderr).unwrap();
    (output.status.success(), text)
}

// ---- Files --------------------------------------------------------------------------------

#[test]
fn every_function_of_fs_stays_in_the_root_of_its_host() {
    let mut sim = Sim::new(11);
    sim.client("client", async {
        fs::create_dir_all("/etc/deep/down").await?;
        fs::write("/etc/hosts", "mine").await?;
        fs::copy("/etc/hosts", "/etc/copy").await?;
        assert_eq!(fs::read_to_string("etc/copy").await?, "mine");
        fs::symlink("../../../../../etc", "/out").await?;
        assert_eq!(fs::read_to_string("/out/hosts").await?, "mine");
        let target = fs::read_link("/out").await?;
        assert_eq!(target.to_str(), Some("../../../../../etc"));
        let found = fs::canonicalize("/out/deep/../hosts").await?;
        assert_eq!(found.to_str(), Some("/etc/hosts"));

        let mut permissions = fs::metadata("/out/hosts").await?.permissions();
        permissions.set_readonly(true);
        fs::set_permissions("/out/hosts", permissions).await?;
        assert!(fs::metadata("/etc/hosts").await?.permissions().readonly());

        for name in ["c", "a", "b"] {
            fs::write(format!("/etc/deep/{name}"), name).await?;
        }
        let mut entries = fs::read_dir("/out/deep").await?;
        let mut names = Vec::new();
        while let Some(entry) = entries.next_entry().await? {
            names.push(entry.path());
            entry.metadata().await?;
        }
        let expected = [
            "/out/deep/a",
            "/out/deep/b",
            "/out/deep/c",
            "/out/deep/down",
        ];
        assert!(
            names.iter().eq(expected.map(std::path::Path::new)),
            "{names:?}"
        );

        let mut options = std::fs::OpenOptions::new();
        options.write(true).create(true);
        let file = fs::OpenOptions::from(options).open("/out/made").await?;
        file.set_len(5).await?;
        assert_eq!(fs::metadata("/etc/made").await?.len(), 5);

        fs::remove_dir_all("/etc").await?;
        assert!(!fs::try_exists("/etc").await?);
        let missing = fs::canonicalize("/etc").await.expect_err("removed");
        assert_eq!(missing.kind(), ErrorKind::NotFound);
        Ok(())
    });
    sim.run().unwrap();
    assert!(std::fs::exists("/etc").unwrap(), "the real one");
}

#[test]
fn hosts_have_files_of_their_own_which_a_crash_leaves() {
    let starts = Arc::new(AtomicUsize::new(0));
    let mut sim = Sim::new(12);
    let counts = starts.clone();
    sim.host("server", move || {
        let counts = counts.clone();
        async move {
            if counts.fetch_add(1, Ordering::Relaxed) == 0 {
                fs::write("/state", "first").await?;
            } else {
                assert_eq!(fs::read_to_string("/state").await?, "first");
            }
            Ok(())
        }
    });
    sim.client("client", async {
        assert!(!fs::try_exists("/state").await?);
        sleep(Duration::from_secs(5)).await;
        Ok(())
    });
    sim.run_for(Duration::from_secs(1)).unwrap();
    sim.bounce("server");
    sim.run().unwrap();
    assert_eq!(starts.load(Ordering::Relaxed), 2);
}
