//! Sessions with boards that do, and with devices that do not, speak properly.

use crate::support::{FRAME_LEN, FakeBoard};
use microtome_daemon::session::Fault;
use microtome_daemon::{DeviceLog, RunInput, Session, transport};
use std::path::Path;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::net::UnixListener;
use tokio_serial::{SerialPort as _, SerialStream};

async fn fault(wire: DuplexStream) -> Fault {
    match Session::over(wire, DeviceLog::new("scope")).await {
        Ok(_) => panic!("there is no board"),
        Err(error) => error.fault,
    }
}

#[tokio::test]
async fn a_board_introduces_itself() {
    let session = Session::over(FakeBoard::default().start(), DeviceLog::new("scope")).await;
    let session = session.unwrap_or_else(|error| panic!("{error}"));
    let identity = session.identity();
    assert_eq!(
        (identity.board.as_str(), identity.model.as_str()),
        ("fake", "light")
    );
    assert_eq!(identity.plan, crate::support::light().digest());
}

#[tokio::test]
async fn a_run_gives_outputs_and_the_cost_of_each_step() {
    let wire = FakeBoard::default().start();
    let session = Session::over(wire, DeviceLog::new("scope")).await;
    let mut session = session.unwrap_or_else(|error| panic!("{error}"));
    let values: Vec<u8> = (0..FRAME_LEN).map(|value| value as u8).collect();
    for profile in [true, false] {
        let output = session
            .run(RunInput::Values(&values), profile)
            .await
            .unwrap();
        assert_eq!((&output.values, output.ticks), (&values, 6));
        assert_eq!(
            output.step_ticks,
            if profile { vec![1, 2, 3] } else { vec![] }
        );
        assert_eq!(
            output.split([400, 600]),
            Some(vec![values[..400].into(), values[400..].into()])
        );
        assert_eq!(output.split([400]), None);
    }
    let output = session.run(RunInput::Replay(1), false).await.unwrap();
    assert_eq!(output.values, [1; FRAME_LEN]);
}

#[tokio::test(start_paused = true)]
async fn a_device_that_speaks_something_else_is_quoted() {
    let (host, mut device) = tokio::io::duplex(4096);
    tokio::spawn(async move {
        while device.write_all(b"login: \0").await.is_ok() {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    });
    let fault = fault(host).await;
    assert!(
        matches!(&fault, Fault::Foreign { heard } if heard.starts_with("login: ")),
        "{fault}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_silent_device_is_given_up() {
    let (host, _device) = tokio::io::duplex(4096);
    assert!(matches!(fault(host).await, Fault::Silent));
}

#[tokio::test]
async fn a_board_of_another_protocol_is_refused() {
    let board = FakeBoard {
        protocol: 7,
        ..FakeBoard::default()
    };
    assert!(matches!(
        fault(board.start()).await,
        Fault::Protocol { board: 7, .. }
    ));
}

#[tokio::test]
async fn a_serial_device_has_one_user() {
    let (_master, slave) = SerialStream::pair().unwrap();
    let path = slave.name().unwrap();
    drop(slave);
    let path = Path::new(&path);
    let held = transport::open(path, 921_600).await.unwrap();
    let error = transport::open(path, 921_600).await.err().unwrap();
    assert!(
        error.to_string().contains("in use by another program"),
        "{error}"
    );
    drop(held);
    transport::open(path, 921_600).await.unwrap();
}

#[tokio::test]
async fn a_socket_is_a_line_and_one_that_nobody_listens_at_is_no_device() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("serial");
    let listener = UnixListener::bind(&path).unwrap();
    let mut host = transport::open(&path, 9600).await.unwrap();
    host.write_all(b"abc").await.unwrap();
    let mut bytes = [0; 3];
    let (mut board, _) = listener.accept().await.unwrap();
    board.read_exact(&mut bytes).await.unwrap();
    assert_eq!(&bytes, b"abc");
    drop(listener);
    let error = transport::open(&path, 9600).await.err().unwrap();
    assert!(error.to_string().contains("no such device"), "{error}");
}

#[tokio::test]
async fn what_is_no_serial_device_is_named() {
    let error = transport::open(Path::new("/dev/no-such-tty"), 9600)
        .await
        .err()
        .unwrap();
    assert!(
        error
            .to_string()
            .starts_with("/dev/no-such-tty: no such device"),
        "{error}"
    );
    let file = tempfile::NamedTempFile::new().unwrap();
    let error = transport::open(file.path(), 9600).await.err().unwrap();
    assert!(error.to_string().contains("not a serial device"), "{error}");
}
