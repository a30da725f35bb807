//! Packages and keys as their owner has them.

#![allow(clippy::unwrap_used, reason = "a test that fails panics")]

use microtome_kernels::data::delay::Delay;
use microtome_kernels::float::unary::{Function, Unary, UnaryKind};
use microtome_kernels::reference::clamp::Clamp;
use microtome_package::{
    KeyError, OwnerKey, PackError, PackageBuf, PublicKey, golden, pack, plan_of, sign,
};
use microtome_plan::{
    ArenaAt, Element, Manifest, ModelType, Op, OperandAt, PlanBuf, Port, Step, Target, Task, encode,
};
use microtome_update::SignatureError;
use microtome_update::package::output_digest;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

const LEN: usize = 5;

fn port(name: &str, at: ArenaAt, element: Element) -> Port<'_> {
    Port {
        name,
        at,
        dims: [1, LEN].into_iter().collect(),
        order: [0, 1].into_iter().collect(),
        model_type: match element {
            Element::F32 => ModelType::F32,
            _ => ModelType::I8,
        },
        element,
        scale: 1.0,
        zero: 0,
    }
}

/// A plan of one operator over `LEN` elements, from the arena's beginning to `to`, with its state at
/// `state`.
fn plan(op: impl Into<Op>, element: Element, to: ArenaAt, state: &[ArenaAt]) -> PlanBuf {
    let from = ArenaAt(0);
    let step = Step {
        name: "step",
        scale: 1.0,
        op: op.into(),
        inputs: [OperandAt::Arena(from)].into_iter().collect(),
        outputs: [to].into_iter().collect(),
        state: state.iter().copied().collect(),
        scratch: from,
        constants: heapless::Vec::new(),
    };
    let manifest = Manifest {
        model: "one",
        target: Target::Generic,
        arena_bytes: 4 * ArenaAt::ALIGN + LEN,
        steps: 1,
        inputs: [port("x", from, element)].into_iter().collect(),
        outputs: [port("y", to, element)].into_iter().collect(),
        task: Task::Raw,
        cascade: None,
    };
    PlanBuf::new(&encode(&manifest, &[step], &[])).unwrap()
}

/// `clamp(x, −100, 100)`.
fn clamp() -> PlanBuf {
    let (len, min, max) = (LEN, -100, 100);
    plan(Clamp { len, min, max }, Element::I8, ArenaAt(0), &[])
}

const SAMPLES: [[u8; LEN]; 2] = [[1, 2, 3, 4, 120], [128, 5, 6, 7, 8]];

fn packed() -> PackageBuf {
    pack(&clamp(), 7, &SAMPLES.each_ref().map(|it| vec![&it[..]])).unwrap()
}

#[test]
fn a_package_has_the_plan_and_what_it_makes_of_the_samples() {
    let buf = packed();
    let package = buf.package();
    let header = package.header();
    assert_eq!((header.release, header.plan), (7, clamp().digest()));
    assert_eq!(header.authorize(None), Ok(()));
    assert_eq!(plan_of(&buf).bytes(), clamp().bytes());
    let wanted: [[u8; LEN]; 2] = [[1, 2, 3, 4, 100], [156, 5, 6, 7, 8]];
    for ((golden, sample), output) in package.golden().zip(SAMPLES).zip(wanted) {
        assert_eq!(golden.input, sample);
        assert_eq!(golden.output, output_digest([&output[..]]));
    }
    assert_eq!(package.golden().len(), SAMPLES.len());
}

#[test]
fn golden_vectors_of_a_stream_are_its_runs_from_the_first_on() {
    let delay = Delay {
        element: Element::I8,
        frame_len: LEN,
        frames: 1,
        delay: 1,
        overlap: 0,
        fill: 9,
    };
    let [to, state] = [2, 4].map(|at| ArenaAt(at * ArenaAt::ALIGN));
    let plan = plan(delay, Element::I8, to, &[state]);
    let package = pack(&plan, 1, &SAMPLES.each_ref().map(|it| vec![&it[..]])).unwrap();
    let outputs: Vec<_> = (package.package().golden())
        .map(|golden| golden.output)
        .collect();
    let wanted = [&[9; LEN][..], &SAMPLES[0]].map(|output| output_digest([output]));
    assert_eq!(outputs, wanted);
}

#[test]
fn plans_of_floats_and_packages_of_no_sample_are_refused() {
    let function = Function::plain(UnaryKind::Abs);
    let float = plan(Unary { function, len: LEN }, Element::F32, ArenaAt(0), &[]);
    let error = pack(&float, 1, &[vec![&[0; 4 * LEN]]]).unwrap_err();
    assert_eq!(error, PackError::Float { operator: "Unary" });
    let error = pack(&clamp(), 1, &[]).unwrap_err();
    assert_eq!(error, PackError::Samples { samples: 0 });
    let error = pack(&clamp(), 1, &[vec![&[0; 1]]]).unwrap_err();
    assert!(matches!(error, PackError::Executor(_)), "{error}");
}

#[test]
fn a_signature_is_its_keys_and_no_others() {
    let [mine, other] = [(); 2].map(|()| OwnerKey::generate().unwrap());
    assert_ne!(mine.public(), other.public());
    let trusted = mine.public().0;
    let authorize = |buf: &PackageBuf| buf.package().header().authorize(Some(&trusted));
    let unsigned = packed();
    assert_eq!(authorize(&unsigned), Err(SignatureError::Unsigned));
    let signed = sign(&unsigned, &mine);
    assert_eq!(authorize(&signed), Ok(()));
    let other = sign(&signed, &other);
    assert_eq!(authorize(&other), Err(SignatureError::OtherKey));
    assert_eq!(sign(&other, &mine).bytes(), signed.bytes());
}

#[test]
fn pseudo_random_samples_fit_the_plan_and_are_always_the_same() {
    let plan = clamp();
    let samples = golden::pseudo_random(&plan.plan(), 3);
    assert_eq!(samples, golden::pseudo_random(&plan.plan(), 3));
    assert_ne!(samples[0], samples[1]);
    let inputs: Vec<Vec<&[u8]>> = samples.iter().map(|it| vec![&it[0][..]]).collect();
    let package = pack(&plan, 1, &inputs).unwrap();
    assert_eq!(package.package().golden().len(), 3);
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn keys_are_files_of_their_owner_and_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let [private, public] = ["owner.key", "owner.pub"].map(|name| folder.path().join(name));
    let key = OwnerKey::generate().unwrap();
    key.create(&private).unwrap();
    key.public().create(&public).unwrap();
    assert_eq!((mode(&private), mode(&public)), (0o600, 0o600));
    assert_eq!(OwnerKey::read(&private).unwrap().public(), key.public());
    assert_eq!(PublicKey::read(&public).unwrap(), key.public());
    let before = fs::read(&private).unwrap();
    let error = OwnerKey::generate().unwrap().create(&private).unwrap_err();
    assert!(matches!(error, KeyError::Exists { .. }), "{error}");
    let error = key.public().create(&public).unwrap_err();
    assert!(matches!(error, KeyError::Exists { .. }), "{error}");
    assert_eq!(fs::read(&private).unwrap(), before);
    let error = OwnerKey::read(&public).unwrap_err();
    assert!(matches!(error, KeyError::NotPrivate { .. }), "{error}");
    let error = PublicKey::read(&private).unwrap_err();
    assert!(matches!(error, KeyError::NotPublic { .. }), "{error}");
    let error = PublicKey::read(&folder.path().join("none")).unwrap_err();
    assert!(matches!(error, KeyError::Read { .. }), "{error}");
}

#[test]
fn openssl_reads_our_keys_and_we_read_its() {
    let folder = tempfile::tempdir().unwrap();
    let openssl = |args: &[&str]| {
        let output = Command::new("openssl")
            .args(args)
            .current_dir(folder.path())
            .output();
        output.ok().map(|output| {
            assert!(
                output.status.success(),
                "{}",
                String::from_utf8_lossy(&output.stderr)
            );
            output.stdout
        })
    };
    if openssl(&["version"]).is_none() {
        eprintln!("skipped: keys of OpenSSL: openssl is not installed");
        return;
    }
    let key = OwnerKey::generate().unwrap();
    key.create(&folder.path().join("our.key")).unwrap();
    key.public().create(&folder.path().join("our.pub")).unwrap();
    let derived = openssl(&["pkey", "-in", "our.key", "-pubout"]).unwrap();
    assert_eq!(derived, fs::read(folder.path().join("our.pub")).unwrap());
    openssl(&["genpkey", "-algorithm", "ed25519", "-out", "its.key"]).unwrap();
    openssl(&["pkey", "-in", "its.key", "-pubout", "-out", "its.pub"]).unwrap();
    let its = OwnerKey::read(&folder.path().join("its.key")).unwrap();
    assert_eq!(
        PublicKey::read(&folder.path().join("its.pub")).unwrap(),
        its.public()
    );
}
