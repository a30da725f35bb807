//! Where a device is plugged in at present: a configuration may name it by what USB tells of it,
//! which stays the same where the path does not.

use microtome_board::Device;
use microtome_board::devices::{DevicesError, UsbDevice};
use serde::Deserialize;
use std::fmt;
use std::path::PathBuf;

/// A kind of USB device: `2e8a:000a`, as `microtome devices` shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct UsbId {
    vendor: u16,
    product: u16,
}

/// A text is no [`UsbId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a USB id is a vendor and a product of four hexadecimal digits each, as in 2e8a:000a")]
pub struct NotAUsbId;

impl TryFrom<String> for UsbId {
    type Error = NotAUsbId;

    fn try_from(text: String) -> Result<Self, NotAUsbId> {
        let number = |digits: &str| {
            let fits = digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
            let number = u16::from_str_radix(digits, 16).ok();
            number.filter(|_| fits).ok_or(NotAUsbId)
        };
        let (vendor, product) = text.split_once(':').ok_or(NotAUsbId)?;
        Ok(Self {
            vendor: number(vendor)?,
            product: number(product)?,
        })
    }
}

impl fmt::Display for UsbId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04x}:{:04x}", self.vendor, self.product)
    }
}

/// What tells a device from the others that are plugged in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// The path of its serial device.
    Path(PathBuf),
    /// What USB tells of it; it has both, where both are there.
    Usb {
        /// Its kind.
        id: Option<UsbId>,
        /// Its serial number.
        serial_number: Option<String>,
    },
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => write!(f, "{}", path.display()),
            Self::Usb { id, serial_number } => {
                f.write_str("USB device")?;
                if let Some(id) = id {
                    write!(f, " {id}")?;
                }
                match serial_number {
                    Some(number) => write!(f, " with serial number {number:?}"),
                    None => Ok(()),
                }
            }
        }
    }
}

/// Why it is not known where a device is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LocateError {
    /// The system does not say what is plugged in.
    #[error("{0}; name the device by its path")]
    NoList(#[from] DevicesError),
    /// There is no such device.
    #[error("{wanted} is not plugged in; there is {found}")]
    Absent {
        /// What was looked for.
        wanted: Place,
        /// What is plugged in.
        found: String,
    },
    /// There are several.
    #[error("{wanted} is {found}; name its serial_number or its path")]
    Several {
        /// What was looked for.
        wanted: Place,
        /// Those that it may be.
        found: String,
    },
}

/// The path of the device at `place`, where `list` gives those that are plugged in.
///
/// # Errors
/// When none or several of them are it.
pub fn locate(
    place: &Place,
    list: impl FnOnce() -> Result<Vec<Device>, DevicesError>,
) -> Result<PathBuf, LocateError> {
    let (id, serial_number) = match place {
        Place::Path(path) => return Ok(path.clone()),
        Place::Usb { id, serial_number } => (id, serial_number),
    };
    let is_it = |usb: &UsbDevice| {
        let its_id = UsbId {
            vendor: usb.vendor_id,
            product: usb.product_id,
        };
        id.is_none_or(|id| id == its_id)
            && (serial_number.is_none() || *serial_number == usb.serial_number)
    };
    let devices = list()?;
    let found: Vec<_> = devices
        .iter()
        .filter(|device| device.usb.as_ref().is_some_and(is_it))
        .collect();
    match found[..] {
        [device] => Ok(PathBuf::from(&device.path)),
        [] => Err(LocateError::Absent {
            wanted: place.clone(),
            found: named(devices.iter()),
        }),
        _ => Err(LocateError::Several {
            wanted: place.clone(),
            found: named(found.into_iter()),
        }),
    }
}

/// The devices, for people.
fn named<'d>(devices: impl Iterator<Item = &'d Device>) -> String {
    let name = |device: &Device| match &device.usb {
        None => device.path.clone(),
        Some(usb) => {
            let number = usb
                .serial_number
                .as_deref()
                .unwrap_or("without serial number");
            let (vendor, product) = (usb.vendor_id, usb.product_id);
            format!("{} ({vendor:04x}:{product:04x}, {number})", device.path)
        }
    };
    let names: Vec<_> = devices.map(name).collect();
    match names.is_empty() {
        true => "no serial device".to_owned(),
        false => names.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::{Place, UsbId, locate};
    use microtome_board::Device;
    use microtome_board::devices::UsbDevice;
    use std::path::{Path, PathBuf};

    fn usb(path: &str, product_id: u16, serial_number: Option<&str>) -> Device {
        Device {
            path: path.to_owned(),
            usb: Some(UsbDevice {
                vendor_id: 0x2e8a,
                product_id,
                manufacturer: None,
                product: None,
                serial_number: serial_number.map(str::to_owned),
            }),
        }
    }

    /// Two of a kind, another, and one that does not hang on USB.
    fn plugged() -> Vec<Device> {
        vec![
            usb("/dev/ttyACM0", 0x000a, Some("E661")),
            usb("/dev/ttyACM1", 0x000a, Some("E662")),
            usb("/dev/ttyACM2", 0x000b, None),
            Device {
                path: "/dev/ttyS0".to_owned(),
                usb: None,
            },
        ]
    }

    fn place(id: Option<&str>, serial_number: Option<&str>) -> Place {
        Place::Usb {
            id: id.map(|id| UsbId::try_from(id.to_owned()).unwrap()),
            serial_number: serial_number.map(str::to_owned),
        }
    }

    fn found(place: &Place) -> Result<PathBuf, String> {
        locate(place, || Ok(plugged())).map_err(|error| error.to_string())
    }

    #[test]
    fn a_device_is_found_where_it_is_plugged_in() {
        let at = |path: &str| Ok(PathBuf::from(path));
        assert_eq!(found(&place(None, Some("E662"))), at("/dev/ttyACM1"));
        assert_eq!(
            found(&place(Some("2E8A:000a"), Some("E661"))),
            at("/dev/ttyACM0")
        );
        assert_eq!(found(&place(Some("2e8a:000b"), None)), at("/dev/ttyACM2"));
        // A path needs no list.
        let path = Place::Path("/dev/no-such-tty".into());
        let listed = locate(&path, || unreachable!());
        assert_eq!(listed.unwrap(), Path::new("/dev/no-such-tty"));
    }

    #[test]
    fn an_error_names_what_is_plugged_in() {
        let error = found(&place(Some("2e8a:000b"), Some("E661"))).unwrap_err();
        let wanted = "USB device 2e8a:000b with serial number \"E661\" is not plugged in; there is";
        assert!(error.starts_with(wanted), "{error}");
        for part in [
            "/dev/ttyACM0 (2e8a:000a, E661)",
            "without serial number",
            "/dev/ttyS0",
        ] {
            assert!(error.contains(part), "{part}: {error}");
        }
        let error = found(&place(Some("2e8a:000a"), None)).unwrap_err();
        assert!(error.contains("name its serial_number"), "{error}");
        assert!(!error.contains("ttyACM2"), "{error}");
        let error = locate(&place(None, Some("1")), || Ok(vec![])).unwrap_err();
        assert!(
            error.to_string().ends_with("there is no serial device"),
            "{error}"
        );
    }

    #[test]
    fn what_is_no_usb_id_is_refused() {
        for text in [
            "",
            "2e8a",
            "2e8a:",
            "2e8a:00a",
            "2e8a:+00a",
            "2e8a:000a:1",
            "2e8a:000g",
        ] {
            assert!(UsbId::try_from(text.to_owned()).is_err(), "{text}");
        }
    }
}
