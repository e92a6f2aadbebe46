//! The peer: nginx with the same bytes as static files, as few words of configuration as it takes.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use local::process::{Process, free_port};

use super::load::Connection;

pub struct Nginx {
    port: u16,
    _process: Process,
}

impl Nginx {
    /// One worker on the processor `core`. Needs Debian's nginx-light.
    pub async fn start(dir: &Path, files: impl Iterator<Item = (String, String)>, core: &str) -> Result<Self> {
        let (port, root) = (free_port()?, dir.join("files"));
        for (path, body) in files {
            let file = root.join(path.trim_start_matches('/'));
            std::fs::create_dir_all(file.parent().unwrap_or(&root))?;
            std::fs::write(file, body)?;
        }
        let dir = dir.display();
        let text = format!(
            "daemon off; user root; worker_processes 1; pid {dir}/nginx.pid; error_log {dir}/nginx.error;\n\
             events {{ worker_connections 1024; }}\n\
             http {{ access_log off; sendfile on; tcp_nopush on; open_file_cache max=10000; etag on;\n\
             default_type application/json; keepalive_requests 1000000; client_body_temp_path {dir}/body;\n\
             proxy_temp_path {dir}/p; fastcgi_temp_path {dir}/f; uwsgi_temp_path {dir}/u; scgi_temp_path {dir}/s;\n\
             server {{ listen 127.0.0.1:{port}; root {dir}/files; }} }}\n"
        );
        let configuration = format!("{dir}/nginx.conf");
        std::fs::write(&configuration, text)?;
        let mut command = Command::new("taskset");
        command.args(["-c", core, "nginx", "-c", &configuration]);
        let process = Process::spawn("nginx", command, Path::new(&format!("{dir}/nginx.log")));
        let mut process = process.context("apt-get install nginx-light (Debian, Ubuntu) installs nginx")?;
        process.ready(Duration::from_secs(10), async || Connection::open(port).is_ok()).await?;
        Ok(Self { port, _process: process })
    }

    pub fn port(&self) -> u16 {
        self.port
    }
}
