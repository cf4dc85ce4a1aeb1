//! Debian's tools against the server: slowhttptest, hping3, h2load, wrk.

use std::process::{Command, Output, Stdio};
use std::time::Duration;

use annulus_tests::{settled_blocking, skip, stress};

use crate::good::Good;
use crate::server::Server;

/// What the server may need.
const BYTES_MAX: u64 = 96 << 20;

/// Runs a tool against a server while the good client is served. `None` where there is no such
/// tool.
fn attack(program: &str, arguments: impl Fn(&str, u16) -> Vec<String>) -> Option<Output> {
    let server = Server::start("base", Duration::from_secs(20));
    let url = format!("http://{}/", server.address);
    let good = Good::start(server.address);
    let child = Command::new(program)
        .args(arguments(&url, server.address.port()))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(child) = child else {
        good.end();
        skip(&format!("{program} is not installed: see .ci/run"));
        return None;
    };
    good.is_served(program);
    let output = child.wait_with_output().expect("it ends by itself");
    good.is_served(program);
    settled_blocking("its connections are gone", || server.connections() <= 2);
    good.end();
    server.end(BYTES_MAX);
    Some(output)
}

fn words(text: &str) -> Vec<String> {
    text.split_ascii_whitespace().map(str::to_owned).collect()
}

fn text(output: &Output) -> String {
    let out = String::from_utf8_lossy(&output.stdout);
    let err = String::from_utf8_lossy(&output.stderr);
    format!("{}: {out}{err}", output.status)
}

#[test]
fn slowhttptest_makes_nobody_else_wait() {
    let count = stress(4000);
    for kind in ["-H", "-B", "-X -w 1 -y 2 -n 1 -z 1"] {
        let seconds = (stress(10)).max(2);
        let output = attack("slowhttptest", |url, _| {
            words(&format!(
                "{kind} -c {count} -r 2000 -i 1 -l {seconds} -p 2 -u {url}"
            ))
        });
        let Some(output) = output else { return };
        let text = text(&output);
        // It asks itself all the time whether somebody else is answered; in colours.
        let said = text
            .lines()
            .rfind(|line| line.contains("service available"));
        println!("{kind}: {count} connections");
        assert!(said.is_some_and(|line| line.contains("YES")), "{text}");
    }
}

#[test]
fn hping3_floods_with_connections_that_never_begin() {
    // SAFETY: takes nothing.
    if unsafe { libc::geteuid() } != 0 {
        return skip("hping3 sends raw packets, which needs root");
    }
    let count = stress(50_000);
    for flags in ["-S", "-A", "-R", "-F -P -U"] {
        let output = attack("hping3", |_, port| {
            words(&format!(
                "-q -n {flags} -p {port} -c {count} -i u100 127.0.0.1"
            ))
        });
        let Some(output) = output else { return };
        let text = text(&output);
        let sent = text
            .lines()
            .find(|line| line.contains("packets transmitted"));
        println!("{flags}: {}", sent.unwrap_or(&text));
        assert!(sent.is_some(), "{text}");
        // A SYN is answered, so they do arrive.
        let answered = !sent.is_some_and(|line| line.contains(" 0 packets received"));
        assert!(flags != "-S" || answered, "{text}");
    }
}

#[test]
fn h2load_and_wrk_get_every_answer() {
    let count = stress(1_000_000);
    let output = attack("h2load", |url, _| {
        words(&format!("--h1 -n {count} -c 200 -m 10 {url}"))
    });
    let Some(output) = output else { return };
    let text_of_h2load = text(&output);
    let requests = text_of_h2load
        .lines()
        .find(|line| line.starts_with("requests:"));
    println!("h2load: {}", requests.unwrap_or_default());
    let all = format!("{count} succeeded, 0 failed, 0 errored, 0 timeout");
    assert!(text_of_h2load.contains(&all), "{text_of_h2load}");

    let seconds = stress(10);
    let output = attack("wrk", |url, _| {
        words(&format!("-t 1 -c 200 -d {seconds} {url}"))
    });
    let Some(output) = output else { return };
    let text_of_wrk = text(&output);
    let requests = text_of_wrk
        .lines()
        .find(|line| line.contains("requests in"));
    println!("wrk: {}", requests.unwrap_or_default().trim());
    assert!(requests.is_some(), "{text_of_wrk}");
    assert!(!text_of_wrk.contains("Socket errors"), "{text_of_wrk}");
}
