//! How the API ends: what is under way may end, and nobody keeps it from ending.

use crate::support::{Bench, soon};
use futures_util::StreamExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::Message;

#[tokio::test(flavor = "multi_thread")]
async fn streams_are_told_and_idle_connections_closed() {
    let mut bench = Bench::new(|_| ()).await;
    let stream = TcpStream::connect(bench.address).await.unwrap();
    let url = format!("ws://{}/v1/results/stream", bench.address);
    let (mut client, _) = soon(client_async(url, stream)).await.unwrap();
    let mut idle = TcpStream::connect(bench.address).await.unwrap();
    let request = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n";
    idle.write_all(request).await.unwrap();
    idle.read_u8().await.unwrap();
    let _silent = TcpStream::connect(bench.address).await.unwrap();
    let told = async {
        loop {
            match client.next().await {
                Some(Ok(Message::Close(frame))) => return frame.unwrap().reason.to_string(),
                Some(Ok(_)) => {}
                other => panic!("{other:?}"),
            }
        }
    };
    let ((), told) = tokio::join!(bench.end(), soon(told));
    assert_eq!(told, "the daemon ends");
    let mut rest = Vec::new();
    let _ = soon(idle.read_to_end(&mut rest)).await;
    assert!(TcpStream::connect(bench.address).await.is_err());
}
