//! Runs a program for which there is no io_uring: `without_io_uring EPERM program arguments..`.
//!
//! A filter on this process makes io_uring's calls answer EPERM, as Docker's default profile
//! does, or ENOSYS, as a kernel without io_uring does; the program and all that it starts
//! inherit it.
#![forbid(unsafe_code)]

use std::env;
use std::ffi::OsStr;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use annulus_tests::{IO_URING, refuse};

const USAGE: &str = "usage: without_io_uring EPERM|ENOSYS PROGRAM [ARGUMENT..]";

fn main() -> ExitCode {
    let mut args = env::args_os().skip(1);
    let errno = match args.next().as_deref().and_then(OsStr::to_str) {
        Some("EPERM") => libc::EPERM,
        Some("ENOSYS") => libc::ENOSYS,
        _ => return failed(USAGE),
    };
    let Some(program) = args.next() else {
        return failed(USAGE);
    };
    if let Err(error) = refuse(IO_URING, errno) {
        return failed(&format!("the filter is refused: {error}"));
    }
    let error = Command::new(&program).args(args).exec();
    failed(&format!("{}: {error}", program.display()))
}

fn failed(text: &str) -> ExitCode {
    eprintln!("{text}");
    ExitCode::from(2)
}
