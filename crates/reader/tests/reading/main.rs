//! A reader against a real S3 protocol and a real Redis, over what the job's own writers publish.

#![allow(clippy::unwrap_used)]

mod cloud;
mod damage;
mod flips;
mod measure;
mod outages;
mod rows;
mod shared_cache;
mod stampede;
