//! A laptop cloud: everything that isthmus talks to, on loopback. It is the only place that knows about emulators.

pub mod aurora;
pub mod bigquery;
pub mod cloud;
pub mod completion;
pub mod demo;
pub mod export;
pub mod generated;
pub mod google;
pub mod job;
pub mod lambda;
mod listen;
pub mod lookup;
pub mod metadata;
pub mod moto;
pub mod process;
pub mod production;
pub mod rds;
pub mod read;
pub mod redis;
pub mod s3;
pub mod sink;
pub mod sts;
pub mod tls;
pub mod tools;
pub mod transfer;
pub mod warehouse;
pub mod wire;
