//! A certificate authority of our own, and a server's certificate signed by it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// Made once, and given to every server that is to offer TLS.
#[derive(Debug, Clone)]
pub struct Certificates {
    /// What a client trusts.
    pub ca: PathBuf,
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

impl Certificates {
    /// For servers at 127.0.0.1.
    pub fn make(dir: &Path) -> Result<Self> {
        std::fs::create_dir_all(dir).with_context(|| format!("create {}", dir.display()))?;
        let path = |name: &str| dir.join(name);
        let (ca, ca_key) = (path("ca.pem"), path("ca.key"));
        let (certificate, key) = (path("server.pem"), path("server.key"));
        openssl(&ca_key, &ca, &["-subj", "/CN=isthmus local"])?;
        let signed = ["-CA".into(), ca.display().to_string(), "-CAkey".into(), ca_key.display().to_string()];
        let signed: Vec<&str> = signed.iter().map(String::as_str).collect();
        let server = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"];
        openssl(
            &key,
            &certificate,
            &[&signed[..], &server, &["-addext", "basicConstraints=critical,CA:FALSE"]].concat(),
        )?;
        Ok(Self { ca, certificate, key })
    }
}

fn openssl(key: &Path, certificate: &Path, arguments: &[&str]) -> Result<()> {
    let mut command = Command::new("openssl");
    command.args([
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-noenc",
        "-days",
        "30",
    ]);
    command.arg("-keyout").arg(key).arg("-out").arg(certificate).args(arguments);
    let output = command.output().context("openssl is not installed: apt-get install openssl (Debian, Ubuntu)")?;
    if !output.status.success() {
        bail!("make {}: {}", certificate.display(), String::from_utf8_lossy(&output.stderr).trim_end());
    }
    Ok(())
}
