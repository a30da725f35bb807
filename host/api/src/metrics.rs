//! Counts and times for Prometheus.
//!
//! What devices count themselves is read when it is asked for; only times and requests are counted
//! here. The labels are names of the configuration and routes, never text of a request, so that
//! their number is bounded.

use crate::host::Host;
use crate::hub::Hub;
use microtome_journal::record::Latency;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{
    DescriptorEncoder, EncodeLabelSet, EncodeLabelValue, EncodeMetric,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Upper bounds of the histograms' buckets, in seconds.
const BUCKETS: [f64; 14] = [
    0.0001, 0.000_25, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LegLabels {
    device: String,
    leg: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    route: String,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RefusedLabels {
    reason: Refused,
}

/// Why a connection or a request was refused before it came to a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub(crate) enum Refused {
    /// Too many connections.
    Connections,
    /// Too many of one address.
    AddressConnections,
    /// The TLS handshake failed, or took too long.
    Handshake,
    /// Another host, or a page of another origin.
    Host,
    /// Too fast.
    Rate,
    /// No token, or none that is known or permits it.
    Token,
}

type Times = Family<LegLabels, Histogram, fn() -> Histogram>;

/// The metrics of a daemon.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    legs: Times,
    commits: Histogram,
    requests: Family<RequestLabels, Counter>,
    refused: Family<RefusedLabels, Counter>,
    /// Connections at present.
    pub connections: Gauge,
    /// Streams at present.
    pub streams: Gauge,
}

fn histogram() -> Histogram {
    Histogram::new(BUCKETS)
}

impl Metrics {
    pub fn new(build: &str) -> Self {
        let mut registry = Registry::with_prefix("microtome");
        let metrics = Self {
            legs: Times::new_with_constructor(histogram),
            commits: histogram(),
            requests: Family::default(),
            refused: Family::default(),
            connections: Gauge::default(),
            streams: Gauge::default(),
            registry: Registry::default(),
        };
        let info = Info::new([("version", build.to_owned())]);
        registry.register("build", "The daemon's build", info);
        registry.register_with_unit(
            "latency",
            "Time of each leg of a result's way",
            Unit::Seconds,
            metrics.legs.clone(),
        );
        registry.register_with_unit(
            "journal_commit",
            "From when the host had a result until the journal had it for good",
            Unit::Seconds,
            metrics.commits.clone(),
        );
        registry.register(
            "api_requests",
            "Requests by route and status",
            metrics.requests.clone(),
        );
        registry.register(
            "api_refused",
            "Connections and requests that came to no route",
            metrics.refused.clone(),
        );
        registry.register(
            "api_connections",
            "Connections at present",
            metrics.connections.clone(),
        );
        registry.register(
            "api_streams",
            "Streams of results at present",
            metrics.streams.clone(),
        );
        Self {
            registry,
            ..metrics
        }
    }

    /// Those of one device.
    pub fn device(&self, name: &str) -> DeviceMetrics {
        let leg = |leg| {
            let device = name.to_owned();
            self.legs.get_or_create_owned(&LegLabels { device, leg })
        };
        DeviceMetrics {
            wait: leg("wait"),
            inference: leg("inference"),
            to_host: leg("to_host"),
            queue: leg("queue"),
            executor: leg("executor"),
            to_board: leg("to_board"),
            total: leg("total"),
            signal: leg("signal"),
            commits: self.commits.clone(),
        }
    }

    /// Counts a request that came to `route`.
    pub fn request(&self, route: &str, status: u16) {
        let route = route.to_owned();
        self.requests
            .get_or_create(&RequestLabels { route, status })
            .inc();
    }

    /// Counts one that did not.
    pub fn refuse(&self, reason: Refused) {
        self.refused.get_or_create(&RefusedLabels { reason }).inc();
    }

    /// All of them, in the OpenMetrics text format.
    pub fn text(&self, hub: &Hub, host: &dyn Host) -> Result<String, fmt::Error> {
        let mut text = String::new();
        let mut live = Registry::with_prefix("microtome");
        live.register_collector(Box::new(Live::new(hub, host)));
        prometheus_client::encoding::text::encode_registry(&mut text, &self.registry)?;
        prometheus_client::encoding::text::encode_registry(&mut text, &live)?;
        prometheus_client::encoding::text::encode_eof(&mut text)?;
        Ok(text)
    }
}

/// The metrics of one device.
#[derive(Debug)]
pub(crate) struct DeviceMetrics {
    wait: Histogram,
    inference: Histogram,
    to_host: Histogram,
    queue: Histogram,
    executor: Histogram,
    to_board: Histogram,
    total: Histogram,
    signal: Histogram,
    commits: Histogram,
}

impl DeviceMetrics {
    /// Takes note of a result.
    pub fn observe(&self, latency_us: &Latency, waited: Duration) {
        let legs = [
            (&self.wait, Some(latency_us.wait)),
            (&self.inference, Some(latency_us.inference)),
            (&self.to_host, latency_us.to_host),
            (&self.queue, latency_us.queue),
            (&self.executor, latency_us.executor),
            (&self.to_board, latency_us.to_board),
            (&self.total, Some(latency_us.total)),
            (&self.signal, latency_us.signal),
        ];
        for (histogram, us) in legs {
            if let Some(us) = us {
                histogram.observe(us as f64 / 1e6);
            }
        }
        self.commits.observe(waited.as_secs_f64());
    }
}

/// What is known without being counted here.
#[derive(Debug)]
struct Live {
    devices: Vec<crate::hub::Status>,
    queue_len: usize,
    is_recording: bool,
}

impl Live {
    fn new(hub: &Hub, host: &dyn Host) -> Self {
        Self {
            devices: hub.devices().map(|device| device.status()).collect(),
            queue_len: host.queue_len(),
            is_recording: host.trouble().is_none(),
        }
    }

    /// A counter with a value for each device.
    fn counters(
        &self,
        encoder: &mut DescriptorEncoder<'_>,
        name: &str,
        help: &str,
        value: impl Fn(&crate::hub::Status) -> u64,
    ) -> fmt::Result {
        let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        for device in &self.devices {
            let labels = [("device", &*device.name)];
            let counter = ConstCounter::new(value(device));
            counter.encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

impl Collector for Live {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Results in the journal, by whose reading they are";
        let mut family = encoder.encode_descriptor("results", help, None, MetricType::Counter)?;
        for device in &self.devices {
            let counts = &device.results;
            let alone = counts.on_board - counts.late - counts.unanswered;
            for (origin, count) in [
                ("board", alone),
                ("host", counts.offloaded),
                ("board_after_deadline", counts.late),
                ("board_after_no_answer", counts.unanswered),
            ] {
                let labels = [("device", &*device.name), ("origin", origin)];
                ConstCounter::new(count).encode(family.encode_family(&labels)?)?;
            }
        }
        let encoder = &mut encoder;
        self.counters(encoder, "lost", "Frames without a result", |device| {
            device.results.lost
        })?;
        let help = "Exposures that were due and did not take place";
        self.counters(encoder, "missed", help, |device| device.results.missed)?;
        let help = "Sessions with the device; all but the first are reconnects";
        self.counters(encoder, "sessions", help, |device| device.sessions)?;
        let help = "Whether the device acquires";
        let mut family = encoder.encode_descriptor("acquiring", help, None, MetricType::Gauge)?;
        for device in &self.devices {
            let acquires = device.state == crate::hub::State::Acquiring;
            let gauge = ConstGauge::new(i64::from(acquires));
            gauge.encode(family.encode_family(&[("device", &*device.name)])?)?;
        }
        let help = "Questions that wait for an executor";
        let family = encoder.encode_descriptor("queue", help, None, MetricType::Gauge)?;
        ConstGauge::new(self.queue_len as i64).encode(family)?;
        let help = "Whether the journal records";
        let family = encoder.encode_descriptor("recording", help, None, MetricType::Gauge)?;
        ConstGauge::new(i64::from(self.is_recording)).encode(family)
    }
}

/// The metrics' media type.
pub(crate) const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Counts up while it is there.
pub(crate) struct Counted(Gauge);

impl Counted {
    pub fn new(gauge: &Gauge) -> Arc<Self> {
        gauge.inc();
        Arc::new(Self(gauge.clone()))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}
