//! Callers with connections that stand, on threads of their own: a sleeping thread wakes within a tenth of a
//! millisecond, a timer of an async runtime within one.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

pub struct Connection(BufReader<TcpStream>);

impl Connection {
    pub fn open(port: u16) -> Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).context("connect")?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        Ok(Self(BufReader::new(stream)))
    }

    /// The body; an answer other than 200 is an error.
    pub fn get(&mut self, path: &str) -> Result<Vec<u8>> {
        let request = format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\naccept: */*\r\n\r\n");
        self.0.get_mut().write_all(request.as_bytes())?;
        let (mut line, mut status, mut length) = (String::new(), String::new(), 0);
        loop {
            line.clear();
            ensure!(self.0.read_line(&mut line)? > 0, "the connection was closed");
            let text = line.trim_end();
            if text.is_empty() {
                break;
            }
            match text.split_once(": ") {
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => length = value.parse()?,
                Some(_) => {}
                None => text.clone_into(&mut status),
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body)?;
        ensure!(status.contains(" 200 "), "{path}: {status}: {}", String::from_utf8_lossy(&body));
        Ok(body)
    }
}

/// An open loop: requests are due at fixed moments, however long the answers take.
pub struct Load {
    pub port: u16,
    pub each_second: u32,
    pub seconds: u32,
    pub connections: u32,
    pub paths: Vec<String>,
}

impl Load {
    /// The milliseconds of every answer, once each path has been asked for.
    pub fn run(&self) -> Result<Vec<f64>> {
        let mut first = Connection::open(self.port)?;
        for path in &self.paths {
            first.get(path)?;
        }
        let begin = Instant::now() + Duration::from_millis(100);
        let run = |one: u32| move || self.one(one, begin);
        std::thread::scope(|scope| {
            let running: Vec<_> = (0..self.connections).map(|one| scope.spawn(run(one))).collect();
            let taken = running.into_iter().map(|one| one.join().map_err(|_| anyhow::anyhow!("a caller panicked"))?);
            Ok(taken.collect::<Result<Vec<Vec<f64>>>>()?.concat())
        })
    }

    fn one(&self, one: u32, begin: Instant) -> Result<Vec<f64>> {
        let mut connection = Connection::open(self.port)?;
        let mut taken = Vec::new();
        for n in (one..self.each_second * self.seconds).step_by(self.connections as usize) {
            let due = begin + Duration::from_secs(n.into()) / self.each_second;
            // A request that is late because of the answer before it has waited since it was due; one whose thread woke
            // late has not.
            let now = Instant::now();
            std::thread::sleep(due.saturating_duration_since(now));
            let began = if now > due { due } else { Instant::now() };
            connection.get(&self.paths[n as usize % self.paths.len()])?;
            taken.push(began.elapsed().as_secs_f64() * 1000.0);
        }
        Ok(taken)
    }
}

/// Moves every thread of this process to these processors: `1`, `0-1`.
pub fn move_to(cores: &str) -> Result<()> {
    let output = Command::new("taskset").args(["-a", "-c", "-p", cores, &std::process::id().to_string()]).output()?;
    ensure!(output.status.success(), "taskset: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

pub fn percentile(values: &[f64], share: f64) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss, clippy::cast_sign_loss)] // an index
    let at = (share * values.len() as f64) as usize;
    values.get(at.min(values.len().saturating_sub(1))).copied().unwrap_or_default()
}
