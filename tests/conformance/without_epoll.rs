//! Runs a program that cannot make an epoll instance.
//!
//!     without_epoll PROGRAM [ARGUMENT...]

#![forbid(unsafe_code)]

use std::os::unix::process::CommandExt;
use std::process::Command;

const EPOLL: &[libc::c_long] = &[
    #[cfg(target_arch = "x86_64")]
    libc::SYS_epoll_create,
    libc::SYS_epoll_create1,
];

fn main() {
    let mut arguments = std::env::args_os().skip(1);
    let program = arguments.next().expect("the name of a program");
    annulus_tests::refuse(EPOLL, libc::ENOSYS).expect("a filter needs no privilege");
    let error = Command::new(&program).args(arguments).exec();
    panic!("{}: {error}", program.display());
}
