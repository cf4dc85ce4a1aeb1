//! The examples as a user meets them: programs with arguments, output, an exit status, and Ctrl-C.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::OnceLock;

use annulus_tests::{Random, is_emulated, settled_blocking};

/// The folder of the examples, built as the tests themselves are.
fn examples() -> &'static Path {
    static EXAMPLES: OnceLock<PathBuf> = OnceLock::new();
    EXAMPLES.get_or_init(|| {
        let program = std::env::current_exe().expect("a test knows its own path");
        let profile = program
            .ancestors()
            .nth(2)
            .expect("the binary lies in TARGET/PROFILE/deps");
        let target = profile.parent().expect("the profile lies in the target");
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut build = Command::new(cargo);
        // The whole workspace, as `cargo test --workspace` does, so that nothing is built twice.
        build
            .args(["build", "--workspace", "--examples"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .env("CARGO_TARGET_DIR", target);
        if profile.ends_with("release") {
            build.arg("--release");
        }
        let output = build.output().expect("cargo starts");
        assert!(output.status.success(), "{}", err(&output));
        profile.join("examples")
    })
}

fn example(name: &str) -> Command {
    let mut command = Command::new(examples().join(name));
    command.stdin(Stdio::null());
    command
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A child that does not outlive its test.
struct Running(Child);

impl Running {
    fn start(command: &mut Command) -> Running {
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Running(child.spawn().expect("the example starts"))
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        let out = self.0.stdout.as_mut().expect("stdout is a pipe");
        BufReader::new(out)
            .read_line(&mut line)
            .expect("it is text");
        line.trim_end().to_owned()
    }

    /// What a terminal sends at Ctrl-C.
    fn interrupt(&self) {
        let kill = format!("kill -INT {}", self.0.id());
        let status = Command::new("sh").args(["-c", &kill]).status();
        assert!(status.expect("sh starts").success(), "{kill}");
    }

    fn end(&mut self) -> (ExitStatus, String) {
        let mut ended = None;
        settled_blocking("the example ends", || {
            ended = self.0.try_wait().expect("a child can be waited for");
            ended.is_some()
        });
        let mut text = String::new();
        let err = self.0.stderr.as_mut().expect("stderr is a pipe");
        err.read_to_string(&mut text).expect("it is text");
        (ended.expect("the wait above"), text)
    }

    /// Where the descriptors of the process lead to.
    fn descriptors(&self) -> Vec<String> {
        fs::read_dir(format!("/proc/{}/fd", self.0.id()))
            .expect("the process runs")
            .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok())
            .map(|path| path.to_string_lossy().into_owned())
            .collect()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already, unless the test failed.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn http_answers_curl_on_the_ring_and_without_epoll() {
    let mut http = Running::start(example("http").args(["--addr", "127.0.0.1:0"]));
    let line = http.line();
    let url = line
        .strip_prefix("listening on ")
        .unwrap_or_else(|| panic!("{line}"));

    let answer = Command::new("curl")
        .args(["-s", "-w", "%{http_code}", &format!("{url}/hello/ring")])
        .output()
        .expect("curl is installed: see .ci/run");
    assert_eq!(String::from_utf8_lossy(&answer.stdout), "hello, ring\n200");

    let descriptors = http.descriptors();
    let count = |kind: &str| {
        let is_kind = |path: &&String| path.contains(kind);
        descriptors.iter().filter(is_kind).count()
    };
    let (ours, others) = if is_emulated() {
        ("eventpoll", "io_uring")
    } else {
        ("io_uring", "eventpoll")
    };
    assert!(count(ours) > 0, "{descriptors:?}");
    assert_eq!(count(others), 0, "{descriptors:?}");

    http.interrupt();
    let (status, err) = http.end();
    assert!(status.success(), "{status}: {err}");
}

#[test]
fn http_finishes_the_request_that_ctrl_c_falls_into() {
    // 1. Two requests in one segment: when the first is answered, the second has been read.
    let mut http = Running::start(example("http").args(["--addr", "127.0.0.1:0"]));
    let line = http.line();
    let address = line
        .strip_prefix("listening on http://")
        .unwrap_or_else(|| panic!("{line}"));
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
        .expect("it reads");
    let mut stream = BufReader::new(stream);
    let mut text = String::new();
    while !text.ends_with("hello\n") {
        assert_ne!(
            stream.read_line(&mut text).expect("it answers"),
            0,
            "{text}"
        );
    }

    // 2. Ctrl-C; from the moment it has been seen nobody is let in any more.
    http.interrupt();
    settled_blocking("the listener is closed", || {
        TcpStream::connect(address).is_err()
    });

    // 3. The second answer still comes, then the end.
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("it answers");
    assert!(text.starts_with("HTTP/1.1 200"), "{text}");
    assert!(text.ends_with("two seconds later\n"), "{text}");
    let (status, err) = http.end();
    assert!(status.success(), "{status}: {err}");
}

#[test]
fn http_says_what_is_wrong_with_its_arguments() {
    let holder = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let taken = holder.local_addr().expect("it is bound").to_string();
    for (args, status, says) in [
        (vec!["--port"], 2, "--port"),
        (vec!["--addr"], 2, "--addr"),
        (vec!["--addr", "nonsense"], 1, "nonsense"),
        (vec!["--addr", &*taken], 1, &*taken),
    ] {
        let output = example("http").args(&args).output().expect("it starts");
        assert_eq!(
            output.status.code(),
            Some(status),
            "{args:?}: {}",
            err(&output)
        );
        assert!(err(&output).contains(says), "{args:?}: {}", err(&output));
    }
}

#[test]
fn tour_and_echo_do_what_they_say() {
    let output = example("tour").output().expect("it starts");
    assert!(output.status.success(), "{}", err(&output));
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "a task slept 10 ms; a file and a socket said \"hello, ring\"\n"
    );

    let mut echo = Running::start(example("echo").arg("127.0.0.1:0"));
    let line = echo.line();
    let address = line
        .strip_prefix("listening on ")
        .unwrap_or_else(|| panic!("{line}"));
    let mut stream = TcpStream::connect(address).expect("it listens");
    let mut back = [0; 5];
    stream.write_all(b"twice").expect("it reads");
    stream.read_exact(&mut back).expect("it answers");
    assert_eq!(&back, b"twice");
}

/// A folder on a disk: direct I/O is not to be had everywhere.
/// A slice of what `sim_chat 10000` does.
#[test]
fn sim_chat_finds_its_planted_bug_and_nothing_else() {
    let count = annulus_tests::stress(10_000) / 10;
    let output = example("sim_chat").arg(count.to_string()).output().unwrap();
    assert!(output.status.success(), "{}", err(&output));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with(&format!("{count} seeds, ")), "{text}");
    print!("sim_chat: {text}");

    let output = example("sim_chat")
        .args(["1000", "--bug"])
        .output()
        .unwrap();
    assert!(!output.status.success());
    let errors = err(&output);
    let seed = errors
        .split_once("To replay it: ANNULUS_SEED=")
        .and_then(|(_, rest)| rest.split_once(' '))
        .map(|(seed, _)| seed)
        .unwrap_or_else(|| panic!("no seed is named: {errors}"));

    let mut again = example("sim_chat");
    again.env("ANNULUS_SEED", seed).arg("--bug");
    let [one, other] = [again.output(), again.output()].map(|output| err(&output.unwrap()));
    let what = |errors: &str| {
        let line = errors.lines().find(|line| line.contains(" saw message "));
        line.unwrap_or_else(|| panic!("{errors}")).to_owned()
    };
    assert_eq!(what(&one), what(&other));
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a temporary folder")
}

fn cp(args: &[&str], folder: &Path) -> Output {
    example("cp")
        .args(args)
        .current_dir(folder)
        .output()
        .expect("it starts")
}

#[test]
fn cp_copies_every_byte_and_the_mode() {
    let folder = folder();
    let (source, copy) = (folder.path().join("source"), folder.path().join("copy"));
    let mut random = Random::new("cp");
    // Around what direct I/O is aligned to, around a chunk, and many chunks with an odd tail.
    for len in [
        0, 1, 4095, 4096, 4097, 524_287, 524_288, 524_289, 33_000_003,
    ] {
        let bytes: Vec<u8> = std::iter::repeat_with(|| random.bits().to_ne_bytes())
            .flatten()
            .take(len)
            .collect();
        fs::write(&source, &bytes).expect("the source is written");
        fs::set_permissions(&source, fs::Permissions::from_mode(0o640)).expect("it is ours");
        for args in [&["source", "copy"][..], &["--direct", "source", "copy"]] {
            let output = cp(args, folder.path());
            assert!(
                output.status.success(),
                "{args:?}, {len} bytes: {}",
                err(&output)
            );
            let copied = fs::read(&copy).expect("the copy is there");
            assert!(copied == bytes, "{args:?}: {len} bytes became others");
            let mode = fs::metadata(&copy)
                .expect("the copy is there")
                .permissions()
                .mode();
            assert_eq!(mode & 0o777, 0o640);
            // In the next round it is overwritten, in the one after the next made anew.
            if args.len() == 3 {
                fs::remove_file(&copy).expect("the copy is there");
            }
        }
    }
}

#[test]
fn cp_names_the_file_that_it_cannot_copy() {
    let folder = folder();
    fs::write(folder.path().join("source"), "kept").expect("the source is written");
    fs::hard_link(folder.path().join("source"), folder.path().join("link")).expect("a link");
    for (args, status, says) in [
        (&["source"][..], 2, "DEST"),
        (&["source", "b", "c"], 2, "\"c\""),
        (&["--quick", "source", "b"], 2, "--quick"),
        (&["absent", "b"], 1, "absent: No such file"),
        (&["source", "absent/b"], 1, "absent/b: No such file"),
        (&[".", "b"], 1, ".: not a regular file"),
        (&["source", "/dev/null"], 1, "/dev/null: exists"),
        (&["source", "source"], 1, "same file"),
        (&["source", "link"], 1, "same file"),
    ] {
        let output = cp(args, folder.path());
        assert_eq!(
            output.status.code(),
            Some(status),
            "{args:?}: {}",
            err(&output)
        );
        assert!(err(&output).contains(says), "{args:?}: {}", err(&output));
    }
    assert_eq!(
        fs::read(folder.path().join("source")).expect("kept"),
        b"kept"
    );
    assert!(!folder.path().join("b").exists());
}

#[test]
fn an_interrupted_cp_leaves_no_partial_copy() {
    let folder = folder();
    // Holes cost no disk; 16 GiB cannot be copied before the signal comes.
    let source = fs::File::create(folder.path().join("source")).expect("the source is created");
    source.set_len(16 << 30).expect("holes are free");
    for direct in [false, true] {
        let copy = folder.path().join("copy");
        let mut command = example("cp");
        command.current_dir(folder.path());
        if direct {
            command.arg("--direct");
        }
        let mut cp = Running::start(command.args(["source", "copy"]));
        // 1. Some of it is there.
        settled_blocking("the copy grows", || {
            fs::metadata(&copy).is_ok_and(|metadata| metadata.len() > 0)
        });
        // 2. Ctrl-C.
        cp.interrupt();
        let (status, err) = cp.end();
        // 3. Nothing is there, and it says so.
        assert_eq!(status.code(), Some(130), "{err}");
        assert!(err.contains("copy: partial copy removed"), "{err}");
        assert!(!copy.exists());
    }
}
