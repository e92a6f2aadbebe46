//! SIGTERM: nothing new is taken, what is under way is answered.

use std::time::Duration;

use http::StatusCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::running::{Cloud, PACKED};

#[tokio::test]
async fn a_request_that_is_under_way_is_answered_and_then_the_program_ends_well() {
    let cloud = Cloud::start().await;
    let mut server = cloud.serve().await;
    assert_eq!(server.get("/healthz").await.status(), StatusCode::OK);
    let mut slow = TcpStream::connect(("127.0.0.1", server.port)).await.unwrap();
    let body = "{\"keys\":[\"user-1\"]}";
    let head = format!(
        "POST /v1/{PACKED}:batchGet HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
         expect: 100-continue\r\n\r\n",
        body.len()
    );
    slow.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 25];
    slow.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 100 Continue\r\n\r\n", "the server waits for the body");

    server.process.signal(libc::SIGTERM);
    let port = server.port;
    let began = std::time::Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
        assert!(began.elapsed() < Duration::from_secs(5), "nothing new is taken");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    slow.write_all(body.as_bytes()).await.unwrap();
    let mut answer = String::new();
    slow.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains("\"rows\":[{\"key\":\"user-1\",\"body\":{"), "{answer}");
    assert_eq!(server.process.wait().await.unwrap(), Some(0), "{}", server.process.log());

    let lines = server.log();
    let metrics = lines.iter().find(|line| line["_aws"].is_object()).expect("metrics are told before the end");
    assert_eq!(metrics["_aws"]["CloudWatchMetrics"][0]["Namespace"], "isthmus/test");
    assert!(metrics["Requests"].as_f64().unwrap() >= 2.0, "{metrics}");
    assert!(metrics["KeysAsked"].as_f64().unwrap() >= 1.0, "{metrics}");
}
