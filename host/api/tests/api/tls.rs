//! TLS, with a certificate of this test.

use crate::support::{Bench, ask, soon};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// Writes a certificate for `localhost` and its key.
fn certificate(folder: &Path) -> CertificateDer<'static> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    fs::write(folder.join("cert.pem"), made.cert.pem()).unwrap();
    let key = folder.join("key.pem");
    fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    made.cert.der().clone()
}

fn connector(roots: &[CertificateDer<'static>]) -> TlsConnector {
    let mut store = RootCertStore::empty();
    for root in roots {
        store.add(root.clone()).unwrap();
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(store)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

async fn bench(folder: &Path) -> Bench {
    let (cert, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    Bench::new(|config| {
        (config.tls_cert, config.tls_key) = (Some(cert), Some(key));
        config.limits.header_timeout_s = 1;
    })
    .await
}

#[tokio::test]
async fn who_trusts_the_certificate_is_served_and_plain_http_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let root = certificate(folder.path());
    let bench = bench(folder.path()).await;
    let name = ServerName::try_from("localhost").unwrap();
    let connect = async |roots: &[CertificateDer<'static>]| {
        let stream = TcpStream::connect(bench.address).await.unwrap();
        soon(connector(roots).connect(name.clone(), stream)).await
    };
    let stream = connect(&[root]).await.unwrap();
    let response = soon(ask(stream, "GET", "/v1/devices", &[], b"")).await;
    assert_eq!(response.status, 200);
    assert!(
        connect(&[]).await.is_err(),
        "a certificate that nobody vouches for"
    );

    let mut plain = TcpStream::connect(bench.address).await.unwrap();
    plain
        .write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .await
        .unwrap();
    let mut answer = Vec::new();
    let _ = soon(plain.read_to_end(&mut answer)).await;
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");

    // A client that says nothing at all.
    let mut silent = TcpStream::connect(bench.address).await.unwrap();
    let _ = soon(silent.read_to_end(&mut answer)).await;
}

#[tokio::test]
async fn keys_that_anybody_may_read_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    certificate(folder.path());
    let (cert, key) = (
        folder.path().join("cert.pem"),
        folder.path().join("key.pem"),
    );
    let error = |key: &Path| match microtome_api::tls::acceptor(&cert, key) {
        Ok(_) => panic!("it is taken"),
        Err(error) => error.to_string(),
    };
    fs::set_permissions(&key, fs::Permissions::from_mode(0o604)).unwrap();
    assert!(error(&key).contains("chmod o="));
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    assert!(error(&cert).contains("chmod o=") || error(&cert).contains("cert.pem"));
    // A key of another certificate.
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    fs::write(&key, other.signing_key.serialize_pem()).unwrap();
    assert!(error(&key).contains("cert.pem"));
    fs::write(&cert, "nothing").unwrap();
    assert!(error(&key).contains("no certificate"));
    fs::remove_file(&cert).unwrap();
    assert!(error(&key).contains("cert.pem"));
}
