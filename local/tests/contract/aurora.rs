//! The servers that play Aurora.

use std::fs::read_to_string;
use std::path::Path;

use local::aurora::{Aurora, Engine};

#[tokio::test]
async fn a_postgresql_that_is_dropped_leaves_no_process_and_no_shared_memory() {
    let dir = tempfile::tempdir().unwrap();
    let aurora = Aurora::start(Engine::Postgres, dir.path()).await.unwrap();
    let file = read_to_string(dir.path().join("data/postmaster.pid")).unwrap();
    let id = file.lines().next().unwrap();
    // The fifth word of a line is the process that made the segment.
    let made_by = |line: &str| line.split_whitespace().nth(4).is_some_and(|maker| maker == id);
    let segments = || read_to_string("/proc/sysvipc/shm").unwrap().lines().filter(|line| made_by(line)).count();
    let runs = || Path::new("/proc").join(id).exists();
    assert_eq!((runs(), segments()), (true, 1));
    drop(aurora);
    assert_eq!((runs(), segments()), (false, 0));
}
