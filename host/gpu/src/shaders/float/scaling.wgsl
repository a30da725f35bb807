// Which elements share a scale: `[outer][channels][inner]`, each channel has one.

struct Params {
    job: Job,
    operand: Operand,
    scales: Operand,
    zeros: Operand,
    channels: u32,
    inner: u32,
}

fn channel_of(index: u32) -> u32 {
    return index / params.inner % params.channels;
}
