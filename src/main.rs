use std::process::ExitCode;

// The system's allocator keeps what the start and each burst leave in pieces; this one gives it back after ten seconds.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    vestibule::commands::main()
}
