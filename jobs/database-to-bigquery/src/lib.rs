//! database-to-bigquery, a container job: reads tables of a database in short read-only transactions, proves that every
//! row of the snapshot is there, and loads each table into BigQuery in one step. See `docs/spec/database-to-bigquery.md`.
//!
//! Killed anywhere and started again, it comes to the same end: the files have no names, jobs of BigQuery have ids of our
//! own, a table is replaced or merged in one step, and how far it has come is written after its rows.

pub mod address;
pub mod catalog;
pub mod cells;
pub mod check;
pub mod civil_time;
pub mod columns;
pub mod config;
pub mod connect;
pub mod decimal;
pub mod destination;
pub mod discover;
pub mod disk;
pub mod extracts;
pub mod iam;
pub mod load;
pub mod mysql;
pub mod order;
pub mod outcome;
pub mod plan;
pub mod postgres;
pub mod program;
pub mod progress;
pub mod report;
pub mod run;
pub mod sheet;
pub mod source;
pub mod types;

use tokio::sync::watch;

/// As a shell reports a program that SIGTERM ended.
pub const STOPPED: u8 = 143;

/// Turns true when the platform wants the job to end.
pub type Stop = watch::Receiver<bool>;
