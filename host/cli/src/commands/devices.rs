//! `microtome devices`: what is plugged in.

use crate::report;
use anyhow::Result;

pub fn run(json: bool) -> Result<()> {
    let devices = microtome_board::devices()?;
    if json {
        return report::json(&serde_json::json!({ "devices": devices }));
    }
    if devices.is_empty() {
        println!("no serial device is plugged in");
        return Ok(());
    }
    let mut table = report::table(["device", "USB", "maker", "product", "serial number"], 5);
    for device in devices {
        let usb = device.usb.as_ref();
        let id = usb.map(|usb| format!("{:04x}:{:04x}", usb.vendor_id, usb.product_id));
        let text = |value: Option<&String>| value.cloned().unwrap_or_default();
        table.add_row([
            device.path.clone(),
            id.unwrap_or_default(),
            text(usb.and_then(|usb| usb.manufacturer.as_ref())),
            text(usb.and_then(|usb| usb.product.as_ref())),
            text(usb.and_then(|usb| usb.serial_number.as_ref())),
        ]);
    }
    println!("{table}");
    Ok(())
}
