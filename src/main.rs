use std::process::ExitCode;

/// Gives back what a burst of logins took, where the system's allocator keeps it for ever (docs/benchmarks.md).
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    vestibule::commands::main()
}
