use std::process::ExitCode;

fn main() -> ExitCode {
    vestibule::commands::main()
}
