//! What the emulated kernel costs against io_uring and against tokio.
//!
//! Run: `cargo run --release --manifest-path runtime/benches/kernels/Cargo.toml [-- ROUNDS]`
//!
//! Each round runs all three by turns, on one thread and on two workers: an echo of 64 bytes with
//! 64 connections at once, and reads of 4 KiB at random places of a file that is in the page
//! cache. What runs is a process of its own, with its load in this one; the figure is the CPU time
//! of that process for each operation, whichever of its threads spent it. Ratios are of the same
//! round, so that what else the machine does disturbs both sides.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, io};

mod on_annulus;
mod on_tokio;

/// Of the echo.
const CONNECTIONS: usize = 64;
const MESSAGE_BYTES: usize = 64;
/// How long each measurement takes.
const SPAN: Duration = Duration::from_millis(700);
const ROUNDS: usize = 9;

/// What is compared: a name, and what ANNULUS_KERNEL says.
const SIDES: [(&str, &str); 3] = [("uring", "uring"), ("emulated", "emulated"), ("tokio", "")];
const WORKERS: [usize; 2] = [1, 2];
const WORKS: [&str; 2] = ["echo", "reads"];

fn main() -> io::Result<()> {
    let args: Vec<String> = env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        // What the children are told.
        ["run", "tokio", work, workers] => on_tokio::work::run(work, number(workers)),
        ["run", _, work, workers] => on_annulus::work::run(work, number(workers)),
        [] => measure(ROUNDS),
        [rounds] => measure(number(rounds)),
        _ => Err(io::Error::other("usage: kernels [ROUNDS]")),
    }
}

fn number(text: &str) -> usize {
    text.parse().expect("a number")
}

fn measure(rounds: usize) -> io::Result<()> {
    for work in WORKS {
        for workers in WORKERS {
            let mut figures = [const { Vec::new() }; 3];
            for round in 0..rounds {
                for turn in 0..3 {
                    let side = (round + turn) % 3;
                    figures[side].push(one(SIDES[side], work, workers)?);
                }
            }
            print!("{work}, {workers} thread(s): CPU ns per operation");
            for (figures, (name, _)) in figures.iter().zip(SIDES) {
                print!(", {name} {:.0}", median(figures.iter().copied()));
            }
            println!();
            for (a, b) in [(1, 0), (1, 2), (0, 2)] {
                let ratios = figures[a].iter().zip(&figures[b]).map(|(a, b)| a / b);
                let ratios: Vec<f64> = ratios.collect();
                let least = ratios.iter().copied().fold(f64::INFINITY, f64::min);
                let most = ratios.iter().copied().fold(0.0, f64::max);
                println!(
                    "    {} / {}: {:.2} (of {rounds}, {least:.2} to {most:.2})",
                    SIDES[a].0,
                    SIDES[b].0,
                    median(ratios)
                );
            }
        }
    }
    Ok(())
}

fn median(figures: impl IntoIterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.into_iter().collect();
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// CPU time of one operation in nanoseconds.
fn one((name, kernel): (&str, &str), work: &str, workers: usize) -> io::Result<f64> {
    let mut side = Side::start(name, kernel, work, workers)?;
    match work {
        "echo" => {
            let port = side.line()?.parse().expect("a port");
            let mut load = Load::connect(port)?;
            load.run(SPAN / 7)?;
            let before = side.cpu_ns()?;
            let operations = load.run(SPAN)?;
            let spent = side.cpu_ns()? - before;
            side.end()?;
            Ok(spent as f64 / operations as f64)
        }
        // It measures itself.
        _ => {
            let figure = side.line()?.parse().expect("a figure");
            side.end()?;
            Ok(figure)
        }
    }
}

/// A process that does the work; it ends with its stdin.
struct Side {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
}

impl Side {
    fn start(name: &str, kernel: &str, work: &str, workers: usize) -> io::Result<Side> {
        let mut child = Command::new(env::current_exe()?)
            .args(["run", name, work, &workers.to_string()])
            .env("ANNULUS_KERNEL", kernel)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        Ok(Side {
            stdin: child.stdin.take(),
            stdout: BufReader::new(child.stdout.take().expect("it is a pipe")),
            child,
        })
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        self.stdout.read_line(&mut line)?;
        Ok(line.trim().to_owned())
    }

    /// What all of its threads have used.
    fn cpu_ns(&self) -> io::Result<u64> {
        let mut clock = 0;
        // SAFETY: `clock` is valid for writes.
        let found = unsafe { libc::clock_getcpuclockid(self.child.id() as i32, &raw mut clock) };
        if found != 0 {
            return Err(io::Error::from_raw_os_error(found));
        }
        work_clock_ns(clock)
    }

    fn end(mut self) -> io::Result<()> {
        drop(self.stdin.take());
        let status = self.child.wait()?;
        if !status.success() {
            return Err(io::Error::other(format!("a side ended with {status}")));
        }
        Ok(())
    }
}

/// The time of a clock in nanoseconds.
pub(crate) fn work_clock_ns(clock: libc::clockid_t) -> io::Result<u64> {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `now` is valid for writes.
    if unsafe { libc::clock_gettime(clock, &raw mut now) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64)
}

/// Connections that all ask, and then all wait for their answers.
struct Load(Vec<TcpStream>);

impl Load {
    fn connect(port: u16) -> io::Result<Load> {
        let connect = |_| {
            let stream = TcpStream::connect(("127.0.0.1", port))?;
            stream.set_nodelay(true)?;
            Ok(stream)
        };
        (0..CONNECTIONS)
            .map(connect)
            .collect::<io::Result<_>>()
            .map(Load)
    }

    /// Returns how many answers came.
    fn run(&mut self, span: Duration) -> io::Result<u64> {
        let start = Instant::now();
        let (question, mut answer) = ([7; MESSAGE_BYTES], [0; MESSAGE_BYTES]);
        let mut count = 0;
        while start.elapsed() < span {
            for stream in &mut self.0 {
                stream.write_all(&question)?;
            }
            for stream in &mut self.0 {
                stream.read_exact(&mut answer)?;
                count += 1;
            }
        }
        Ok(count)
    }
}
