//! The sections `[fleet]` and `[mqtt]` of the daemon's configuration.

use crate::names::is_token;
use serde::Deserialize;
use std::fmt;
use std::path::PathBuf;

/// What a daemon has to do with others, by a NATS server.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FleetConfig {
    /// Addresses of the servers: `nats://host:4222`, `tls://host:4222`.
    pub servers: Vec<String>,
    /// What belongs together: a laboratory. Part of every subject.
    pub site: String,
    /// What this daemon is called at its site, where no other one has that name.
    pub name: String,
    /// A file of credentials, as `nsc` makes them.
    pub credentials: Option<PathBuf>,
    /// The user, with [`password`](Self::password).
    pub user: Option<String>,
    /// The user's password.
    pub password: Option<Secret>,
    /// PEM file of the authorities that servers' certificates are of, instead of the system's.
    pub tls_roots: Option<PathBuf>,
    /// Whether servers beyond this computer are spoken to without TLS.
    #[serde(default)]
    pub plain: bool,
    /// Whether results go to the server.
    #[serde(default = "yes")]
    pub publish: bool,
    /// Whether others answer this daemon's questions.
    #[serde(default)]
    pub offload: OffloadPolicy,
    /// Whether this daemon answers the questions of others.
    #[serde(default)]
    pub serve: bool,
    /// Questions of others that wait at most.
    #[serde(default = "queue_default")]
    pub queue: usize,
    /// Where plans of others are kept.
    #[serde(default = "cache_default")]
    pub cache: PathBuf,
}

/// When others answer a daemon's questions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OffloadPolicy {
    /// Where the daemon has no GPU in hardware.
    #[default]
    Auto,
    /// Never.
    Off,
}

/// An MQTT broker that results go to.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MqttConfig {
    /// Host name or address of the broker.
    pub host: String,
    /// Its port.
    #[serde(default = "mqtt_port")]
    pub port: u16,
    /// What the topics of the results begin with; the device follows.
    #[serde(default = "mqtt_topic")]
    pub topic: String,
    /// What the daemon is called; no other client of the broker has that name.
    pub client: String,
    /// The user, with [`password`](Self::password).
    pub user: Option<String>,
    /// The user's password.
    pub password: Option<Secret>,
    /// Whether a broker beyond this computer is spoken to; it is without TLS.
    #[serde(default)]
    pub plain: bool,
}

/// What is not to be shown.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// For whoever has to send it.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// A key whose value makes no sense, and why.
pub type KeyFault = (&'static str, &'static str);

/// Most questions that may wait.
const QUEUE_LEN_MAX: usize = 1024;
/// Most servers.
const SERVERS_MAX: usize = 16;

const NO_TLS: &str = "is beyond this computer and without TLS: anybody on the way can read and \
                      change what is said; use tls://, or `plain = true` where you accept that";

impl FleetConfig {
    /// The first key whose value makes no sense.
    pub fn fault(&self) -> Option<KeyFault> {
        if !(1..=SERVERS_MAX).contains(&self.servers.len()) {
            return Some(("servers", "there must be from 1 to 16"));
        }
        if !is_token(&self.site) {
            return Some(("site", "must be 1 to 64 letters, digits, - and _"));
        }
        if !is_token(&self.name) {
            return Some(("name", "must be 1 to 64 letters, digits, - and _"));
        }
        if self.user.is_some() != self.password.is_some() {
            return Some(("password", "user and password go together"));
        }
        if self.user.is_some() && self.credentials.is_some() {
            return Some(("credentials", "there is a user, too"));
        }
        if !(1..=QUEUE_LEN_MAX).contains(&self.queue) {
            return Some(("queue", "must be from 1 to 1024"));
        }
        let fault = |server: &String| self.server_fault(server);
        let fault = self.servers.iter().find_map(fault);
        fault.map(|cause| ("servers", cause))
    }

    /// The paths in it.
    pub fn paths_mut(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let given = [&mut self.credentials, &mut self.tls_roots];
        given.into_iter().flatten().chain([&mut self.cache])
    }

    fn server_fault(&self, server: &str) -> Option<&'static str> {
        let Some((scheme, rest)) = server.split_once("://") else {
            return Some("an address begins with nats:// or tls://");
        };
        if rest.contains('@') {
            return Some("credentials in an address would be logged: use user and password");
        }
        match scheme {
            "tls" => None,
            "nats" if self.is_tls() || self.plain || is_loopback(host(rest)) => None,
            "nats" => Some(NO_TLS),
            _ => Some("an address begins with nats:// or tls://"),
        }
    }

    /// Whether every connection is by TLS.
    pub(crate) fn is_tls(&self) -> bool {
        let is_tls = |server: &String| server.starts_with("tls://");
        self.tls_roots.is_some() || self.servers.iter().all(is_tls)
    }

    /// The first server that is spoken to without TLS although it is another computer.
    pub(crate) fn plain_server(&self) -> Option<&str> {
        let is_plain = |server: &&String| {
            let address = server.strip_prefix("nats://");
            address.is_some_and(|rest| !self.is_tls() && !is_loopback(host(rest)))
        };
        self.servers.iter().find(is_plain).map(String::as_str)
    }
}

impl MqttConfig {
    /// The first key whose value makes no sense.
    pub fn fault(&self) -> Option<KeyFault> {
        if self.host.is_empty() {
            return Some(("host", "must not be empty"));
        }
        if self.user.is_some() != self.password.is_some() {
            return Some(("password", "user and password go together"));
        }
        if !is_token(&self.client) {
            return Some(("client", "must be 1 to 64 letters, digits, - and _"));
        }
        if self.topic.is_empty() || self.topic.contains(['+', '#', '\0']) {
            return Some(("topic", "must not be empty and have no +, # or NUL"));
        }
        if !self.plain && !is_loopback(&self.host) {
            return Some((
                "host",
                "is beyond this computer, and MQTT is spoken without TLS: let a broker on this \
                 computer pass on by TLS, or set `plain = true`",
            ));
        }
        None
    }
}

/// The host of `host:port`.
fn host(address: &str) -> &str {
    let host = match address.strip_prefix('[') {
        Some(rest) => rest.split(']').next(),
        None => address.split([':', '/']).next(),
    };
    host.unwrap_or_default()
}

pub(crate) fn is_loopback(host: &str) -> bool {
    let address = host.parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

fn yes() -> bool {
    true
}

fn queue_default() -> usize {
    64
}

fn cache_default() -> PathBuf {
    PathBuf::from("fleet-plans")
}

fn mqtt_port() -> u16 {
    1883
}

fn mqtt_topic() -> String {
    "microtome".to_owned()
}

#[cfg(test)]
mod tests {
    use super::{FleetConfig, MqttConfig, OffloadPolicy};

    const LEAST: &str = "servers = ['nats://localhost:4222']\nsite = 'lab'\nname = 'a'\n";

    fn fleet(text: &str) -> FleetConfig {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn what_is_left_out_has_its_default() {
        let config = fleet(LEAST);
        assert_eq!(config.fault(), None);
        assert!(config.publish && !config.serve && !config.plain);
        assert_eq!((config.offload, config.queue), (OffloadPolicy::Auto, 64));
        assert!(toml::from_str::<FleetConfig>(&format!("{LEAST}sevre = true")).is_err());
    }

    #[test]
    fn nothing_leaves_the_computer_without_tls_unless_that_is_wanted() {
        let at = |server: &str, more: &str| {
            let text = format!("servers = ['{server}']\nsite = 'lab'\nname = 'a'\n{more}");
            fleet(&text).fault().map(|(key, _)| key)
        };
        assert_eq!(at("nats://127.0.0.1:4222", ""), None);
        assert_eq!(at("nats://[::1]:4222", ""), None);
        assert_eq!(at("nats://bench:4222", ""), Some("servers"));
        assert_eq!(at("nats://127.0.0.1.example.org", ""), Some("servers"));
        assert_eq!(at("nats://bench:4222", "plain = true"), None);
        assert_eq!(at("nats://bench:4222", "tls_roots = 'ca.pem'"), None);
        assert_eq!(at("tls://bench:4222", ""), None);
        assert_eq!(at("nats://user:word@localhost:4222", ""), Some("servers"));
        assert_eq!(at("ws://localhost", ""), Some("servers"));
    }

    #[test]
    fn values_that_make_no_sense_are_named() {
        let fault = |more: &str| fleet(&format!("{LEAST}{more}")).fault().unwrap().0;
        assert_eq!(fault("user = 'u'"), "password");
        assert_eq!(fault("queue = 0"), "queue");
        let both = "user = 'u'\npassword = 'p'\ncredentials = 'c'";
        assert_eq!(fault(both), "credentials");
        let mut config = fleet(LEAST);
        config.site = "a.b".to_owned();
        assert_eq!(config.fault().unwrap().0, "site");
    }

    #[test]
    fn a_password_is_not_shown() {
        let config = fleet(&format!("{LEAST}user = 'u'\npassword = 'pass1234'"));
        assert!(!format!("{config:?}").contains("pass1234"));
    }

    #[test]
    fn mqtt_stays_on_the_computer_unless_that_is_wanted() {
        let at = |text: &str| toml::from_str::<MqttConfig>(text).unwrap().fault();
        assert_eq!(at("host = 'localhost'\nclient = 'a'"), None);
        assert_eq!(at("host = 'bench'\nclient = 'a'").unwrap().0, "host");
        assert_eq!(at("host = 'bench'\nclient = 'a'\nplain = true"), None);
        let text = "host = 'localhost'\nclient = 'a'\ntopic = 'a/#'";
        assert_eq!(at(text).unwrap().0, "topic");
    }
}
