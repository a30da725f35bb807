//! How soon drift is noticed, and how often it is seen where there is none: simulated with fixed
//! seeds, in the figures of `docs/latency.md`.
#![allow(clippy::unwrap_used, reason = "a test that fails panics")]

mod support;

use microtome_ledger::drift::{BASELINE, Detector, ODD_PAIRS_MAX, RECENT, STANDING_MAX};
use microtome_ledger::{AlarmEvent, Cause, Leg, Quantile, Spread};
use support::Random;

const MINUTE_US: u64 = 60_000_000;
const DAY: u64 = 24 * 60;

/// A leg whose times are simulated, minute by minute.
struct Watched {
    random: Random,
    detectors: [Detector; 2],
    events: Vec<AlarmEvent>,
    minute: u64,
}

impl Watched {
    fn new(seed: u64) -> Self {
        Self {
            random: Random::new(seed),
            detectors: Quantile::ALL.map(|quantile| Detector::new(Leg::Total, quantile)),
            events: Vec::new(),
            minute: 0,
        }
    }

    /// A minute of `rate` results a second, each of `us`.
    fn minute(&mut self, rate: u32, mut us: impl FnMut(&mut Random) -> f64) {
        let mut spread = Spread::default();
        for _ in 0..60 * rate {
            spread.add(us(&mut self.random) as u64);
        }
        self.minute += 1;
        let percentiles = spread.percentiles().unwrap();
        for detector in &mut self.detectors {
            let value = detector.quantile().of(&percentiles).unwrap();
            self.events
                .extend(detector.take(value, self.minute * MINUTE_US));
        }
    }

    fn raised(&self, quantile: Quantile) -> Vec<u64> {
        let events = self.events.iter();
        let raised = events.filter(|it| it.cause == Cause::Raised && it.alarm.quantile == quantile);
        raised.map(|event| event.at_us / MINUTE_US).collect()
    }
}

/// Twelve milliseconds, twice as long or half as long for one in three, and one in a hundred up to
/// very much longer (Pareto with an infinite variance).
fn heavy_tailed(random: &mut Random) -> f64 {
    let body = 12_000.0 * (0.7 * random.normal()).exp();
    if random.uniform() < 0.01 {
        body + 20_000.0 / random.uniform().powf(1.0 / 1.5)
    } else {
        body
    }
}

/// Of all orders of recent and baseline windows, so many are an alarm.
#[test]
fn by_chance_alone_one_test_in_three_million_finds_a_leg_slower() {
    // Orders with so many odd pairs, by the length of either sequence.
    fn orders(odd: i64, recent: i64, baseline: i64) -> f64 {
        match (odd, recent, baseline) {
            (..0, _, _) => 0.0,
            (0, 0, _) | (0, _, 0) => 1.0,
            (_, 0, _) | (_, _, 0) => 0.0,
            _ => orders(odd - baseline, recent - 1, baseline) + orders(odd, recent, baseline - 1),
        }
    }
    let (recent, baseline) = (RECENT as i64, BASELINE as i64);
    let odd = (0..=ODD_PAIRS_MAX as i64).map(|odd| orders(odd, recent, baseline));
    let all = (1..=RECENT).fold(1.0, |all, index| {
        all * (BASELINE + index) as f64 / index as f64
    });
    let one_in = all / odd.sum::<f64>();
    assert_eq!((one_in / 1e5).round(), 32.0);
}

#[test]
fn thirty_days_of_heavy_tailed_noise_raise_no_alarm() {
    let mut alarms = 0;
    for seed in 0..30 {
        let mut watched = Watched::new(seed);
        for _ in 0..DAY {
            watched.minute(5, heavy_tailed);
        }
        alarms += watched.events.len();
    }
    assert_eq!(alarms, 0);
}

/// Minutes that depend on the ones before: what the test does not count on.
#[test]
fn noise_that_lasts_for_minutes_raises_alarms() {
    for (memory, alarms_max) in [(0.5, 0), (0.9, 97)] {
        let mut alarms = 0;
        for seed in 0..30 {
            let (mut watched, mut load) = (Watched::new(seed), 0.0);
            for _ in 0..DAY {
                let news = f64::sqrt(1.0 - memory * memory) * watched.random.normal();
                load = memory * load + 0.05 * news;
                watched.minute(5, |random| heavy_tailed(random) * f64::exp(load));
            }
            alarms += watched.raised(Quantile::P50).len() + watched.raised(Quantile::P99).len();
        }
        println!("memory {memory}: {alarms} alarms in 30 days");
        assert!(alarms <= alarms_max, "{alarms}");
    }
}

/// Minutes until a drift of 5 % an hour raises an alarm of the median.
fn noticed(seed: u64, rate: u32, time: impl Fn(&mut Random) -> f64) -> u64 {
    let mut watched = Watched::new(seed);
    let stationary = 2 * 60;
    for minute in 0..stationary + 6 * 60 {
        let hours = f64::from(u32::saturating_sub(minute, stationary)) / 60.0;
        watched.minute(rate, |random| time(random) * 1.05_f64.powf(hours));
    }
    let raised = watched.raised(Quantile::P50);
    let first = *raised.first().expect("it is noticed");
    assert!(first > u64::from(stationary), "a false alarm");
    first - u64::from(stationary)
}

#[test]
fn a_drift_of_five_percent_an_hour_is_noticed_in_an_hour_and_through_heavy_noise_in_some() {
    let narrow = |random: &mut Random| 12_000.0 * (0.05 * random.normal()).exp();
    for seed in 0..10 {
        let (narrow, heavy) = (noticed(seed, 5, narrow), noticed(seed, 5, heavy_tailed));
        println!("seed {seed}: {narrow} and {heavy} minutes");
        assert!(narrow <= 60, "{narrow}");
        assert!(heavy <= 240, "{heavy}");
    }
}

#[test]
fn an_alarm_ends_when_the_leg_is_as_it_was() {
    let mut watched = Watched::new(1);
    for factor in [1.0, 1.2, 1.0] {
        for _ in 0..50 {
            watched.minute(5, |random| heavy_tailed(random) * factor);
        }
    }
    let events = watched.events.iter();
    let of_median: Vec<_> = events
        .filter(|event| event.alarm.quantile == Quantile::P50)
        .collect();
    let [raised, ended] = of_median[..] else {
        panic!("{:?}", watched.events)
    };
    assert_eq!((raised.cause, ended.cause), (Cause::Raised, Cause::Back));
    let minutes = |event: &AlarmEvent| event.at_us / MINUTE_US;
    assert!((51..=62).contains(&minutes(raised)), "{raised:?}");
    assert!((101..=112).contains(&minutes(ended)), "{ended:?}");
    assert!(raised.alarm.from_us.abs_diff(12_000) < 600, "{raised:?}");
}

#[test]
fn a_level_that_lasts_becomes_the_baseline() {
    let mut watched = Watched::new(2);
    for factor in [1.0, 0.5, 1.0] {
        for _ in 0..40 + STANDING_MAX {
            watched.minute(5, |random| heavy_tailed(random) * factor);
        }
    }
    let causes = watched.events.iter();
    let causes = causes
        .filter(|event| event.alarm.quantile == Quantile::P50)
        .map(|event| event.cause);
    let wanted = [
        Cause::Raised,
        Cause::NewBaseline,
        Cause::Raised,
        Cause::NewBaseline,
    ];
    assert!(causes.eq(wanted), "{:?}", watched.events);
}

#[test]
fn a_change_that_is_of_no_use_to_anybody_is_no_alarm() {
    let mut watched = Watched::new(3);
    for minute in 0..DAY {
        // 400 µs become 440 at once, without any noise.
        let us = if minute < 60 { 400.0 } else { 440.0 };
        watched.minute(5, |_| us);
    }
    assert_eq!(watched.events, []);
}
