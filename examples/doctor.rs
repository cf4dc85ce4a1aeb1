//! Prints what this machine's kernel offers, and what each lack costs.
//!
//!     cargo run --example doctor
//!
//! Exit status 1 if no runtime can be built here.

use std::process::ExitCode;

fn main() -> ExitCode {
    let diagnosis = annulus::diagnose();
    println!("{diagnosis}");
    match diagnosis.chosen {
        Some(_) => ExitCode::SUCCESS,
        None => ExitCode::FAILURE,
    }
}
