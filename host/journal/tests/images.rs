//! Kept frames as files: read back by the decoders of Rust, and by those that scientists use.
#![allow(clippy::unwrap_used, reason = "a test that fails panics")]

mod support;

use microtome_journal::record::{Answer, Element, Input, Object};
use microtome_journal::{
    Calibration, Entry, ExportError, ExportedFrames, Filter, FrameFormat, Journal, Provenance,
    Reader, Record, Retention, Sealed, export_frames,
};
use serde_json::{Value, json};
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::channel;
use support::{WAIT_MAX, record};
use tempfile::TempDir;
use tiff::decoder::{Decoder, DecodingResult};
use tiff::tags::Tag;

/// What an XML document can not have, or only escaped.
const DEVICE: &str = "µ-scope <\"1\"> & 'so'\u{1}";
const CLASS: &str = "rød <&> \"cell\"";

fn input(dims: &[usize], element: Element, model_type: &str) -> Input {
    Input {
        name: "image".to_owned(),
        dims: dims.to_vec(),
        // An image with channels first, to the model's author.
        order: vec![0, 2, 3, 1],
        model_type: model_type.to_owned(),
        element,
        scale: 0.5,
        zero: -28,
    }
}

fn provenance(inputs: Vec<Input>) -> Sealed {
    let provenance = Provenance {
        device: DEVICE.to_owned(),
        board: "fake".to_owned(),
        ticks_hz: 1000,
        calibration: Some(Calibration {
            name: "20×".to_owned(),
            pixel_size_nm: Some(325),
        }),
        inputs,
        ..Provenance::default()
    };
    provenance.seal().unwrap()
}

/// A journal with a result for each of these frames, by their numbers.
fn journal(provenance: &Sealed, frames: &[(u32, Vec<u8>)]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("j");
    let journal = Journal::open(&path, Retention::default()).unwrap();
    let (sender, outcomes) = channel();
    for (sequence, (number, frame)) in (0..).zip(frames) {
        let packed = journal.pack(frame).unwrap();
        let mut record = Record {
            frame: *number,
            answer: Answer::Objects {
                found: vec![Object {
                    class: CLASS.to_owned(),
                    score: 0.75,
                    x: *number as u16,
                    y: 2,
                }],
                more: 0,
            },
            kept_frame: Some(packed.kept),
            ..record(provenance, 7, sequence)
        };
        record.ticks.exposed = 5000 + u64::from(*number) * 250;
        let entry = Entry::new(7, sequence, provenance, &record).unwrap();
        let sender = sender.clone();
        let done = move |outcome| sender.send(outcome).unwrap();
        journal
            .submit(entry.with_frame(Some(packed)), done)
            .unwrap();
        if sequence % 1000 == 999 {
            for _ in 0..1000 {
                outcomes.recv_timeout(WAIT_MAX).unwrap();
            }
        }
    }
    drop(journal);
    (folder, path)
}

fn exported(
    path: &Path,
    format: FrameFormat,
) -> Result<(ExportedFrames, Vec<PathBuf>), ExportError> {
    let folder = path.with_extension("frames");
    let reader = Reader::open(path).unwrap();
    let done = export_frames(&reader, &Filter::default(), format, &folder)?;
    let files = std::fs::read_dir(&folder).unwrap();
    let mut files: Vec<_> = files.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    Ok((done, files))
}

/// The pages of a file, and the description of the first.
fn pages(path: &Path) -> (Vec<DecodingResult>, String) {
    let mut decoder = Decoder::new(File::open(path).unwrap()).unwrap();
    let description = decoder.get_tag_ascii_string(Tag::ImageDescription).unwrap();
    let mut pages = vec![decoder.read_image().unwrap()];
    while decoder.more_images() {
        decoder.next_image().unwrap();
        assert!(decoder.find_tag(Tag::ImageDescription).unwrap().is_none());
        pages.push(decoder.read_image().unwrap());
    }
    (pages, description)
}

/// Frames with their numbers.
type Numbered = Vec<(u32, Vec<u8>)>;

/// Two frames of 2 rows, 3 columns and so many channels, the later one first, as values from 0 to
/// 255; and as the board had them.
fn frames(channels: u8) -> ([Vec<u8>; 2], Numbered) {
    let frame = |begin: u8| -> Vec<u8> { (0..6 * channels).map(|at| begin + at * 11).collect() };
    let pixels = [frame(3), frame(40)];
    let held = |pixels: &[u8]| pixels.iter().map(|pixel| pixel.wrapping_sub(128)).collect();
    let held = vec![(4, held(&pixels[1])), (1, held(&pixels[0]))];
    (pixels, held)
}

fn bytes(page: &DecodingResult) -> &[u8] {
    match page {
        DecodingResult::U8(bytes) => bytes,
        _ => panic!("pixels are bytes"),
    }
}

#[test]
fn colours_are_one_image_and_frames_stand_in_the_order_of_exposure() {
    let (pixels, held) = frames(3);
    let inputs = vec![input(&[1, 2, 3, 3], Element::I8, "u8")];
    let (_folder, path) = journal(&provenance(inputs), &held);
    let (done, files) = exported(&path, FrameFormat::OmeTiff).unwrap();
    assert_eq!((done.files, done.frames, done.removed), (1, 2, 0));
    let name = files[0].file_name().unwrap().to_str().unwrap();
    assert_eq!(
        name,
        "µ-scope___1______so__-0000000000000007-00000-000.ome.tiff"
    );
    let (pages, description) = pages(&files[0]);
    assert_eq!(pages.iter().map(bytes).collect::<Vec<_>>(), pixels);
    assert!(description.is_ascii());
    let name = "Name=\"r&#248;d &lt;&amp;&gt; &quot;cell&quot;\"";
    assert!(description.contains(name), "{description}");
    assert!(
        description.contains("&#181;-scope &lt;&quot;1&quot;&gt; &amp; &apos;so&apos;&#65533;"),
        "{description}"
    );
    assert!(
        description.contains("DeltaT=\"0.750000000\""),
        "{description}"
    );
    // What is there is not written over.
    let error = exported(&path, FrameFormat::OmeTiff).unwrap_err();
    assert!(error.to_string().contains("File exists"), "{error}");
}

#[test]
fn other_channels_are_images_of_their_own() {
    let (pixels, held) = frames(2);
    let inputs = vec![input(&[1, 2, 3, 2], Element::I8, "f32")];
    let (_folder, path) = journal(&provenance(inputs), &held);
    let (_, files) = exported(&path, FrameFormat::OmeTiff).unwrap();
    let (pages, description) = pages(&files[0]);
    let channel = |frame: &[u8], channel| -> Vec<u8> {
        frame.iter().skip(channel).step_by(2).copied().collect()
    };
    let expected = pixels
        .iter()
        .flat_map(|frame| [channel(frame, 0), channel(frame, 1)]);
    let found: Vec<_> = pages.iter().map(bytes).collect();
    assert_eq!(found, expected.collect::<Vec<_>>());
    for part in [
        "<M K=\"pixel_scale\">0.5</M>",
        "<M K=\"pixel_zero\">100</M>",
        "PlaneCount=\"4\"",
    ] {
        assert!(description.contains(part), "{part}: {description}");
    }
}

#[test]
fn floats_stay_what_they_are() {
    let floats = [0.1_f32, -1e30, f32::MIN_POSITIVE, 255.0];
    let frame = floats
        .iter()
        .flat_map(|float| float.to_le_bytes())
        .collect();
    let inputs = vec![input(&[1, 2, 2, 1], Element::F32, "f32")];
    let (_folder, path) = journal(&provenance(inputs), &[(0, frame)]);
    let (_, files) = exported(&path, FrameFormat::OmeTiff).unwrap();
    match &pages(&files[0]).0[..] {
        [DecodingResult::F32(found)] => assert_eq!(found[..], floats),
        pages => panic!("{pages:?}"),
    }
}

#[test]
fn a_long_acquisition_becomes_several_files() {
    let inputs = vec![input(&[1, 1, 2, 1], Element::I8, "u8")];
    let frames: Vec<_> = (0..4100_u32)
        .map(|number| (number, vec![number as u8; 2]))
        .collect();
    let (_folder, path) = journal(&provenance(inputs), &frames);
    let (done, files) = exported(&path, FrameFormat::OmeTiff).unwrap();
    assert_eq!((done.files, done.frames), (2, 4100));
    let counts: Vec<_> = files.iter().map(|file| pages(file).0.len()).collect();
    assert_eq!(counts, [4096, 4]);
    assert!(pages(&files[1]).1.contains("TheT=\"3\""));
}

#[test]
fn what_is_no_image_is_said_to_be_none() {
    for (inputs, cause) in [
        (
            vec![input(&[1, 1, 4], Element::I8, "f32")],
            "they have the shape [1, 1, 4]",
        ),
        (
            vec![input(&[1, 1, 1, 1], Element::I32, "i32")],
            "they are of type I32",
        ),
        (
            vec![input(&[1, 1, 0, 4], Element::I8, "f32")],
            "they have the shape [1, 1, 0, 4]",
        ),
        (vec![], "its model has 0 inputs"),
    ] {
        let (_folder, path) = journal(&provenance(inputs), &[(0, vec![1; 4])]);
        let error = exported(&path, FrameFormat::OmeTiff)
            .unwrap_err()
            .to_string();
        assert!(error.contains(cause) && error.contains("npy"), "{error}");
    }
    // A frame that is shorter than its provenance says is not stretched.
    let inputs = vec![input(&[1, 2, 2, 3], Element::I8, "u8")];
    let (_folder, path) = journal(&provenance(inputs), &[(0, vec![1; 4])]);
    let error = exported(&path, FrameFormat::OmeTiff).unwrap_err();
    assert!(matches!(error, ExportError::Frame { index: 0 }), "{error}");
    let error = exported(&path.clone(), FrameFormat::Npy).unwrap_err();
    assert!(matches!(error, ExportError::Frame { index: 0 }), "{error}");
}

/// The text of the header, and the bytes after it.
fn npy(path: &Path) -> (String, Vec<u8>) {
    let bytes = std::fs::read(path).unwrap();
    assert_eq!(&bytes[..8], b"\x93NUMPY\x01\x00");
    let begin = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    assert!(begin.is_multiple_of(64) && bytes[begin - 1] == b'\n');
    let header = String::from_utf8(bytes[10..begin].to_vec()).unwrap();
    (header, bytes[begin..].to_vec())
}

#[test]
fn arrays_have_the_axes_and_the_type_of_the_models_author() {
    let (pixels, held) = frames(2);
    // Rows, columns, channels become channels, rows, columns.
    let planes = |frame: &Vec<u8>| -> Vec<u8> {
        let channel = |channel| frame.iter().skip(channel).step_by(2).copied();
        channel(0).chain(channel(1)).collect()
    };
    let expected: Vec<u8> = pixels.iter().flat_map(planes).collect();
    let real = |pixel: &u8| (0.5 * (f32::from(*pixel) - 100.0)).to_le_bytes();
    for (model_type, kind, expected) in [
        ("u8", "'|u1'", expected.clone()),
        (
            "i8",
            "'|i1'",
            expected
                .iter()
                .map(|pixel| pixel.wrapping_sub(128))
                .collect(),
        ),
        ("f32", "'<f4'", expected.iter().flat_map(real).collect()),
    ] {
        let inputs = vec![input(&[1, 2, 3, 2], Element::I8, model_type)];
        let (_folder, path) = journal(&provenance(inputs), &held);
        let (done, files) = exported(&path, FrameFormat::Npy).unwrap();
        assert_eq!((done.files, done.frames, files.len()), (1, 2, 2));
        let (header, indexes) = npy(&files[0]);
        assert!(
            header.contains("'<u8'") && header.contains("(2, )"),
            "{header}"
        );
        assert_eq!(
            indexes,
            [&1_u64.to_le_bytes()[..], &0_u64.to_le_bytes()].concat()
        );
        let (header, found) = npy(&files[1]);
        assert!(
            header.contains(kind) && header.contains("(2, 2, 2, 3, )"),
            "{header}"
        );
        assert_eq!(found, expected, "{model_type}");
    }
}

/// What `read_ome.py` finds in files; `None` where it can not be run, after saying so.
fn read(files: &[PathBuf]) -> Option<Vec<Value>> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let own = here.join("../../target/venv/bin/python");
    let own = own.is_file().then_some(own);
    let python = std::env::var_os("MICROTOME_PYTHON").map(PathBuf::from);
    let python = python.or(own).unwrap_or_else(|| "python3".into());
    let skip = |why: &str| {
        let test = "OME-TIFF by tifffile";
        // Past the harness, which hides what passing tests print.
        let _ = writeln!(std::io::stderr(), "skipped: {test}: {why}");
    };
    let has = Command::new(&python)
        .args(["-c", "import ome_types, tifffile"])
        .output();
    if !has.is_ok_and(|has| has.status.success()) {
        skip("there is no Python with tifffile and ome-types; tests/run.sh installs them");
        return None;
    }
    let script = here.join("tests/read_ome.py");
    let output = Command::new(&python)
        .arg(script)
        .args(files)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let text = String::from_utf8(output.stdout).unwrap();
    Some(
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect(),
    )
}

#[test]
fn other_programs_read_the_files_and_the_schema_holds() {
    let mut files = Vec::new();
    let mut folders = Vec::new();
    for (channels, element) in [(1, Element::I8), (2, Element::I8), (3, Element::I8)] {
        let inputs = vec![input(&[1, 2, 3, channels], element, "u8")];
        let (folder, path) = journal(&provenance(inputs), &frames(channels as u8).1);
        files.extend(exported(&path, FrameFormat::OmeTiff).unwrap().1);
        folders.push(folder);
    }
    let floats = (0..12)
        .flat_map(|value| (value as f32).to_le_bytes())
        .collect();
    let inputs = vec![input(&[1, 2, 2, 3], Element::F32, "f32")];
    let (_folder, path) = journal(&provenance(inputs), &[(0, floats)]);
    files.extend(exported(&path, FrameFormat::OmeTiff).unwrap().1);
    let Some(found) = read(&files) else { return };

    assert_eq!(
        (&found[0]["axes"], &found[0]["shape"]),
        (&json!("TYX"), &json!([2, 2, 3]))
    );
    assert_eq!(found[0]["values"], json!(frames(1).0.concat()));
    assert_eq!(
        (&found[1]["axes"], &found[1]["shape"]),
        (&json!("TCYX"), &json!([2, 2, 2, 3]))
    );
    assert_eq!(found[1]["deltas"], json!([0.0, 0.0, 0.75, 0.75]));
    let colours = &found[2];
    assert_eq!(
        (&colours["axes"], &colours["shape"]),
        (&json!("TYXS"), &json!([2, 2, 3, 3]))
    );
    assert_eq!(colours["values"], json!(frames(3).0.concat()));
    assert_eq!(
        (&colours["dtype"], &colours["channels"]),
        (&json!("uint8"), &json!(1))
    );
    assert_eq!(colours["size"], "325.0 nm");
    assert_eq!(colours["date"], "1970-01-01T00:00:01.000001+00:00");
    let text = format!("{CLASS} 0.75");
    let points = json!([[CLASS, text, 1.0, 2.0, 0], [CLASS, text, 4.0, 2.0, 1]]);
    assert_eq!(colours["points"], points);
    let device = DEVICE.replace('\u{1}', "\u{fffd}");
    assert_eq!(colours["file"]["device"], device);
    assert_eq!(colours["file"]["calibration"], "20×");
    assert_eq!(
        (&colours["notes"][0]["index"], &colours["notes"][1]["frame"]),
        (&json!("1"), &json!("4"))
    );
    assert_eq!(colours["notes"][1]["hash"].as_str().unwrap().len(), 64);
    assert_eq!(
        (&found[3]["axes"], &found[3]["dtype"]),
        (&json!("YXS"), &json!("float32"))
    );
    assert_eq!(
        found[3]["values"],
        json!((0..12).map(f64::from).collect::<Vec<_>>())
    );
}
