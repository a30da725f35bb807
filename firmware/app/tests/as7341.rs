//! The AS7341 driver against a mock of the bus: every transaction, as the datasheet has it.

use embassy_futures::block_on;
use embedded_hal::i2c::ErrorKind;
use embedded_hal_mock::eh1::i2c::{Mock, Transaction};
use microtome_app::Clock;
use microtome_app::sensor::as7341::{ADDRESS, As7341, CHANNELS, Exposure};
use microtome_app::sensor::{Sensor, SensorError};
use microtome_plan::{ArenaAt, Element, ModelType, Port};

const CLOCK: Clock = Clock {
    now: || 1234,
    ticks_hz: 1,
};

fn write(bytes: &[u8]) -> Transaction {
    Transaction::write(ADDRESS, bytes.to_vec())
}

fn read(register: u8, bytes: &[u8]) -> Transaction {
    Transaction::write_read(ADDRESS, vec![register], bytes.to_vec())
}

fn begin() -> Vec<Transaction> {
    vec![
        read(0x92, &[0x25]),
        write(&[0x80, 0x01]),
        write(&[0x81, 29]),
        write(&[0xCA, 0x57, 0x02]),
        write(&[0xAA, 7]),
    ]
}

/// One measurement: the multiplexer is switched, and ready at the second look; so is the result.
fn measurement(smux: [u8; 20], results: [u16; 6]) -> Vec<Transaction> {
    let mut configuration = vec![0x00];
    configuration.extend_from_slice(&smux);
    let mut data = vec![0x00];
    data.extend(results.iter().flat_map(|result| result.to_le_bytes()));
    vec![
        write(&[0x80, 0x01]),
        write(&[0xAF, 0x10]),
        write(&configuration),
        write(&[0x80, 0x11]),
        read(0x80, &[0x11]),
        read(0x80, &[0x01]),
        write(&[0x80, 0x03]),
        read(0xA3, &[0x00]),
        read(0xA3, &[0x40]),
        read(0x94, &data),
    ]
}

/// The multiplexer for F1 to F4: nibbles name converters, from 1.
fn low() -> [u8; 20] {
    let mut smux = [0; 20];
    for (register, value) in [
        (0x00, 0x30),
        (0x01, 0x01),
        (0x05, 0x42),
        (0x08, 0x50),
        (0x0C, 0x20),
        (0x0D, 0x04),
        (0x0F, 0x30),
        (0x10, 0x01),
        (0x11, 0x50),
        (0x13, 0x06),
    ] {
        smux[register] = value;
    }
    smux
}

/// The multiplexer for F5 to F8.
fn high() -> [u8; 20] {
    let mut smux = [0; 20];
    for (register, value) in [
        (0x03, 0x40),
        (0x04, 0x02),
        (0x06, 0x10),
        (0x07, 0x03),
        (0x08, 0x50),
        (0x09, 0x10),
        (0x0A, 0x03),
        (0x0E, 0x24),
        (0x11, 0x50),
        (0x13, 0x06),
    ] {
        smux[register] = value;
    }
    smux
}

fn input() -> Port<'static> {
    Port {
        name: "spectrum",
        at: ArenaAt(0),
        dims: [1, CHANNELS].into_iter().collect(),
        order: [0, 1].into_iter().collect(),
        model_type: ModelType::F32,
        element: Element::I8,
        scale: 1.0 / 255.0,
        zero: -128,
    }
}

/// Runs `act` on a sensor whose bus expects `transactions`, all of them and no more.
fn with_sensor<T>(
    transactions: &[Transaction],
    act: impl AsyncFnOnce(&mut As7341<Mock>) -> T,
) -> T {
    let mut sensor = As7341::new(Mock::new(transactions), Exposure::DEFAULT);
    let out = block_on(act(&mut sensor));
    sensor.release().done();
    out
}

#[test]
fn a_frame_is_two_measurements_as_fractions_of_full_scale() {
    let mut transactions = begin();
    // Full scale is 30 · 600 = 18,000 counts.
    transactions.extend(measurement(low(), [0, 18_000, 9_040, 4_510, 1, 2]));
    transactions.extend(measurement(high(), [1, 2, 3, 4, 18_000, 0]));
    let mut frame = [0; CHANNELS];
    let exposed = with_sensor(&transactions, async |sensor| {
        sensor.begin().await?;
        sensor.expose(&input(), &mut frame, CLOCK).await
    });
    assert_eq!(exposed, Ok(1234));
    assert_eq!(frame[..4], [-128, 127, 0, -64]);
    assert_eq!(frame[4..], [-128, -128, -128, -128, 127, -128]);
}

#[test]
fn another_chip_is_named() {
    let found = with_sensor(&[read(0x92, &[0x48])], async |sensor| sensor.begin().await);
    assert_eq!(found, Err(SensorError::WrongChip { found: 0x48 }));
}

#[test]
fn an_absent_sensor_is_a_bus_error() {
    let absent = read(0x92, &[0]).with_error(ErrorKind::Other);
    let found = with_sensor(&[absent], async |sensor| sensor.begin().await);
    assert_eq!(found, Err(SensorError::Bus));
}

#[test]
fn a_multiplexer_that_never_switches_is_a_timeout() {
    let mut transactions = measurement(low(), [0; 6]);
    transactions.truncate(4);
    transactions.extend(vec![read(0x80, &[0x11]); 10]);
    let found = with_sensor(&transactions, async |sensor| sensor.measure().await);
    assert_eq!(found, Err(SensorError::Timeout));
}

#[test]
fn saturation_is_told() {
    let mut transactions = measurement(low(), [0; 6]);
    let mut data = [0; 13];
    data[0] = 0x80;
    *transactions.last_mut().unwrap() = read(0x94, &data);
    let found = with_sensor(&transactions, async |sensor| sensor.measure().await);
    assert_eq!(found, Err(SensorError::Saturated));
}

#[test]
fn a_plan_with_another_input_is_refused_before_any_transfer() {
    let mut frame = [0; 9];
    let found = with_sensor(&[], async |sensor| {
        sensor.expose(&input(), &mut frame, CLOCK).await
    });
    let expected = SensorError::FrameLen {
        found: CHANNELS,
        expected: 9,
    };
    assert_eq!(found, Err(expected));
}
