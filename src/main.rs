//! The program.

use std::process::ExitCode;

fn main() -> ExitCode {
    backsync::cli::main()
}
