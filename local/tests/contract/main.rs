//! Each stand-in held to what the vendor documents: one program, linked once.
#![allow(clippy::unwrap_used)]

mod aurora;
mod bigquery;
mod export;
mod export_postgres;
mod exported;
mod generated;
mod google;
mod metadata;
mod rds;
mod read;
mod read_faults;
mod reading;
mod s3;
mod storage;
mod sts;
mod transfer_api;
mod transfer_on;
mod transfer_traps;
mod wire;
