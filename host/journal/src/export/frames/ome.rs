//! The OME-XML of a file, schema 2016-06, in ASCII.
//!
//! Time is the order of exposure. The columns of the tables that are the same for the whole file
//! are an annotation of the image; the others, of each plane. Objects are points, in the pixels of
//! the image, with class and score as their text.

use super::Shown;
use super::image::{Layout, Pixels};
use crate::export::columns::{COLUMNS, Column, Row, Value, exposed_us};
use crate::record::{Answer, Object, Provenance};
use chrono::{DateTime, SecondsFormat};
use quick_xml::Writer;
use quick_xml::events::{BytesEnd, BytesStart, BytesText, Event};
use std::fmt::Write as _;
use std::io;

const NAMESPACE: &str = "http://www.openmicroscopy.org/Schemas/OME/2016-06";
const LOCATION: &str = "http://www.openmicroscopy.org/Schemas/OME/2016-06 \
                        http://www.openmicroscopy.org/Schemas/OME/2016-06/ome.xsd";

/// Columns that are the same for all records of a file.
const OF_FILE: [&str; 13] = [
    "device",
    "acquisition",
    "model",
    "plan",
    "board",
    "unit",
    "firmware",
    "daemon",
    "calibration",
    "pixel_size_nm",
    "boot",
    "ticks_hz",
    "provenance",
];

/// The description of a file that has the frames of `shown`.
pub(super) fn describe(
    name: &str,
    layout: &Layout,
    provenance: &Provenance,
    shown: &[Shown],
) -> io::Result<String> {
    let rows: Vec<Row<'_>> = shown.iter().map(|shown| shown.row(provenance)).collect();
    let file = Described { name, layout, rows };
    let mut xml = Xml(Writer::new(Vec::new()));
    file.write(&mut xml)?;
    let text = String::from_utf8(xml.0.into_inner()).map_err(io::Error::other)?;
    Ok(in_ascii(&text))
}

struct Described<'r> {
    name: &'r str,
    layout: &'r Layout,
    rows: Vec<Row<'r>>,
}

impl Described<'_> {
    fn write(&self, xml: &mut Xml) -> io::Result<()> {
        let creator = concat!("microtome ", env!("CARGO_PKG_VERSION"));
        let attributes = [
            ("xmlns", NAMESPACE),
            ("xmlns:xsi", "http://www.w3.org/2001/XMLSchema-instance"),
            ("xsi:schemaLocation", LOCATION),
            ("Creator", creator),
        ];
        xml.open("OME", &attributes)?;
        self.write_image(xml)?;
        self.write_annotations(xml)?;
        self.write_objects(xml)?;
        xml.close("OME")
    }

    fn write_image(&self, xml: &mut Xml) -> io::Result<()> {
        xml.open("Image", &[("ID", "Image:0"), ("Name", self.name)])?;
        let time = |first: &Row<'_>| exposed_us(first).unwrap_or(first.record.host_time_us);
        if let Some(time) = self.rows.first().map(time).and_then(date_time) {
            xml.text("AcquisitionDate", &[], &time)?;
        }
        self.write_pixels(xml)?;
        for object in 0..self.objects().count() {
            xml.empty("ROIRef", &[("ID", &format!("ROI:{object}"))])?;
        }
        xml.empty("AnnotationRef", &[("ID", "Annotation:0")])?;
        xml.close("Image")
    }

    fn write_pixels(&self, xml: &mut Xml) -> io::Result<()> {
        let layout = self.layout;
        let (kind, bits) = match layout.pixels {
            Pixels::Byte { .. } => ("uint8", "8"),
            Pixels::Float => ("float", "32"),
        };
        let [columns, rows] = [layout.columns, layout.rows].map(|side| side.to_string());
        let [channels, frames] = [layout.channels, self.rows.len()].map(|len| len.to_string());
        let mut attributes = vec![
            ("ID", "Pixels:0"),
            ("DimensionOrder", "XYCZT"),
            ("Type", kind),
            ("SignificantBits", bits),
            (
                "Interleaved",
                if layout.is_rgb() { "true" } else { "false" },
            ),
            (
                "BigEndian",
                if cfg!(target_endian = "big") {
                    "true"
                } else {
                    "false"
                },
            ),
            ("SizeX", &*columns),
            ("SizeY", &rows),
            ("SizeC", &channels),
            ("SizeZ", "1"),
            ("SizeT", &frames),
        ];
        let calibration = self
            .rows
            .first()
            .and_then(|row| row.provenance.calibration.as_ref());
        let size = calibration.and_then(|calibration| calibration.pixel_size_nm);
        let size = size.filter(|&size| size > 0).map(|size| size.to_string());
        if let Some(size) = &size {
            attributes.extend([
                ("PhysicalSizeX", &**size),
                ("PhysicalSizeXUnit", "nm"),
                ("PhysicalSizeY", size),
                ("PhysicalSizeYUnit", "nm"),
            ]);
        }
        xml.open("Pixels", &attributes)?;
        let samples = if layout.is_rgb() { "3" } else { "1" };
        for channel in 0..layout.planes() {
            let id = format!("Channel:0:{channel}");
            xml.empty("Channel", &[("ID", &id), ("SamplesPerPixel", samples)])?;
        }
        let planes = (self.rows.len() * layout.planes()).to_string();
        xml.empty("TiffData", &[("IFD", "0"), ("PlaneCount", &planes)])?;
        for (frame, row) in self.rows.iter().enumerate() {
            self.write_planes(xml, frame, row)?;
        }
        xml.close("Pixels")
    }

    /// The planes of one frame; its annotation belongs to the first of them.
    fn write_planes(&self, xml: &mut Xml, frame: usize, row: &Row<'_>) -> io::Result<()> {
        let exposed = |row: &Row<'_>| row.record.ticks.exposed;
        let since = self.rows.first().map_or(0, |first| {
            i128::from(exposed(row)) - i128::from(exposed(first))
        });
        let seconds = since as f64 / f64::from(row.provenance.ticks_hz.max(1));
        let (time, seconds) = (frame.to_string(), format!("{seconds:.9}"));
        for channel in 0..self.layout.planes() {
            let channel_text = channel.to_string();
            let attributes = [
                ("TheZ", "0"),
                ("TheT", &*time),
                ("TheC", &channel_text),
                ("DeltaT", &seconds),
                ("DeltaTUnit", "s"),
            ];
            if channel > 0 {
                xml.empty("Plane", &attributes)?;
                continue;
            }
            xml.open("Plane", &attributes)?;
            let annotation = format!("Annotation:{}", frame + 1);
            xml.empty("AnnotationRef", &[("ID", &annotation)])?;
            xml.close("Plane")?;
        }
        Ok(())
    }

    fn write_annotations(&self, xml: &mut Xml) -> io::Result<()> {
        xml.open("StructuredAnnotations", &[])?;
        let (of_file, of_plane): (Vec<_>, Vec<_>) = COLUMNS
            .iter()
            .partition(|column| OF_FILE.contains(&column.name));
        if let Some(first) = self.rows.first() {
            let mut pairs = pairs(&of_file, first);
            if let Pixels::Byte { scale, zero } = self.layout.pixels {
                pairs.push(("pixel_scale", scale.to_string()));
                pairs.push(("pixel_zero", zero.to_string()));
            }
            write_map(xml, 0, "urn:microtome:file", &pairs)?;
        }
        for (frame, row) in self.rows.iter().enumerate() {
            write_map(
                xml,
                frame + 1,
                "urn:microtome:result",
                &pairs(&of_plane, row),
            )?;
        }
        xml.close("StructuredAnnotations")
    }

    /// Every object that is listed, with the number of its frame in the file.
    fn objects(&self) -> impl Iterator<Item = (usize, &Object)> {
        let found = self.rows.iter().enumerate().map(|(frame, row)| {
            let found = match &row.record.answer {
                Answer::Objects { found, .. } => &found[..],
                _ => &[],
            };
            found.iter().map(move |object| (frame, object))
        });
        found.flatten()
    }

    fn write_objects(&self, xml: &mut Xml) -> io::Result<()> {
        for (number, (frame, object)) in self.objects().enumerate() {
            let id = format!("ROI:{number}");
            xml.open("ROI", &[("ID", &id), ("Name", &object.class)])?;
            xml.open("Union", &[])?;
            let attributes = [
                ("ID", format!("Shape:{number}:0")),
                ("X", object.x.to_string()),
                ("Y", object.y.to_string()),
                ("TheZ", "0".to_owned()),
                ("TheT", frame.to_string()),
                ("Text", format!("{} {}", object.class, object.score)),
            ];
            let attributes = attributes.each_ref().map(|(name, value)| (*name, &**value));
            xml.empty("Point", &attributes)?;
            xml.close("Union")?;
            xml.close("ROI")?;
        }
        Ok(())
    }
}

/// The names and values that `row` has of these columns.
fn pairs(columns: &[&Column], row: &Row<'_>) -> Vec<(&'static str, String)> {
    let values = columns
        .iter()
        .map(|column| (column.name, (column.value)(row)));
    let there = values.filter(|(_, value)| *value != Value::Null);
    there.map(|(name, value)| (name, value.text())).collect()
}

fn write_map(
    xml: &mut Xml,
    number: usize,
    namespace: &str,
    pairs: &[(&str, String)],
) -> io::Result<()> {
    let id = format!("Annotation:{number}");
    xml.open("MapAnnotation", &[("ID", &id), ("Namespace", namespace)])?;
    xml.open("Value", &[])?;
    for (name, value) in pairs {
        xml.text("M", &[("K", name)], value)?;
    }
    xml.close("Value")?;
    xml.close("MapAnnotation")
}

/// Elements one after another; what they say is escaped.
struct Xml(Writer<Vec<u8>>);

impl Xml {
    fn open(&mut self, name: &str, attributes: &[(&str, &str)]) -> io::Result<()> {
        self.0.write_event(Event::Start(start(name, attributes)))
    }

    fn close(&mut self, name: &str) -> io::Result<()> {
        self.0.write_event(Event::End(BytesEnd::new(name)))
    }

    fn empty(&mut self, name: &str, attributes: &[(&str, &str)]) -> io::Result<()> {
        self.0.write_event(Event::Empty(start(name, attributes)))
    }

    fn text(&mut self, name: &str, attributes: &[(&str, &str)], text: &str) -> io::Result<()> {
        self.open(name, attributes)?;
        let text = allowed(text);
        self.0.write_event(Event::Text(BytesText::new(&text)))?;
        self.close(name)
    }
}

fn start<'a>(name: &'a str, attributes: &[(&str, &str)]) -> BytesStart<'a> {
    let mut start = BytesStart::new(name);
    for &(name, value) in attributes {
        start.push_attribute((name, &*allowed(value)));
    }
    start
}

/// `text` without what no XML document may have.
fn allowed(text: &str) -> String {
    let allow = |char: char| match char {
        '\t' | '\n' | '\r' => char,
        '\0'..' ' | '\u{fffe}' | '\u{ffff}' => char::REPLACEMENT_CHARACTER,
        _ => char,
    };
    text.chars().map(allow).collect()
}

/// Names, texts and values are all that is not ASCII, so that references may stand in its place.
fn in_ascii(xml: &str) -> String {
    xml.chars()
        .fold(String::with_capacity(xml.len()), |mut text, char| {
            if char.is_ascii() {
                text.push(char);
            } else {
                // Writing to a string does not fail.
                let _ = write!(text, "&#{};", u32::from(char));
            }
            text
        })
}

/// Microseconds since 1970, UTC, as XML has them.
fn date_time(unix_us: u64) -> Option<String> {
    let time = DateTime::from_timestamp_micros(i64::try_from(unix_us).ok()?)?;
    Some(time.to_rfc3339_opts(SecondsFormat::Micros, true))
}

#[cfg(test)]
mod tests {
    use super::{date_time, in_ascii};

    #[test]
    fn times_are_in_utc() {
        let text = date_time(1_709_209_815_250_000);
        assert_eq!(text.as_deref(), Some("2024-02-29T12:30:15.250000Z"));
        assert_eq!(date_time(u64::MAX), None);
    }

    #[test]
    fn what_is_not_ascii_is_referred_to() {
        assert_eq!(in_ascii("20× <µ>"), "20&#215; <&#181;>");
    }
}
