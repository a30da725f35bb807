//! What the log gets of the ledger: a line for each device and minute, and one for each alarm.

use crate::record::unix_us;
use microtome_ledger::{AlarmEvent, Cause, Ledger, Leg, Snapshot, Window};
use std::collections::BTreeMap;

/// Tells of windows that are over, each once.
#[derive(Debug, Default)]
pub(crate) struct Log {
    /// The window of each device that was told of last.
    told: BTreeMap<String, u64>,
}

impl Log {
    /// Tells of alarms and of windows that have ended.
    pub fn tell(&mut self, ledger: &Ledger) {
        for (device, event) in ledger.end_windows(unix_us()) {
            tell(&device, &event);
        }
        for (device, snapshot) in ledger.snapshots() {
            let Some(window) = &snapshot.last else {
                continue;
            };
            if self.told.get(&device) != Some(&window.begin_us) {
                tell_window(&device, window, &snapshot);
                self.told.insert(device, window.begin_us);
            }
        }
    }
}

fn tell_window(device: &str, window: &Window, snapshot: &Snapshot) {
    let counts = &window.counts;
    let leg = |leg| window.latency_us.get(leg).unwrap_or_default();
    let (total, inference) = (leg(Leg::Total), leg(Leg::Inference));
    tracing::info!(
        device,
        results = counts.results,
        offloaded = counts.offloaded,
        late = counts.late,
        unanswered = counts.unanswered,
        missed = counts.missed,
        lost = counts.lost,
        inference_p50_us = inference.p50,
        total_p50_us = total.p50,
        total_p99_us = total.p99,
        total_max_us = total.max,
        clock_ppm = snapshot.clock.map(|clock| clock.ppm),
        alarms = snapshot.alarms.len(),
        "latency"
    );
}

/// Tells of an alarm.
pub(crate) fn tell(device: &str, event: &AlarmEvent) {
    let alarm = &event.alarm;
    let (leg, quantile) = (alarm.leg.name(), alarm.quantile.name());
    let (from_us, to_us) = (alarm.from_us, alarm.to_us);
    let what = event.cause.text();
    if event.cause == Cause::Raised {
        tracing::warn!(
            device,
            leg,
            quantile,
            from_us,
            to_us,
            "latency drift: {what}"
        );
    } else {
        tracing::info!(
            device,
            leg,
            quantile,
            from_us,
            to_us,
            "latency drift: {what}"
        );
    }
}
