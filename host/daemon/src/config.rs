//! The daemon's configuration, a TOML file.
//!
//! ```toml
//! journal = "results.journal"   # where results go
//! plans = ["plans"]             # plan files, or folders of them: the boards' and the heavier ones
//! gpu = "auto"                  # auto (if in hardware), off, software-ok
//! queue = 16                    # questions that wait for the heavier models at most
//!
//! [retention]
//! age_max_days = 90             # older results are removed
//! records_max = 10_000_000      # only the newest so many are kept
//! bytes_max = 20_000_000_000    # only the newest that have so many bytes together, with frames
//! frames_bytes_max = 10_000_000_000  # only the newest frames that have so many; results stay
//!
//! [api]                         # without it nothing listens; see `microtome_api::config`
//! listen = "127.0.0.1:8642"
//!
//! [[device]]
//! name = "stage-left"           # as the log and the journal call it
//! path = "/dev/ttyACM0"         # or by what USB tells of it: usb = "2e8a:000a", serial_number
//! baud = 921600
//! elf = "firmware.elf"          # of the device's firmware, to show its log
//!
//! [device.acquisition]
//! frames = 0                    # 0 goes on until the daemon ends
//! period_us = 0                 # from one exposure to the next; 0 is as fast as the board can
//! offload = true                # whether the board may ask
//! deadline_ms = 200             # how long it waits for an answer
//! mode = "rate"                 # rate: the most frames; latency: the quickest answers
//!
//! [device.frames]
//! keep = "none"                 # which frames the journal keeps: none, or asked
//!
//! [device.calibration]          # goes into the provenance of each result
//! name = "2026-11-02, 20x"      # the user's name of it
//! pixel_size_nm = 325           # in the object plane
//! ```
//!
//! The sections `[fleet]` and `[mqtt]` are those of `microtome-fleet`; without them, the daemon has
//! nothing to do with any other.
//!
//! Only `journal`, and `name` and `path` of a device, must be there (`usb` or `serial_number` or
//! both may stand in the place of `path`); the values shown for the rest are those that it has by
//! default, but for `plans`, `elf`, the calibration and the limits of the retention, of which there
//! are none. Paths are relative to the file's folder.

use crate::executor::GpuPolicy;
use crate::keep::FramesConfig;
use crate::locate::{Place, UsbId};
use crate::offload::QUEUE_LEN_DEFAULT;
use crate::transport::BAUD_DEFAULT;
use microtome_api::ApiConfig;
use microtome_fleet::{FleetConfig, MqttConfig};
use microtome_journal::{Calibration, Retention};
use microtome_link::message::{Acquisition, Mode};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Most questions that may wait.
const QUEUE_LEN_MAX: usize = 1024;
/// Most devices of one daemon.
const DEVICES_MAX: usize = 256;

/// What a daemon does.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where results go.
    pub journal: PathBuf,
    /// Plan files, or folders of them.
    #[serde(default)]
    pub plans: Vec<PathBuf>,
    /// When the GPU is used.
    #[serde(default)]
    pub gpu: GpuPolicy,
    /// Questions that wait for the heavier models at most.
    #[serde(default = "queue_default")]
    pub queue: usize,
    /// What is kept of the results.
    #[serde(default)]
    pub retention: RetentionConfig,
    /// Where and to whom the HTTP API is open; nowhere unless it is there.
    pub api: Option<ApiConfig>,
    /// The instruments.
    #[serde(rename = "device", default)]
    pub devices: Vec<DeviceConfig>,
    /// What the daemon has to do with others.
    pub fleet: Option<FleetConfig>,
    /// An MQTT broker that results go to.
    pub mqtt: Option<MqttConfig>,
}

/// How many results are kept; without a limit, all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetentionConfig {
    /// Results that were received more days ago are removed.
    pub age_max_days: Option<u32>,
    /// The newest so many are kept.
    pub records_max: Option<u64>,
    /// The newest are kept that have no more bytes together, with their frames.
    pub bytes_max: Option<u64>,
    /// The newest frames are kept that have no more bytes together.
    pub frames_bytes_max: Option<u64>,
}

impl From<RetentionConfig> for Retention {
    fn from(config: RetentionConfig) -> Self {
        let day = |days| Duration::from_secs(24 * 60 * 60 * u64::from(days));
        Self {
            age_max: config.age_max_days.map(day),
            records_max: config.records_max,
            bytes_max: config.bytes_max,
            frames_bytes_max: config.frames_bytes_max,
        }
    }
}

/// One instrument.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceConfig {
    /// The user's name of it.
    pub name: String,
    /// Path of its serial device.
    pub path: Option<PathBuf>,
    /// The kind of USB device that it is, where no path is given.
    pub usb: Option<UsbId>,
    /// The serial number that USB tells of it, where no path is given.
    pub serial_number: Option<String>,
    /// Bits a second.
    #[serde(default = "baud_default")]
    pub baud: u32,
    /// ELF file of its firmware.
    pub elf: Option<PathBuf>,
    /// How it acquires.
    #[serde(default)]
    pub acquisition: AcquisitionConfig,
    /// Which of its frames are kept.
    #[serde(default)]
    pub frames: FramesConfig,
    /// What it was calibrated to.
    pub calibration: Option<Calibration>,
}

impl DeviceConfig {
    /// What tells it from other devices.
    pub fn place(&self) -> Place {
        match &self.path {
            Some(path) => Place::Path(path.clone()),
            None => Place::Usb {
                id: self.usb,
                serial_number: self.serial_number.clone(),
            },
        }
    }

    /// Whether it is named in one way.
    fn is_placed(&self) -> bool {
        self.path.is_some() != (self.usb.is_some() || self.serial_number.is_some())
    }
}

/// How an instrument acquires.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AcquisitionConfig {
    /// Number of frames; 0 goes on until the daemon ends.
    pub frames: u32,
    /// Microseconds from one exposure to the next; 0 is as fast as the board can.
    pub period_us: u32,
    /// Whether the board may ask.
    pub offload: bool,
    /// Milliseconds that it waits for an answer.
    pub deadline_ms: u32,
    /// What it strives for.
    pub mode: Mode,
}

impl Default for AcquisitionConfig {
    fn default() -> Self {
        Self {
            frames: 0,
            period_us: 0,
            offload: true,
            deadline_ms: 200,
            mode: Mode::Rate,
        }
    }
}

impl From<AcquisitionConfig> for Acquisition {
    fn from(config: AcquisitionConfig) -> Self {
        let AcquisitionConfig {
            frames,
            period_us,
            offload,
            deadline_ms,
            mode,
        } = config;
        Self {
            frames,
            period_us,
            offload,
            deadline_ms,
            mode,
        }
    }
}

/// Why a configuration is not taken.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file can not be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not TOML, or a key is unknown, missing or of the wrong type.
    #[error("{}, line {line}: {cause}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong, naming the key.
        cause: String,
    },
    /// A value makes no sense.
    #[error("{}: {key}: {cause}", path.display())]
    Value {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
        /// What is wrong.
        cause: String,
    },
}

impl Config {
    /// Reads the configuration at `path`.
    ///
    /// # Errors
    /// [`ConfigError`] names the line or the key that is wrong.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
            path: path.to_owned(),
            source,
        })?;
        let mut config = Self::parse(&text, path)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let elves = config
            .devices
            .iter_mut()
            .filter_map(|device| device.elf.as_mut());
        let fleet = config.fleet.as_mut().into_iter();
        let fleet = fleet.flat_map(FleetConfig::paths_mut);
        let of_api = config.api.iter_mut().flat_map(ApiConfig::paths_mut);
        for file in config
            .plans
            .iter_mut()
            .chain([&mut config.journal])
            .chain(elves)
            .chain(fleet)
            .chain(of_api)
        {
            *file = folder.join(&file);
        }
        Ok(config)
    }

    fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let config: Self = toml::from_str(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            let line = text[..at].matches('\n').count() + 1;
            let cause = error.message().replace('\n', " ");
            ConfigError::Syntax {
                path: path.to_owned(),
                line,
                cause,
            }
        })?;
        let fault = config.fault().map(|(key, cause)| (key, cause.to_owned()));
        let of_api = || {
            let (key, cause) = config.api.as_ref()?.fault()?;
            Some((format!("api.{key}"), cause))
        };
        match fault.or_else(of_api) {
            None => Ok(config),
            Some((key, cause)) => {
                let path = path.to_owned();
                Err(ConfigError::Value { path, key, cause })
            }
        }
    }

    /// Whether the daemon answers the questions of others.
    pub(crate) fn serves(&self) -> bool {
        self.fleet.as_ref().is_some_and(|fleet| fleet.serve)
    }

    /// The first key whose value makes no sense, and why.
    fn fault(&self) -> Option<(String, &'static str)> {
        if !(1..=QUEUE_LEN_MAX).contains(&self.queue) {
            return Some(("queue".to_owned(), "must be from 1 to 1024"));
        }
        if let Some((key, cause)) = self.fleet.as_ref().and_then(FleetConfig::fault) {
            return Some((format!("fleet.{key}"), cause));
        }
        if let Some((key, cause)) = self.mqtt.as_ref().and_then(MqttConfig::fault) {
            return Some((format!("mqtt.{key}"), cause));
        }
        // A daemon that serves others has work without any.
        let devices_min = usize::from(!self.serves());
        if !(devices_min..=DEVICES_MAX).contains(&self.devices.len()) {
            return Some(("device".to_owned(), "there must be from 1 to 256 devices"));
        }
        let kept = &self.retention;
        let limits = [
            ("age_max_days", kept.age_max_days.map(u64::from)),
            ("records_max", kept.records_max),
            ("bytes_max", kept.bytes_max),
            ("frames_bytes_max", kept.frames_bytes_max),
        ];
        if let Some((key, _)) = limits.iter().find(|(_, limit)| *limit == Some(0)) {
            return Some((
                format!("retention.{key}"),
                "must not be 0: nothing would be kept",
            ));
        }
        self.devices.iter().enumerate().find_map(|(index, device)| {
            let earlier = &self.devices[..index];
            let of_device = |key: &str| format!("device {:?}: {key}", device.name);
            if device.name.is_empty() {
                Some((format!("device {index}: name"), "must not be empty"))
            } else if earlier.iter().any(|other| other.name == device.name) {
                Some((of_device("name"), "is that of an earlier device"))
            } else if !device.is_placed() {
                let cause = "must be there, or else usb or serial_number";
                Some((of_device("path"), cause))
            } else if earlier.iter().any(|other| other.place() == device.place()) {
                Some((of_device("path"), "is that of an earlier device"))
            } else if device.baud == 0 {
                Some((of_device("baud"), "must not be 0"))
            } else if device.acquisition.offload && device.acquisition.deadline_ms == 0 {
                Some((
                    of_device("acquisition.deadline_ms"),
                    "must not be 0 where offload is on",
                ))
            } else {
                None
            }
        })
    }
}

fn queue_default() -> usize {
    QUEUE_LEN_DEFAULT
}

fn baud_default() -> u32 {
    BAUD_DEFAULT
}

#[cfg(test)]
mod tests {
    use super::{AcquisitionConfig, Config, GpuPolicy};
    use crate::keep::Keep;
    use crate::locate::Place;
    use std::path::Path;

    const LEAST: &str = "journal = 'j'\n[[device]]\nname = 'a'\npath = '/dev/a'\n";

    fn error(text: &str) -> String {
        Config::parse(text, Path::new("daemon.toml"))
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn what_is_left_out_has_its_default() {
        let config = Config::parse(LEAST, Path::new("daemon.toml")).unwrap();
        assert_eq!(config.gpu, GpuPolicy::Auto);
        assert_eq!((config.queue, config.devices[0].baud), (16, 921_600));
        assert_eq!(config.devices[0].acquisition, AcquisitionConfig::default());
    }

    #[test]
    fn a_device_may_be_named_by_what_usb_tells_of_it() {
        let text = format!("{LEAST}[[device]]\nname = 'b'\nserial_number = 'E661'\n");
        let config = Config::parse(&text, Path::new("daemon.toml")).unwrap();
        let [a, b] = &config.devices[..] else {
            panic!("two devices");
        };
        assert_eq!(a.place(), Place::Path("/dev/a".into()));
        assert_eq!(a.frames.keep, Keep::None);
        let serial_number = Some("E661".to_owned());
        let place = Place::Usb {
            id: None,
            serial_number,
        };
        assert_eq!(b.place(), place);
    }

    #[test]
    fn an_error_names_file_line_and_key() {
        let text = error(&format!("{LEAST}bauds = 9600\n"));
        assert!(
            text.starts_with("daemon.toml, line 5: unknown field `bauds`"),
            "{text}"
        );
        let text = error("gpu = 'fast'\n");
        assert!(text.contains("line 1") && text.contains("`fast`"), "{text}");
        let text = error("[[device]]\nname = 'a'\npath = '/dev/a'\n");
        assert!(text.contains("`journal`"), "{text}");
    }

    #[test]
    fn values_that_make_no_sense_are_named() {
        let text = error(&format!("queue = 0\n{LEAST}"));
        assert_eq!(text, "daemon.toml: queue: must be from 1 to 1024");
        let text = error(&format!("{LEAST}[[device]]\nname = 'a'\npath = '/dev/b'\n"));
        assert_eq!(
            text,
            "daemon.toml: device \"a\": name: is that of an earlier device"
        );
        let fleet = "[fleet]\nservers = ['nats://localhost']\nsite = 'lab'\nname = 'a'\n";
        let text = error(&format!("journal = 'j'\n{fleet}"));
        assert!(text.contains("from 1 to 256 devices"), "{text}");
        let text = error(&format!("journal = 'j'\n{fleet}serve = true\nqueue = 0\n"));
        assert!(text.contains("fleet.queue"), "{text}");
        let serving = format!("journal = 'j'\n{fleet}serve = true\n");
        assert!(Config::parse(&serving, Path::new("daemon.toml")).is_ok());
        let text = error(&format!("{LEAST}[retention]\nrecords_max = 0\n"));
        assert!(text.contains("retention.records_max"), "{text}");
        let text = error(&format!("{LEAST}[api]\nlisten = '0.0.0.0:1'\n"));
        assert!(
            text.contains("api.listen") && text.contains("TLS"),
            "{text}"
        );
        for (text, key) in [
            ("name = 'b'", "device \"b\": path: must be there"),
            (
                "name = 'b'\npath = '/dev/b'\nusb = '2e8a:000a'",
                "path: must be there, or else",
            ),
            ("name = 'b'\nusb = '2e8a'", "a USB id is"),
            ("name = 'b'\npath = '/dev/b'\nframes.keep = 'all'", "`all`"),
        ] {
            let text = error(&format!("{LEAST}[[device]]\n{text}\n"));
            assert!(text.contains(key), "{text}");
        }
        let text = error(&format!("{LEAST}acquisition.mode = 'slow'\n"));
        assert!(
            text.contains("`slow`") && text.contains("`latency`"),
            "{text}"
        );
        let text = error(&format!("{LEAST}[api]\nlisten = '0.0.0.0:1'\n"));
        assert!(
            text.contains("api.listen") && text.contains("TLS"),
            "{text}"
        );
        let text = error(&format!("{LEAST}acquisition.deadline_ms = 0\n"));
        assert!(text.contains("acquisition.deadline_ms"), "{text}");
    }
}
