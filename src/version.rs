//! Which build this is.

/// The version in `Cargo.toml`.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The git commit it was built from, or `unknown` where there was no repository.
pub const COMMIT: &str = env!("VESTIBULE_BUILD_COMMIT");

/// Both, as `--version` shows them.
pub const FULL: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("VESTIBULE_BUILD_COMMIT"), ")");
