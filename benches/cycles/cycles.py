#!/usr/bin/env python3
"""What an inference costs on a Cortex-M4: instructions, exactly, and cycles, by a model of them.

    benches/cycles/cycles.py PLAN.mtp [PLAN.mtp ...]

Builds the example `infer` of the board mps2-an386, lets QEMU tell each block of instructions that
it executes, and weighs those between `infer` and `inferred`. The weights are those of Arm's Cortex-M4
Technical Reference Manual (table 3-1 and section 3.3.2), for memory without wait states: see
docs/kernels.md for what they leave out. Needs cargo, the target thumbv7em-none-eabihf and
qemu-system-arm; Python's standard library is enough.
"""

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BOARD = ROOT / "firmware/boards/mps2-an386"
TARGET = "thumbv7em-none-eabihf"
# Where board.toml has the plan's slot.
PLAN_AT = 0x100000

# A taken branch refills the pipeline: 1 to 3 cycles.
REFILL = 2
DIVIDE = 7
FLOAT_DIVIDE = 14

INSTRUCTION = re.compile(r"0x([0-9a-f]{8}):  ([0-9a-f]{4})(?: ([0-9a-f]{4}))?\s+(\S+)\s*(.*)")
TRACE = re.compile(r"Trace \d+: \S+ \[[0-9a-f]+/([0-9a-f]+)/")


def registers(operands):
    """How many registers a list such as {r4-r7, lr} has."""
    inside = operands[operands.index("{") + 1 : operands.index("}")]
    return sum(1 for name in inside.split(",") if name.strip())


def cost(mnemonic, operands, after_memory):
    """(class, cycles) of an instruction, branches as not taken."""
    name = mnemonic.split(".")[0]
    if name.startswith(("push", "pop", "ldm", "stm", "vpush", "vpop", "vldm", "vstm")):
        return "load/store multiple", 1 + registers(operands)
    if name.startswith(("ldrd", "strd")):
        return "load/store multiple", 3
    if name.startswith(("ldr", "vldr")):
        # The address phase of a load overlaps with what the one before it does.
        return "load", 1 if after_memory else 2
    if name.startswith(("str", "vstr")):
        return "store", 1
    if name.startswith(("smla", "smml", "smul", "smmul", "smua", "mla", "mls", "mul", "umull", "umla")):
        return "multiply", 1
    if name.startswith(("sdiv", "udiv")):
        return "divide", DIVIDE
    if name.startswith("vdiv"):
        return "divide", FLOAT_DIVIDE
    if re.fullmatch(r"(b|bl|bx|blx|cbz|cbnz|tbb|tbh)(eq|ne|hs|lo|mi|pl|vs|vc|hi|ls|ge|lt|gt|le)?", name):
        return "branch", 1
    return "other", 1


class Block:
    """Instructions that are executed together, and what they cost."""

    def __init__(self, symbol, lines):
        self.symbol = symbol
        self.classes = Counter()
        self.cycles = 0
        self.instructions = len(lines)
        memory = False
        for _, _, mnemonic, operands in lines:
            kind, cycles = cost(mnemonic, operands, memory)
            memory = kind in ("load", "store")
            self.classes[kind] += 1
            self.cycles += cycles
        address, size, mnemonic, operands = lines[-1]
        self.next = address + size
        # A pop of the program counter or a jump is taken always, a branch if it goes elsewhere.
        self.jumps = mnemonic.startswith(("b", "cb", "tb")) or "pc" in operands


def readable(symbol):
    """The end of a mangled Rust path."""
    if not symbol.startswith("_ZN"):
        return symbol
    names, rest = [], symbol[3:]
    while match := re.match(r"\d+", rest):
        size = int(match.group())
        rest = rest[match.end() :]
        names.append(rest[:size])
        rest = rest[size:]
    return "::".join(names[:-1][-2:])


def follow(stream):
    """Weighs what is executed between the two marks."""
    blocks, symbol, lines = {}, "", []
    instructions, cycles, classes = Counter(), Counter(), Counter()
    active, last = False, None
    for line in stream:
        if line.startswith("IN:"):
            symbol, lines = line[3:].strip(), []
        elif line.startswith("0x"):
            if match := INSTRUCTION.match(line):
                size = 4 if match.group(3) else 2
                lines.append((int(match.group(1), 16), size, match.group(4), match.group(5)))
        elif match := TRACE.match(line):
            at = int(match.group(1), 16)
            if lines and lines[0][0] == at:
                blocks[at] = Block(symbol, lines)
                lines = []
            block = blocks[at]
            active |= block.symbol == "infer"
            if block.symbol == "inferred":
                return instructions, cycles, classes
            if not active:
                continue
            if last and last.jumps and last.next != at:
                cycles[last.symbol] += REFILL
            instructions[block.symbol] += block.instructions
            cycles[block.symbol] += block.cycles
            classes.update(block.classes)
            last = block
    raise SystemExit("the emulator ended before the inference did")


def measure(image, plan):
    command = [
        "qemu-system-arm", "-machine", "mps2-an386", "-cpu", "cortex-m4", "-display", "none",
        "-monitor", "none", "-serial", "none", "-semihosting-config", "enable=on,target=native",
        "-kernel", image, "-device", f"loader,file={plan},addr={PLAN_AT:#x},force-raw=on",
        "-d", "in_asm,exec,nochain", "-D", "/dev/stdout",
    ]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as qemu:
        counted = follow(qemu.stdout)
        qemu.stdout.read()
    return counted


def main():
    plans = sys.argv[1:]
    if not plans:
        raise SystemExit(__doc__)
    target_dir = ROOT / "target/firmware"
    build = ["cargo", "build", "--release", "--locked", "--example", "infer", "--target-dir", target_dir]
    subprocess.run(build, cwd=BOARD, check=True)
    image = target_dir / TARGET / "release/examples/infer"
    for plan in plans:
        instructions, cycles, classes = measure(image, Path(plan).resolve())
        total, all_cycles = instructions.total(), cycles.total()
        print(f"{Path(plan).stem}: {total:,} instructions, about {all_cycles:,} cycles, {all_cycles / total:.2f} each")
        for kind, count in classes.most_common():
            print(f"  {count / total:6.1%}  {kind}")
        for symbol, count in cycles.most_common(12):
            print(f"  {count / all_cycles:6.1%} of cycles, {instructions[symbol]:>10,} instructions  {readable(symbol)}")


if __name__ == "__main__":
    main()
