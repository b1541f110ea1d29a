//! Events: what a new device leaves, how events are numbered, and how a tenant's backend reads them.

mod crashes;
mod feed;
mod new_devices;
mod numbering;
