//! Servers that can be killed and come again.

use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Longer than anything takes here.
pub const WAIT_MAX: Duration = Duration::from_secs(120);

/// Says that `test` is skipped, and why: past the harness, which hides what passing tests print.
pub fn skip(test: &str, why: &str) {
    let _ = writeln!(std::io::stderr(), "skipped: {test}: {why}");
}

/// A process that does not outlive its test.
pub struct Running(pub Child);

impl Running {
    /// As `kill -9` does.
    pub fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A server with a port and a folder of its own.
pub struct Server {
    folder: TempDir,
    port: u16,
    process: Option<Running>,
    start: fn(u16, &Path) -> Command,
}

impl Server {
    /// A NATS server with JetStream; `None`, after saying so, where there is none.
    pub fn nats(test: &str) -> Option<Self> {
        Self::new(test, "nats-server", |port, folder| {
            let mut command = Command::new("nats-server");
            command
                .args(["-a", "127.0.0.1", "-p", &port.to_string(), "-js", "-sd"])
                .arg(folder.join("store"));
            command
        })
    }

    /// A NATS server that speaks TLS alone, with a certificate of the authority in `ca.pem`, to
    /// the user `u` with the password `word`.
    pub fn nats_with_tls(test: &str) -> Option<Self> {
        if Command::new("openssl").arg("version").output().is_err() {
            skip(test, "there is no openssl here");
            return None;
        }
        Self::new(test, "nats-server", |port, folder| {
            if !folder.join("ca.pem").exists() {
                certify(folder);
            }
            let at = folder.display();
            let text = format!(
                "listen: \"127.0.0.1:{port}\"\njetstream {{ store_dir: \"{at}/store\" }}\n\
                 tls {{ cert_file: \"{at}/server.pem\", key_file: \"{at}/server.key\" }}\n\
                 authorization {{ users: [ {{ user: u, password: word }} ] }}\n"
            );
            let config = folder.join("nats.conf");
            std::fs::write(&config, text).unwrap();
            let mut command = Command::new("nats-server");
            command.arg("-c").arg(config);
            command
        })
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// An MQTT broker that remembers sessions and messages.
    pub fn mqtt(test: &str) -> Option<Self> {
        Self::new(test, "mosquitto", |port, folder| {
            let config = folder.join("mosquitto.conf");
            let text = format!(
                "listener {port} 127.0.0.1\nallow_anonymous true\npersistence true\n\
                 persistence_location {}/\nautosave_interval 1\nautosave_on_changes true\n\
                 max_queued_messages 0\nuser root\n",
                folder.display()
            );
            std::fs::write(&config, text).unwrap();
            let mut command = Command::new("mosquitto");
            command.arg("-c").arg(config);
            command
        })
    }

    fn new(test: &str, program: &str, start: fn(u16, &Path) -> Command) -> Option<Self> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        // Debian's servers lie where not every user looks.
        let more = [PathBuf::from("/usr/sbin"), PathBuf::from("/usr/local/sbin")];
        if !std::env::split_paths(&path)
            .chain(more)
            .any(|it| it.join(program).is_file())
        {
            skip(test, &format!("there is no {program} here"));
            return None;
        }
        let free = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let mut server = Self {
            folder: tempfile::tempdir().unwrap(),
            port: free.local_addr().unwrap().port(),
            process: None,
            start,
        };
        drop(free);
        server.start();
        Some(server)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Starts it, and waits until it listens.
    pub fn start(&mut self) {
        let mut command = (self.start)(self.port, self.folder.path());
        let path = std::env::var("PATH").unwrap_or_default();
        command
            .env("PATH", format!("{path}:/usr/sbin:/usr/local/sbin"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        self.process = Some(Running(command.spawn().unwrap()));
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(begun.elapsed() < WAIT_MAX, "the server does not listen");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// As `kill -9` does.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// What it has on its disk, put aside; it must not run.
    pub fn snapshot(&self) -> TempDir {
        assert!(self.process.is_none());
        let aside = tempfile::tempdir().unwrap();
        copy(
            &self.folder.path().join("store"),
            &aside.path().join("store"),
        );
        aside
    }

    /// Puts back what was put aside.
    pub fn restore(&self, aside: &TempDir) {
        assert!(self.process.is_none());
        let store = self.folder.path().join("store");
        std::fs::remove_dir_all(&store).unwrap();
        copy(&aside.path().join("store"), &store);
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in from.read_dir().unwrap() {
        let (from, to) = (
            entry.as_ref().unwrap().path(),
            to.join(entry.unwrap().file_name()),
        );
        if from.is_dir() {
            copy(&from, &to);
        } else {
            std::fs::copy(from, to).unwrap();
        }
    }
}

/// Makes an authority and a certificate of it for this computer.
fn certify(folder: &Path) {
    std::fs::write(folder.join("san"), "subjectAltName=IP:127.0.0.1\n").unwrap();
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
    for command in [
        format!("req -x509 {key} -keyout ca.key -out ca.pem -subj /CN=ca -days 2"),
        format!("req {key} -keyout server.key -out server.csr -subj /CN=server"),
        "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out server.pem -days 2 \
         -extfile san"
            .to_owned(),
    ] {
        let mut openssl = Command::new("openssl");
        let ran = openssl.args(command.split(' ')).current_dir(folder).output();
        let ran = ran.unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    }
}
