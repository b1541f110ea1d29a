//! How long and how often everything is measured.

use std::time::Duration;

use crate::load::Load;

/// How often something is measured, and for how long each time.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    pub warm_up: Duration,
    pub measured: Duration,
    pub repeats: usize,
}

impl Times {
    pub const FULL: Self =
        Self { warm_up: Duration::from_secs(1), measured: Duration::from_secs(2), repeats: 3 };
    /// For what is measured at many sizes.
    pub const BRIEF: Self =
        Self { warm_up: Duration::from_secs(1), measured: Duration::from_millis(1_500), repeats: 3 };
    pub const QUICK: Self =
        Self { warm_up: Duration::from_millis(400), measured: Duration::from_millis(1_500), repeats: 1 };

    /// As quick as the server answers.
    pub const fn closed(self) -> Load {
        Load { rate: None, warm_up: self.warm_up, measured: self.measured, one_address: false }
    }

    /// At so many calls a second.
    pub const fn open(self, rate: f64) -> Load {
        Load { rate: Some(rate), ..self.closed() }
    }
}
