//! A laptop cloud: everything that isthmus talks to, on loopback. It is the only place that knows about emulators.

pub mod aurora;
pub mod export;
pub mod job;
pub mod lambda;
pub mod process;
pub mod rds;
pub mod s3;
pub mod wire;
