//! The sealed log as a library.
