// For programs that move elements: they define `fn place(index: u32) -> Place`, where the output's
// element comes from.

struct Place {
    operand: Operand,
    index: u32,
}
