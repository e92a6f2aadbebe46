//! A reader against a real S3 protocol and a real Redis, over what the job's own writers publish.

#![allow(clippy::unwrap_used)]

mod bounds;
mod cloud;
mod cluster;
mod damage;
mod flips;
mod outages;
mod refusals;
mod rows;
mod shared_cache;
mod stampede;
