//! Packages come back as they were made, what is wrong is named, and every byte counts.

use ed25519_compact::{KeyPair, Seed};
use microtome_kernels::reference::clamp::Clamp;
use microtome_plan::{
    ArenaAt, Element, Manifest, ModelType, OperandAt, PlanBuf, PlanError, Port, Step, Target, Task,
};
use microtome_update::package::output_digest;
use microtome_update::signature::{self, Key, message};
use microtome_update::write::{PackageBuf, encode, sign};
use microtome_update::{Golden, HEADER_LEN, Header, Package, PackageError, SignatureError};
use proptest::prelude::*;

const LEN: usize = 20;
const RELEASE: u64 = 7;

/// A plan that clamps its input.
fn plan() -> PlanBuf {
    let port = |name, at| Port {
        name,
        at: ArenaAt(at),
        dims: [1, LEN].into_iter().collect(),
        order: [0, 1].into_iter().collect(),
        model_type: ModelType::I8,
        element: Element::I8,
        scale: 1.0,
        zero: 0,
    };
    let (len, min, max) = (LEN, -9, 9);
    let step = Step {
        name: "clamp",
        scale: 1.0,
        op: Clamp { len, min, max }.into(),
        inputs: [OperandAt::Arena(ArenaAt(0))].into_iter().collect(),
        outputs: [ArenaAt(32)].into_iter().collect(),
        state: heapless::Vec::new(),
        scratch: ArenaAt(0),
        constants: heapless::Vec::new(),
    };
    let manifest = Manifest {
        model: "clamp",
        target: Target::Generic,
        arena_bytes: 64,
        steps: 1,
        inputs: [port("in", 0)].into_iter().collect(),
        outputs: [port("out", 32)].into_iter().collect(),
        task: Task::Raw,
        cascade: None,
    };
    PlanBuf::new(&microtome_plan::encode(&manifest, &[step], &[])).expect("a valid plan")
}

/// An unsigned package with two vectors.
fn unsigned() -> Vec<u8> {
    static INPUTS: [[u8; LEN]; 2] = [[3; LEN], [77; LEN]];
    let golden = INPUTS.each_ref().map(|input| Golden {
        input,
        output: output_digest([input.map(|x| x.min(9)).as_slice()]),
    });
    encode(RELEASE, &plan(), &golden).expect("a package")
}

fn pair(seed: u8) -> KeyPair {
    KeyPair::from_seed(Seed::new([seed; 32]))
}

fn signed(seed: u8) -> Vec<u8> {
    let (mut bytes, pair) = (unsigned(), pair(seed));
    sign(&mut bytes, &pair.pk, |message| *pair.sk.sign(message, None)).expect("a package");
    bytes
}

/// What is wrong with the package, or its signature for a board without a key.
fn refusal(bytes: &[u8]) -> Option<String> {
    let buf = match PackageBuf::new(bytes) {
        Ok(buf) => buf,
        Err(error) => return Some(error.to_string()),
    };
    let package = buf.package();
    let refused = package.header().authorize(None).err();
    refused.map(|error| error.to_string())
}

#[test]
fn a_package_comes_back() {
    for (bytes, signer) in [(unsigned(), None), (signed(1), Some(pair(1).pk))] {
        let buf = PackageBuf::new(&bytes).expect("a package");
        let package = buf.package();
        let header = package.header();
        assert_eq!((header.release, header.total_len()), (RELEASE, bytes.len()));
        assert_eq!(header.signed.map(|(key, _)| key), signer.map(|key| *key));
        assert_eq!(package.plan().digest(), plan().plan().digest());
        let golden: Vec<Golden<'_>> = package.golden().collect();
        assert_eq!(golden.len(), 2);
        assert_eq!(golden[1].input, [77; LEN]);
        assert_eq!(golden[1].output, output_digest([[9_u8; LEN].as_slice()]));
    }
}

#[test]
fn what_follows_a_package_is_not_looked_at() {
    let mut bytes = signed(1);
    let whole = bytes.len();
    bytes.extend([0xFF; 100]);
    let buf = PackageBuf::new(&bytes).expect("a package");
    assert_eq!(buf.package().header().total_len(), whole);
}

#[test]
fn each_flipped_bit_of_a_package_is_found() {
    for bytes in [unsigned(), signed(1)] {
        assert_eq!(refusal(&bytes), None);
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut flipped = bytes.clone();
                flipped[at] ^= 1 << bit;
                assert!(refusal(&flipped).is_some(), "bit {bit} of byte {at}");
            }
        }
    }
}

#[test]
fn a_truncated_package_is_found() {
    let bytes = signed(1);
    for len in 0..bytes.len() {
        assert!(refusal(&bytes[..len]).is_some(), "{len} bytes");
    }
}

#[test]
fn what_is_wrong_is_named() {
    let change = |at: usize, byte: u8| {
        let mut bytes = unsigned();
        bytes[at] = byte;
        PackageBuf::new(&bytes).err()
    };
    let (found, supported) = (9, 1);
    assert_eq!(change(0, 0), Some(PackageError::NotAPackage));
    let version = PackageError::Version { found, supported };
    assert_eq!(change(4, 9), Some(version));
    assert_eq!(change(6, 1), Some(PackageError::Layout));
    assert_eq!(change(20, 0), Some(PackageError::Layout));
    assert_eq!(change(27, 0xFF), Some(PackageError::Layout));
    assert_eq!(change(8, 9), Some(PackageError::Digest));
    let damaged = PackageError::Plan(PlanError::Digest);
    assert_eq!(change(HEADER_LEN + 70, 0xAA), Some(damaged));
    let none = encode(RELEASE, &plan(), &[]);
    assert_eq!(none, Err(PackageError::Layout));
    let (found, expected) = (3, LEN);
    let short = Golden {
        input: &[0; 3],
        output: [0; 32],
    };
    let short = encode(RELEASE, &plan(), &[short]);
    assert_eq!(short, Err(PackageError::InputLen { found, expected }));
}

#[test]
fn only_the_trusted_keys_signature_counts() {
    let authorize = |bytes: &[u8], trusted: Option<Key>| {
        let header = Header::parse(bytes).expect("a header");
        header.authorize(trusted.as_ref())
    };
    let (mine, other) = (*pair(1).pk, *pair(2).pk);
    assert_eq!(authorize(&unsigned(), None), Ok(()));
    let refused = Err(SignatureError::Unsigned);
    assert_eq!(authorize(&unsigned(), Some(mine)), refused);
    assert_eq!(authorize(&signed(1), None), Ok(()));
    assert_eq!(authorize(&signed(1), Some(mine)), Ok(()));
    let refused = Err(SignatureError::OtherKey);
    assert_eq!(authorize(&signed(1), Some(other)), refused);
    // The other's signature under the trusted name.
    let mut forged = signed(2);
    forged[96..128].copy_from_slice(&mine);
    assert_eq!(authorize(&forged, Some(mine)), Err(SignatureError::Invalid));
}

#[test]
fn a_signature_is_for_one_kind_of_statement() {
    let (pair, digest) = (pair(1), [5; 32]);
    let update = message::update(&digest);
    let signature = *pair.sk.sign(update, None);
    assert_eq!(signature::verify(&pair.pk, &update, &signature), Ok(()));
    let trust = message::trust(&pair.pk, &digest);
    let refused = Err(SignatureError::Invalid);
    assert_eq!(signature::verify(&pair.pk, &trust, &signature), refused);
}

#[test]
fn keys_for_which_anyone_can_sign_are_none() {
    assert!(signature::is_key(&pair(1).pk));
    let mut neutral = [0; 32];
    neutral[0] = 1;
    for weak in [[0; 32], neutral, [0xFF; 32]] {
        assert!(!signature::is_key(&weak));
    }
}

proptest! {
    #[test]
    fn hostile_bytes_never_panic(
        begin in prop::collection::vec(any::<u8>(), 0..400),
        numbers in any::<[u32; 3]>(),
    ) {
        let mut bytes = unsigned();
        bytes[16..28].copy_from_slice(numbers.map(u32::to_le_bytes).as_flattened());
        for bytes in [begin, bytes] {
            prop_assert!(PackageBuf::new(&bytes).is_err());
            let _ = Package::parse(&bytes);
        }
    }
}
