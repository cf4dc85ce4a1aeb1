//! Children: their status, their pipes, and what is left of them, which is nothing.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::Stdio;

use annulus::io::{AsyncReadExt, AsyncWriteExt};
use annulus::process::{Child, ChildStdout, Command};
use annulus::runtime::RecvMode;
use annulus_tests::{
    Moment, Outcome, Random, descriptors, drop_at, fd_limit, for_each_local, for_each_runtime,
    in_child, nothing_in_flight, on_a_machine, serial, settled_blocking, stress,
};
use futures::future::join_all;

const NO_PROCESSES: &str = "its hosts have no processes";
/// Children at a time.
const CROWD: u64 = 200;
/// Waits dropped in a full run over all runtimes.
const DROPS: u64 = 4000;
const RUNTIMES: u64 = 6;

fn shell(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    command
}

/// A child that ends with `status` once its standard input does.
fn waiting(status: u8) -> Child {
    shell(&format!("read line; exit {status}"))
        .stdin(Stdio::piped())
        .spawn()
        .expect("there is a shell")
}

/// The children of this process, but for those that run this test program, or are about to run
/// another: their numbers and states, as in proc_pid_stat(5).
fn children() -> Vec<(u32, char)> {
    let program = fs::read_to_string("/proc/self/comm").expect("/proc is mounted");
    let mut children = Vec::new();
    for entry in fs::read_dir("/proc").expect("/proc is mounted") {
        let name = entry.expect("the folder lists itself").file_name();
        let Some(number) = name.to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        // One that has gone since is no child.
        let Ok(stat) = fs::read_to_string(format!("/proc/{number}/stat")) else {
            continue;
        };
        let (name, fields) = stat.rsplit_once(')').expect("the name is in parentheses");
        if name.ends_with(&format!("({}", program.trim_end())) {
            continue;
        }
        let mut fields = fields.split_ascii_whitespace();
        let state = fields.next().and_then(|state| state.chars().next());
        let parent = fields.next().and_then(|parent| parent.parse().ok());
        if parent == Some(std::process::id()) {
            children.push((number, state.expect("a letter")));
        }
    }
    children
}

/// Asserts that children and descriptors are gone, or go by themselves: orphans are reaped by a
/// thread of its own.
fn nothing_left(before: usize) {
    settled_blocking("no child is left, dead or alive", || children().is_empty());
    settled_blocking("no descriptor is left", || open_descriptors() <= before);
}

fn open_descriptors() -> usize {
    descriptors().values().sum()
}

#[test]
fn a_child_says_how_it_ended() {
    if !on_a_machine(NO_PROCESSES) {
        return;
    }
    for_each_runtime(|_, runtime| {
        runtime.block_on(async {
            for code in [0, 1, 77, 255] {
                let status = shell(&format!("exit {code}")).status().await;
                assert_eq!(status.expect("it ends").code(), Some(code));
            }
            for (name, number) in [("KILL", libc::SIGKILL), ("TERM", libc::SIGTERM)] {
                let status = shell(&format!("kill -{name} $$")).status().await;
                let status = status.expect("it ends");
                assert_eq!((status.signal(), status.code()), (Some(number), None));
            }
            // Asked again, it says the same again, and has no number any more.
            let mut child = shell("exit 3").spawn().expect("there is a shell");
            assert!(child.id().is_some_and(|id| id > 0));
            for _ in 0..2 {
                assert_eq!(child.wait().await.expect("it ends").code(), Some(3));
                let status = child.try_wait().expect("it has ended");
                assert_eq!(status.and_then(|status| status.code()), Some(3));
            }
            assert_eq!(child.id(), None);
            child.start_kill().expect("it does nothing");
            child.kill().await.expect("it does nothing");
        });
    });
}

#[test]
fn two_hundred_children_at_a_time_end_right_and_leave_nothing() {
    if !on_a_machine(NO_PROCESSES) {
        return;
    }
    let scenario = async |name: &str| {
        let before = open_descriptors();
        let waits = (0..CROWD).map(async |number| {
            // A third is killed, a third writes, a third closes its pipes and ends.
            let mut child = match number % 3 {
                0 => shell("kill -USR1 $$"),
                1 => shell(&format!("echo {number}; exit {}", number % 256)),
                _ => shell(&format!("exec >&- 2>&- <&-; exit {}", number % 256)),
            }
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("there are not too many processes");
            if number % 2 == 0 {
                let status = child.wait().await.expect("it ends");
                return (number, status, None);
            }
            let output = child.wait_with_output().await.expect("it ends");
            (number, output.status, Some(output.stdout))
        });
        let mut wrong = 0;
        for (number, status, output) in join_all(waits).await {
            let expected = match number % 3 {
                0 => (None, Some(libc::SIGUSR1)),
                _ => (Some((number % 256) as i32), None),
            };
            let said = match number % 3 {
                1 => format!("{number}\n").into_bytes(),
                _ => Vec::new(),
            };
            let is_right = (status.code(), status.signal()) == expected
                && output.is_none_or(|output| output == said);
            wrong += u32::from(!is_right);
        }
        println!("{name}: {CROWD} children, {wrong} wrong");
        assert_eq!(wrong, 0);
        assert_eq!(children(), []);
        settled_blocking("no descriptor is left", || open_descriptors() <= before);
    };
    for_each_runtime(|name, runtime| runtime.block_on(scenario(name)));
    for_each_local(|name, runtime| runtime.block_on(scenario(name)));
}

#[test]
fn a_child_that_closes_its_pipes_lives_on() {
    if !on_a_machine(NO_PROCESSES) {
        return;
    }
    for_each_runtime(|_, runtime| {
        runtime.block_on(async {
            let mut child = shell("exec >&- 2>&-; read line; exit 7")
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .expect("there is a shell");
            let mut bytes = Vec::new();
            let mut stdout = child.stdout.take().expect("it is a pipe");
            stdout.read_to_end(&mut bytes).await.expect("the end");
            let mut stderr = child.stderr.take().expect("it is a pipe");
            stderr.read_to_end(&mut bytes).await.expect("the end");
            assert!(bytes.is_empty());
            assert!(child.try_wait().expect("it is ours").is_none());
            // The wait closes its input, which it waits for.
            assert_eq!(child.wait().await.expect("it ends").code(), Some(7));
        });
    });
}

#[test]
fn more_than_a_pipe_holds_goes_in_and_comes_out_of_both() {
    if !on_a_machine(NO_PROCESSES) {
        return;
    }
    for_each_runtime(|_, runtime| {
        runtime.block_on(async {
            let mut child = shell("tee /dev/stderr")
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .expect("there is a shell");
            let bytes: Vec<u8> = (0..1 << 20).map(|at| (at % 253) as u8).collect();
            let mut stdin = child.stdin.take().expect("it is a pipe");
            let sent = bytes.clone();
            let writer = annulus::spawn(async move { stdin.write_all(&sent).await });
            let output = child.wait_with_output().await.expect("it ends");
            writer.await.expect("no panic").expect("it was read");
            assert!(output.status.success());
            assert!(output.stdout == bytes && output.stderr == bytes);
        });
    });
}

#[test]
fn what_one_child_writes_another_reads() {
    if !on_a_machine(NO_PROCESSES) {
        return;
    }
    for_each_runtime(|_, runtime| {
        runtime.block_on(async {
            let mut first = shell("echo one; echo two >&2; cat")
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .expect("there is a shell");
            let stdout: Stdio = first
                .stdout
                .take()
                .expect("it is a pipe")
                .try_into()
                .expect("it can block");
            let second = Command::new("tr")
                .args(["a-z", "A-Z"])
                .stdin(stdout)
                .output();
            let (first, second) = annulus::join!(first.wait_with_output(), second);
            assert_eq!(first.expect("it ends").stderr, b"two\n");
            assert_eq!(second.expect("it ends").stdout, b"ONE\n");
            // std's pipes fit too.
            let mut child = std::process::Command::new("echo")
                .arg("hello")
                .stdout(Stdio::piped())
                .spawn()
                .expect("there is an echo");
            let stdout = child.stdout.take().expect("it is a pipe");
            let mut stdout = ChildStdout::from_std(stdout).expect("it is ours");
            let mut text = String::new();
            stdout.read_to_string(&mut text).await.expect("the end");
            assert_eq!(text, "hello\n");
            child.wait().expect("it ends");
        });
    });
}

#[test]
fn children_that_are_dropped_unwaited_leave_nothing() {
    if !on_a_machine(NO_PROCESSES) {
        return;
    }
    for_each_runtime(|name, runtime| {
        let before = open_descriptors();
        let (mut orphans, mut killed) = (0, 0);
        runtime.block_on(async {
            let mut gates = Vec::new();
            for number in 0..50_u8 {
                let mut child = waiting(number);
                match number % 5 {
                    // 1. Ended before it is dropped, and nobody has seen it.
                    0 => {
                        drop(child.stdin.take());
                        let id = child.id().expect("nobody has waited");
                        settled_blocking("it is a zombie", || children().contains(&(id, 'Z')));
                    }
                    // 2. Dropped while it runs, with or without somebody who waited for it.
                    1 => gates.push(child.stdin.take()),
                    2 => {
                        gates.push(child.stdin.take());
                        assert!(futures::poll!(std::pin::pin!(child.wait())).is_pending());
                        annulus_tests::turns().await;
                    }
                    // 3. Killed, and not waited for.
                    3 => child.start_kill().expect("it is ours"),
                    // 4. Killed by its drop.
                    _ => {
                        killed += 1;
                        let mut command = Command::new("sleep");
                        let child = command.arg("1000").kill_on_drop(true).spawn();
                        drop(child.expect("there is a sleep"));
                    }
                }
                drop(child);
            }
            orphans += gates.len();
            let alive = children().iter().filter(|(_, state)| *state != 'Z').count();
            assert!(alive >= gates.len(), "{alive} alive");
            drop(gates);
        });
        nothing_left(before);
        println!("{name}: {orphans} dropped while they ran, {killed} killed by it, none left");
    });
}

#[test]
fn an_orphan_is_reaped_although_its_runtime_has_gone() {
    if !on_a_machine(NO_PROCESSES) {
        return;
    }
    let _serial = serial();
    let before = open_descriptors();
    let runtime = annulus::runtime::Runtime::new().expect("the runtime builds");
    let (mut first, second) = runtime.block_on(async { (waiting(1), waiting(2)) });
    let gate = first.stdin.take();
    // 1. One is dropped within its runtime's life, one after.
    drop(first);
    drop(runtime);
    let states = children();
    assert_eq!(states.len(), 2, "{states:?}");
    drop(second);
    settled_blocking("the second is reaped", || children().len() == 1);
    // 2. The first ends only now.
    drop(gate);
    nothing_left(before);
}

#[test]
fn a_child_is_waited_for_by_another_runtime_than_its_own() {
    if !on_a_machine(NO_PROCESSES) {
        return;
    }
    let _serial = serial();
    let runtime = annulus::runtime::Runtime::new().expect("the runtime builds");
    let mut child = runtime.block_on(async {
        let mut child = waiting(9);
        let gate = child.stdin.take();
        assert!(futures::poll!(std::pin::pin!(child.wait())).is_pending());
        child.stdin = gate;
        child
    });
    drop(runtime);
    // Nobody's runtime is in context: there is an error, and nothing is lost.
    let error = futures::executor::block_on(child.wait()).expect_err("who would tell?");
    assert_eq!(error.kind(), ErrorKind::Other);
    let runtime = annulus::runtime::Runtime::new().expect("the runtime builds");
    let status = runtime.block_on(child.wait()).expect("it ends");
    assert_eq!(status.code(), Some(9));
    drop(runtime);
    nothing_in_flight("a_child_is_waited_for_by_another_runtime_than_its_own");
}

#[test]
fn a_dropped_wait_loses_no_status() {
    if !on_a_machine(NO_PROCESSES) {
        return;
    }
    let rounds = stress(DROPS) / RUNTIMES;
    let mut waited = 0;
    let mut scenario = async |name: &str| {
        let mut random = Random::new("dropped waits");
        let (mut waiting_count, mut woken) = (0, 0);
        for round in 0..rounds {
            let code = (round % 256) as u8;
            let mut child = waiting(code);
            let gate = child.stdin.take();
            let moment = match random.below(3) {
                0 => Moment::Unpublished,
                1 => Moment::InFlight,
                _ => Moment::Completed,
            };
            match drop_at(moment, child.wait(), || drop(gate)).await {
                Outcome::Waiting => waiting_count += 1,
                Outcome::Woken => woken += 1,
                Outcome::Ready(status) => panic!("it waits for its input: {status:?}"),
            }
            let status = child.wait().await.expect("it ends");
            assert_eq!(status.code(), Some(i32::from(code)));
        }
        println!("{name}: {waiting_count} waits dropped waiting, {woken} woken, no status lost");
        assert!(woken >= rounds / 10);
        waited += waiting_count;
    };
    for_each_runtime(|name, runtime| runtime.block_on(scenario(name)));
    for_each_local(|name, runtime| runtime.block_on(scenario(name)));
    assert!(waited >= rounds * RUNTIMES / 10, "{waited} waited");
}

#[test]
fn a_child_has_no_descriptor_that_it_was_not_given() {
    if !on_a_machine(NO_PROCESSES) {
        return;
    }
    // What this process was itself given by whoever started it.
    let mut plain = std::process::Command::new("ls");
    let plain = plain.arg("/proc/self/fd").output().expect("there is an ls");
    for_each_runtime(|_, runtime| {
        runtime.block_on(async {
            let _sockets = annulus_tests::connected().await;
            let _pipe = annulus::net::unix::pipe::pipe().expect("a pipe");
            let _other = waiting(0);
            let output = Command::new("ls").arg("/proc/self/fd").output().await;
            let output = output.expect("there is an ls");
            assert_eq!(output.stdout, plain.stdout);
        });
    });
}

#[test]
fn a_spawn_that_fails_for_want_of_descriptors_leaves_no_child() {
    if !on_a_machine(NO_PROCESSES) {
        return;
    }
    in_child(
        "a_spawn_that_fails_for_want_of_descriptors_leaves_no_child",
        || {
            let _serial = serial();
            let runtime = annulus_tests::current_thread(RecvMode::Base).build();
            let runtime = runtime.expect("the runtime builds");
            let (mut refused, mut started) = (0, 0);
            runtime.block_on(async {
                // What the first needs for itself.
                shell("exit 0").status().await.expect("there is room");
                let open = open_descriptors() as u64;
                // A limit is of the numbers, of which some high ones may be in use. One child needs
                // descriptors before it is there, the other for its pidfd alone.
                let cases = (3..open + 24).flat_map(|limit| [(limit, true), (limit, false)]);
                for (limit, piped) in cases {
                    let mut command = Command::new("sleep");
                    command.arg("1000").kill_on_drop(true);
                    if piped {
                        command.stdout(Stdio::piped());
                    }
                    fd_limit(limit).expect("it may be lowered");
                    let child = command.spawn();
                    fd_limit(1024).expect("it may be raised again");
                    match child {
                        Ok(mut child) => {
                            started += 1;
                            child.kill().await.expect("it is ours");
                        }
                        Err(error) => {
                            refused += 1;
                            assert_eq!(error.raw_os_error(), Some(libc::EMFILE), "{error}");
                        }
                    }
                    assert_eq!(children(), []);
                    assert_eq!(open_descriptors() as u64, open);
                }
            });
            println!("{refused} refused, {started} started");
            assert!(refused > 0 && started > 0);
        },
    );
}

#[test]
fn a_status_that_somebody_else_has_taken_is_an_error() {
    if !on_a_machine(NO_PROCESSES) {
        return;
    }
    in_child("a_status_that_somebody_else_has_taken_is_an_error", || {
        for_each_runtime(|_, runtime| {
            runtime.block_on(async {
                let mut child = waiting(0);
                drop(child.stdin.take());
                // SAFETY: no status is asked for.
                let taken = unsafe { libc::waitpid(-1, std::ptr::null_mut(), 0) };
                assert_eq!(Some(taken as u32), child.id());
                let error = child.wait().await.expect_err("it is gone");
                assert_eq!(error.raw_os_error(), Some(libc::ECHILD));
            });
        });
    });
}

#[test]
fn a_command_hands_on_what_std_has() {
    if !on_a_machine(NO_PROCESSES) {
        return;
    }
    for_each_runtime(|_, runtime| {
        runtime.block_on(async {
            let text = async |command: &mut Command| {
                let output = command.output().await.expect("it runs");
                String::from_utf8(output.stdout).expect("it is text")
            };
            let mut command = shell("echo $0 $A $B; pwd");
            command.arg0("named").env("A", "1").envs([("B", "2")]);
            command.env_remove("HOME").current_dir("/");
            assert_eq!(text(&mut command).await, "named 1 2\n/\n");
            assert_eq!(
                text(shell("echo ${A-none}").env("A", "1").env_clear()).await,
                "none\n"
            );
            let own = "set -- $(cat /proc/$$/stat); test $5 = $$ && echo own";
            assert_eq!(text(shell(own).process_group(0)).await, "own\n");
            assert_eq!(text(&mut shell(own)).await, "");
            assert_eq!(command.as_std().get_program(), "sh");
            command.as_std_mut().env("A", "3");
            assert_eq!(text(&mut command).await, "named 3 2\n/\n");
            assert!(!command.get_kill_on_drop());
            let mut command = Command::from(command.into_std());
            assert_eq!(text(&mut command).await, "named 3 2\n/\n");
            // Its errors, too.
            let error = Command::new("/nowhere/at/all")
                .spawn()
                .expect_err("no program");
            assert_eq!(error.kind(), ErrorKind::NotFound);
            let mut command = shell("exit 0");
            // SAFETY: the closure makes an error from a number, and allocates nothing.
            unsafe { command.pre_exec(|| Err(io::Error::from_raw_os_error(libc::EXDEV))) };
            let error = command.spawn().expect_err("the closure's");
            assert_eq!(error.raw_os_error(), Some(libc::EXDEV));
            let mut plain = std::process::Command::new("sh");
            plain.arg0("other").args(["-c", "echo $0"]);
            assert_eq!(text(&mut plain.into()).await, "other\n");
        });
        settled_blocking("no child is left", || children().is_empty());
    });
}

#[test]
fn outside_of_a_runtime_nothing_is_started() {
    if !on_a_machine(NO_PROCESSES) {
        return;
    }
    let _serial = serial();
    let panic = std::panic::catch_unwind(|| drop(shell("exit 0").spawn()));
    let text = panic.expect_err("there is no runtime");
    let text = text.downcast_ref::<String>().expect("a formatted text");
    assert!(text.contains("there is no reactor running"), "{text}");
    assert_eq!(children(), []);
}
