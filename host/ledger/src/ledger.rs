//! The devices of a daemon, or of a journal that is read again.

use crate::account::{Account, Snapshot};
use crate::drift::AlarmEvent;
use crate::window::Window;
use microtome_journal::Record;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Length of a window, unless it is told otherwise.
pub const WINDOW_DEFAULT: Duration = Duration::from_secs(60);

/// An account for each device, by the user's name of it.
#[derive(Debug)]
pub struct Ledger {
    window_us: u64,
    accounts: Mutex<BTreeMap<String, Account>>,
}

impl Default for Ledger {
    fn default() -> Self {
        Self::new(WINDOW_DEFAULT)
    }
}

impl Ledger {
    /// Without a device; windows have this length.
    pub fn new(window: Duration) -> Self {
        Self {
            window_us: u64::try_from(window.as_micros()).unwrap_or(u64::MAX),
            accounts: Mutex::default(),
        }
    }

    /// Takes a result; what it changes about alarms.
    pub fn record(&self, device: &str, record: &Record) -> Vec<AlarmEvent> {
        self.with(device, |account| account.record(record))
    }

    /// Counts frames of a device that have no result.
    pub fn lose(&self, device: &str, frames: u64) {
        self.with(device, |account| account.lose(frames));
    }

    /// Ends windows that are not that of `now_us`, also where no result comes any more; what that
    /// changes about alarms.
    pub fn end_windows(&self, now_us: u64) -> Vec<(String, AlarmEvent)> {
        self.each(|account| account.end_window(now_us))
    }

    /// Ends the windows at hand: nothing more comes.
    pub fn close(&self) -> Vec<(String, AlarmEvent)> {
        self.each(Account::close)
    }

    /// What is known of each device that has results.
    pub fn snapshots(&self) -> BTreeMap<String, Snapshot> {
        let accounts = self.accounts();
        let snapshots = accounts.iter();
        snapshots
            .map(|(device, account)| (device.clone(), account.snapshot()))
            .collect()
    }

    /// What is known of a device, if it has results.
    pub fn snapshot(&self, device: &str) -> Option<Snapshot> {
        self.accounts().get(device).map(Account::snapshot)
    }

    /// The last windows of a device, the newest last.
    pub fn windows(&self, device: &str) -> Vec<Window> {
        let accounts = self.accounts();
        let windows = accounts.get(device).map(Account::windows);
        windows.into_iter().flatten().cloned().collect()
    }

    fn accounts(&self) -> MutexGuard<'_, BTreeMap<String, Account>> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(&self, device: &str, act: impl FnOnce(&mut Account) -> T) -> T {
        let mut accounts = self.accounts();
        if let Some(account) = accounts.get_mut(device) {
            return act(account);
        }
        let new = Account::new(self.window_us);
        act(accounts.entry(device.to_owned()).or_insert(new))
    }

    fn each(
        &self,
        mut act: impl FnMut(&mut Account) -> Vec<AlarmEvent>,
    ) -> Vec<(String, AlarmEvent)> {
        let mut accounts = self.accounts();
        let changes = accounts.iter_mut().flat_map(|(device, account)| {
            let changes = act(account).into_iter();
            changes.map(|change| (device.clone(), change))
        });
        changes.collect()
    }
}
