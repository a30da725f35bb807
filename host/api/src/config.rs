//! The section `[api]` of the daemon's configuration.
//!
//! ```toml
//! [api]                         # without it nothing listens
//! listen = "127.0.0.1:8642"
//! tokens = "tokens.toml"        # who may do what; `microtome token` adds to it
//! tls_cert = "cert.pem"         # the certificate and those above it
//! tls_key = "key.pem"
//! open_loopback = ["read"]      # what needs no token when only this computer is served
//! hosts = []                    # names by which the API is called, besides localhost
//! run = []                      # models that clients may run, besides the boards' heavier ones
//!
//! [api.limits]                  # the defaults are those of docs/api.md
//! connections = 64
//! ```

use crate::token::Scope;
use serde::Deserialize;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

/// The port unless the user says otherwise.
pub const PORT_DEFAULT: u16 = 8642;

/// Where and to whom the API is open.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ApiConfig {
    /// Address and port; beyond loopback only with TLS and tokens.
    pub listen: SocketAddr,
    /// File of the certificate and those above it, PEM.
    pub tls_cert: Option<PathBuf>,
    /// File of the certificate's key, PEM.
    pub tls_key: Option<PathBuf>,
    /// File of the tokens' hashes.
    pub tokens: Option<PathBuf>,
    /// What needs no token where `listen` is loopback; elsewhere everything needs one.
    pub open_loopback: Vec<Scope>,
    /// Names by which the API is called, besides those of loopback.
    pub hosts: Vec<String>,
    /// Models that clients may run, besides those that boards ask.
    pub run: Vec<String>,
    /// What requests may cost.
    pub limits: Limits,
}

impl Default for ApiConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, PORT_DEFAULT)),
            tls_cert: None,
            tls_key: None,
            tokens: None,
            open_loopback: vec![Scope::Read],
            hosts: Vec::new(),
            run: Vec::new(),
            limits: Limits::default(),
        }
    }
}

/// Makes [`Limits`], its defaults and its bounds from one list.
macro_rules! limits {
    ($($(#[$doc:meta])* $name:ident = $default:literal, $min:literal to $max:literal;)*) => {
        /// What requests may cost.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct Limits {
            $($(#[$doc])* pub $name: u32,)*
        }

        impl Default for Limits {
            fn default() -> Self {
                Self { $($name: $default,)* }
            }
        }

        impl Limits {
            /// The first limit that is out of its bounds, and the bounds.
            fn fault(&self) -> Option<(String, String)> {
                $(if !($min..=$max).contains(&self.$name) {
                    let cause = format!("must be from {} to {}", $min, $max);
                    return Some((concat!("limits.", stringify!($name)).to_owned(), cause));
                })*
                None
            }
        }
    };
}

limits! {
    /// Connections at a time; what comes beyond is closed at once.
    connections = 64, 1 to 4096;
    /// Those of one address.
    connections_per_address = 32, 1 to 4096;
    /// Streams of results at a time.
    streams = 16, 1 to 1024;
    /// Plans that are run, and updates that are received, at a time.
    runs = 4, 1 to 64;
    /// Requests a second of one token, or of one address without a token.
    requests_per_s = 50, 1 to 100_000;
    /// Requests that may come at once, after a pause.
    requests_burst = 100, 1 to 100_000;
    /// Results of one page.
    page_max = 1000, 1 to 10_000;
    /// Bytes of a plan's input.
    input_bytes_max = 16_777_216, 1 to 268_435_456;
    /// Bytes of an update package.
    update_bytes_max = 16_777_216, 1 to 268_435_456;
    /// Seconds for the TLS handshake, and for the head of a request after the one before it.
    header_timeout_s = 10, 1 to 600;
    /// Seconds for the body of a request.
    body_timeout_s = 30, 1 to 600;
    /// Seconds that a client may take nothing of what it is sent.
    write_timeout_s = 30, 1 to 600;
    /// Seconds for a run of a plan, and for an answer of a device.
    run_timeout_s = 60, 1 to 600;
    /// Seconds between a stream's pings; after three without a sign of life it is closed.
    ping_period_s = 20, 1 to 600;
}

impl ApiConfig {
    /// The paths, which may be relative.
    pub fn paths_mut(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let paths = [&mut self.tls_cert, &mut self.tls_key, &mut self.tokens];
        paths.into_iter().flatten()
    }

    /// The first key whose value makes no sense, and why.
    pub fn fault(&self) -> Option<(String, String)> {
        let fault = |key: &str, cause: &str| Some((key.to_owned(), cause.to_owned()));
        match (&self.tls_cert, &self.tls_key) {
            (Some(_), None) => return fault("tls_key", "is missing; tls_cert needs it"),
            (None, Some(_)) => return fault("tls_cert", "is missing; tls_key needs it"),
            _ => {}
        }
        if !self.is_loopback() && self.tls_cert.is_none() {
            let cause = "reaches beyond this computer, which needs TLS: add tls_cert and tls_key \
                         (docs/api.md tells how to make them), or listen on 127.0.0.1";
            return fault("listen", cause);
        }
        if !self.is_loopback() && self.tokens.is_none() {
            let cause = "reaches beyond this computer, which needs tokens: add tokens, and make \
                         one with `microtome token`, or listen on 127.0.0.1";
            return fault("listen", cause);
        }
        if self.hosts.iter().any(String::is_empty) {
            return fault("hosts", "has an empty name");
        }
        self.limits.fault()
    }

    /// Whether only this computer is served.
    pub fn is_loopback(&self) -> bool {
        self.listen.ip().to_canonical().is_loopback()
    }
}

#[cfg(test)]
mod tests {
    use super::{ApiConfig, Limits};

    fn parsed(text: &str) -> ApiConfig {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn nothing_but_loopback_is_served_by_default() {
        let config = parsed("");
        assert_eq!(config, ApiConfig::default());
        assert!(config.is_loopback());
        assert_eq!(config.fault(), None);
    }

    #[test]
    fn beyond_loopback_tls_and_tokens_are_asked_for() {
        for address in ["0.0.0.0:1", "192.0.2.1:1", "[::]:1", "[::ffff:192.0.2.1]:1"] {
            let listen = format!("listen = '{address}'\n");
            let (key, cause) = parsed(&listen).fault().unwrap();
            assert!(key == "listen" && cause.contains("tls_cert"), "{cause}");
            let with_tls = format!("{listen}tls_cert = 'c'\ntls_key = 'k'\n");
            let (key, cause) = parsed(&with_tls).fault().unwrap();
            assert!(key == "listen" && cause.contains("microtome token"));
            assert_eq!(parsed(&format!("{with_tls}tokens = 't'")).fault(), None);
        }
        for address in ["127.8.7.6:1", "[::1]:1", "[::ffff:127.0.0.1]:1"] {
            assert_eq!(parsed(&format!("listen = '{address}'")).fault(), None);
        }
    }

    #[test]
    fn limits_have_bounds() {
        assert_eq!(Limits::default().fault(), None);
        let (key, cause) = parsed("[limits]\nstreams = 0").fault().unwrap();
        assert_eq!(
            (&*key, &*cause),
            ("limits.streams", "must be from 1 to 1024")
        );
        assert!(toml::from_str::<ApiConfig>("[limits]\nstream = 1").is_err());
    }

    #[test]
    fn a_certificate_needs_its_key() {
        assert_eq!(parsed("tls_cert = 'c'").fault().unwrap().0, "tls_key");
        assert_eq!(parsed("tls_key = 'c'").fault().unwrap().0, "tls_cert");
    }
}
