//! Events of locks: a change that counts a failure writes them if it has locked.

pub mod store;
