//! Events: what a new device leaves, how events are numbered, and how a tenant's backend reads them.

mod new_devices;
