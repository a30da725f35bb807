//! The serial devices that are plugged in.

use serde::Serialize;

/// A serial device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Device {
    /// Its path, as the daemon's configuration names it.
    pub path: String,
    /// What is known of it, if it hangs on USB.
    pub usb: Option<UsbDevice>,
}

/// What USB tells of a serial device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UsbDevice {
    /// USB vendor id.
    pub vendor_id: u16,
    /// USB product id.
    pub product_id: u16,
    /// Name of the manufacturer.
    pub manufacturer: Option<String>,
    /// Name of the product.
    pub product: Option<String>,
    /// Its serial number.
    pub serial_number: Option<String>,
}

/// The system does not list its serial devices.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the system does not list its serial devices: {cause}")]
pub struct DevicesError {
    cause: String,
}

/// The serial devices that are plugged in, by path.
///
/// # Errors
/// When the system does not list them.
pub fn devices() -> Result<Vec<Device>, DevicesError> {
    // The lister takes this folder for granted and panics without it, as in some containers.
    if cfg!(target_os = "linux") && !std::path::Path::new("/sys/class/tty").is_dir() {
        return Err(DevicesError {
            cause: "there is no /sys/class/tty".to_owned(),
        });
    }
    let ports = tokio_serial::available_ports().map_err(|error| DevicesError {
        cause: error.description,
    })?;
    let mut devices: Vec<_> = ports.into_iter().map(device).collect();
    devices.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(devices)
}

fn device(port: tokio_serial::SerialPortInfo) -> Device {
    let usb = match port.port_type {
        tokio_serial::SerialPortType::UsbPort(usb) => Some(UsbDevice {
            vendor_id: usb.vid,
            product_id: usb.pid,
            manufacturer: usb.manufacturer,
            product: usb.product,
            serial_number: usb.serial_number,
        }),
        _ => None,
    };
    Device {
        path: port.port_name,
        usb,
    }
}
