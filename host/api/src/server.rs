//! Sockets: who is let in, how many at a time, and how long they may be silent.
//!
//! HTTP/1.1 alone, over TLS where there is a certificate. A connection beyond the limits is closed
//! at once, without a word that a flood would make costly. Every wait on a client ends: for the
//! handshake, the head of a request, its body, and for it to take what it is sent.

use crate::config::ApiConfig;
use crate::host::Host;
use crate::hub::Hub;
use crate::metrics::{Counted, Refused};
use crate::rate::network;
use crate::routes;
use crate::state::{App, Connection, seconds};
use crate::tls::{self, TlsError};
use crate::token::{TokenError, Tokens};
use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_io_timeout::TimeoutStream;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt as _;

/// Bytes of a request's head.
const HEAD_BYTES_MAX: usize = 16 << 10;
/// Headers of a request.
const HEADERS_MAX: usize = 64;
/// How long requests that are under way may take when the server ends.
const SHUTDOWN_TIME_MAX: Duration = Duration::from_secs(5);
/// Pause when the system gives no more sockets.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Why there is no API.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The configuration makes no sense.
    #[error("api.{key}: {cause}")]
    Config {
        /// The key.
        key: String,
        /// What is wrong, and what to do.
        cause: String,
    },
    /// There are no tokens to be had.
    #[error(transparent)]
    Tokens(#[from] TokenError),
    /// There is no certificate to be had.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The address can not be listened on.
    #[error("api.listen: {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}

/// An API whose address is taken.
#[derive(Debug)]
pub struct Server {
    app: Arc<App>,
    router: Router,
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<Tls>,
    places: Arc<Places>,
}

struct Tls(TlsAcceptor);

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tls")
    }
}

impl Server {
    /// Takes the address of `config`, for the devices of `hub` and what `host` does.
    ///
    /// # Errors
    /// When the configuration opens more than it protects, or its files or address can not be had.
    pub async fn bind(
        config: &ApiConfig,
        hub: Arc<Hub>,
        host: Arc<dyn Host>,
    ) -> Result<Self, ApiError> {
        if let Some((key, cause)) = config.fault() {
            return Err(ApiError::Config { key, cause });
        }
        let tokens = config.tokens.as_deref().map(Tokens::load);
        let tokens = tokens.transpose()?.unwrap_or_default();
        if tokens.is_empty() && !config.is_loopback() {
            let cause = "has no token, and nobody could use the API: `microtome token` makes one";
            let (key, cause) = ("tokens".to_owned(), cause.to_owned());
            return Err(ApiError::Config { key, cause });
        }
        let tls = match (&config.tls_cert, &config.tls_key) {
            (Some(certificate), Some(key)) => Some(Tls(tls::acceptor(certificate, key)?)),
            _ => None,
        };
        let at = |source| ApiError::Listen {
            address: config.listen,
            source,
        };
        let listener = TcpListener::bind(config.listen).await.map_err(at)?;
        let address = listener.local_addr().map_err(at)?;
        let places = Places::new(config);
        let app = Arc::new(App::new(config.clone(), tokens, hub, host));
        Ok(Self {
            router: routes::router(&app),
            app,
            listener,
            address,
            tls,
            places: Arc::new(places),
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop`; then requests that are under way have [`SHUTDOWN_TIME_MAX`] to end.
    pub async fn serve(self, stop: impl Future<Output = ()>) {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        tracing::info!("serves the API on {scheme}://{}", self.address);
        let mut stop = pin!(stop);
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, peer)) => self.admit(stream, peer, &mut connections),
                    Err(error) => {
                        tracing::warn!("no connection can be had: {error}");
                        sleep(ACCEPT_PAUSE).await;
                    }
                },
                Some(_) = connections.join_next() => {}
                () = &mut stop => break,
            }
        }
        drop(self.listener);
        self.app.closing.send_replace(true);
        let streams = self.app.config.limits.streams;
        let ended = async {
            while connections.join_next().await.is_some() {}
            // Streams have left their connections' tasks.
            let _ = self.app.streams.acquire_many(streams).await;
        };
        if timeout(SHUTDOWN_TIME_MAX, ended).await.is_err() {
            tracing::warn!("requests that were under way are given up");
        }
    }

    /// Serves a connection if there is room for it.
    fn admit(&self, stream: TcpStream, peer: SocketAddr, connections: &mut JoinSet<()>) {
        let metrics = &self.app.hub.metrics;
        let place = match self.places.take(peer.ip()) {
            Ok(place) => place,
            Err(reason) => {
                metrics.refuse(reason);
                tracing::debug!(%peer, ?reason, "a connection was closed");
                return;
            }
        };
        let connection = Connection {
            peer,
            _counted: Counted::new(&metrics.connections),
            _place: Arc::new(place),
        };
        let (app, router) = (Arc::clone(&self.app), self.router.clone());
        let tls = self.tls.as_ref().map(|tls| tls.0.clone());
        connections.spawn(async move {
            let limits = &app.config.limits;
            // Small answers must not wait for one another; without that they are late, no more.
            let _ = stream.set_nodelay(true);
            let mut stream = TimeoutStream::new(stream);
            stream.set_write_timeout(Some(seconds(limits.write_timeout_s)));
            let stream = Box::pin(stream);
            let Some(tls) = tls else {
                return converse(stream, &app, router, connection).await;
            };
            let handshake = tls.accept(stream);
            match timeout(seconds(limits.header_timeout_s), handshake).await {
                Ok(Ok(stream)) => converse(stream, &app, router, connection).await,
                _ => {
                    app.hub.metrics.refuse(Refused::Handshake);
                    tracing::debug!(peer = %connection.peer, "no TLS handshake");
                }
            }
        });
    }
}

/// Serves the requests of one connection.
async fn converse(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    app: &App,
    router: Router,
    connection: Connection,
) {
    let peer = connection.peer;
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(connection.clone());
        let router = router.clone();
        async move { Ok::<_, Infallible>(router.oneshot(request).await.unwrap_or_else(|e| match e {})) }
    });
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(seconds(app.config.limits.header_timeout_s))
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEAD_BYTES_MAX);
    let served = http.serve_connection(TokioIo::new(stream), service);
    let mut served = pin!(served.with_upgrades());
    let ended = tokio::select! {
        ended = served.as_mut() => ended,
        () = app.closed() => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, "a connection ended: {error}");
    }
}

/// Which addresses have how many connections.
#[derive(Debug)]
struct Places {
    max: usize,
    of_address_max: usize,
    taken: Mutex<HashMap<IpAddr, usize>>,
}

/// A connection's place, free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    places: Arc<Places>,
    address: IpAddr,
}

impl Places {
    fn new(config: &ApiConfig) -> Self {
        Self {
            max: config.limits.connections as usize,
            of_address_max: config.limits.connections_per_address as usize,
            taken: Mutex::default(),
        }
    }

    fn take(self: &Arc<Self>, address: IpAddr) -> Result<Place, Refused> {
        let address = network(address);
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.values().sum::<usize>() >= self.max {
            return Err(Refused::Connections);
        }
        let of_address = taken.entry(address).or_default();
        if *of_address >= self.of_address_max {
            return Err(Refused::AddressConnections);
        }
        *of_address += 1;
        Ok(Place {
            places: Arc::clone(self),
            address,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let taken = self.places.taken.lock();
        let mut taken = taken.unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.address);
            }
        }
    }
}
