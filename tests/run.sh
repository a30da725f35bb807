#!/usr/bin/env bash
# Runs every check of the project, after installing what they need: rustup targets, and the
# packages for the emulated board and the software GPU adapter (Debian and its kin, as root or by
# sudo). What can not be installed is said; the tests that miss it say `skipped` and why.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '\n== %s\n' "$*" >&2; }

install_packages() {
    local missing=()
    command -v qemu-system-arm >/dev/null || missing+=(qemu-system-arm)
    compgen -G '/usr/share/vulkan/icd.d/*.json' >/dev/null || missing+=(mesa-vulkan-drivers)
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
rustup target add thumbv7em-none-eabihf

# The conformance suite takes its cases from the package `onnx`, in an environment of its own.
make_venv() {
    local python=target/venv/bin/python wanted=tests/conformance/requirements.txt
    cmp -s "$wanted" target/venv/installed.txt && return
    if python3 -m venv target/venv && "$python" -m pip install --quiet -r "$wanted"; then
        cp "$wanted" target/venv/installed.txt
    else
        echo "cannot install onnx here: the conformance suite will be skipped" >&2
    fi
}

say "cases of the conformance suite"
make_venv

boards=(firmware/boards/mps2-an386)

say "format"
cargo fmt --all --check
for board in "${boards[@]}"; do cargo fmt --manifest-path "$board/Cargo.toml" --check; done

say "build and test"
cargo test --release --locked --workspace

say "lints"
cargo clippy --release --locked --workspace --all-targets -- -D warnings
for board in "${boards[@]}"; do
    cargo clippy --release --locked --manifest-path "$board/Cargo.toml" \
        --target thumbv7em-none-eabihf --target-dir target/firmware -- -D warnings
done

say "the contract of kernels on the emulated processors"
for board in "${boards[@]}"; do
    cargo build --release --locked --manifest-path "$board/Cargo.toml" --example contract \
        --target thumbv7em-none-eabihf --target-dir target/firmware
done
if command -v qemu-system-arm >/dev/null; then
    qemu-system-arm -machine mps2-an386 -cpu cortex-m4 -display none -monitor none -serial none \
        -semihosting-config enable=on,target=native \
        -kernel target/firmware/thumbv7em-none-eabihf/release/examples/contract
else
    echo "skipped: the contract on mps2-an386: qemu-system-arm is not installed" >&2
fi

say "Miri on the no_std crates"
if rustup component add miri rust-src --toolchain nightly 2>/dev/null; then
    cargo +nightly miri test --locked -p microtome-kernels
else
    echo "skipped: Miri: there is no nightly toolchain with miri here" >&2
fi
