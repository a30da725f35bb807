//! The latency ledger: of each device, how long each leg of a result's way takes, what was dropped,
//! and what becomes slower or faster over hours.
//!
//! In the order in which a result passes: [`leg`] (the legs of its way), [`spread`] (their
//! percentiles, in memory that does not grow), [`counts`] (what became of frames), [`window`]
//! (both, minute by minute), [`drift`] (alarms, from windows), [`clock`] (the board's clock against
//! the host's), [`account`] (all of it for one device) and [`ledger`] (the devices of a daemon, or
//! of a journal that is read again).
//!
//! Time is the time at which the host received a result, as records have it: a journal that is
//! read again gives what the daemon saw.
#![deny(missing_docs)]

pub mod account;
pub mod clock;
pub mod counts;
pub mod drift;
pub mod ledger;
pub mod leg;
pub mod spread;
pub mod window;

pub use account::{Account, Snapshot};
pub use clock::ClockRate;
pub use counts::Counts;
pub use drift::{Alarm, AlarmEvent, Cause, Quantile};
pub use ledger::{Ledger, WINDOW_DEFAULT};
pub use leg::{Leg, Legs};
pub use spread::{Percentiles, Spread};
pub use window::Window;
