//! The OpenAPI document is true: Schemathesis sends what it allows and forbids to the running server, and compares.

use std::process::Command;

use http::Method;
use local::tools;
use serde_json::Value;

use crate::running::{Cloud, OBJECTS, PACKED, Server};

/// With these for the path, or with random ones.
async fn try_out(cloud: &Cloud, server: &Server, parameters: &str) {
    let (document, settings) = (cloud.dir.path().join("openapi.json"), cloud.dir.path().join("schemathesis.toml"));
    std::fs::write(&document, server_document()).unwrap();
    std::fs::write(&settings, parameters).unwrap();
    let mut command = Command::new(tools::tool("schemathesis", "schemathesis").unwrap());
    command.current_dir(cloud.dir.path()).arg("--config-file").arg(&settings).arg("run").arg(&document);
    command.args(["--url", &format!("http://127.0.0.1:{}", server.port), "--seed", "1", "--max-examples", "60"]);
    command.args(["--checks", "all", "--continue-on-failure", "--generation-database", "none"]);
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}\n{}", String::from_utf8_lossy(&output.stderr));
}

fn server_document() -> Vec<u8> {
    Command::new(crate::running::PROGRAM).arg("openapi").output().unwrap().stdout
}

#[tokio::test]
async fn schemathesis_finds_nothing_that_the_document_does_not_say() {
    let cloud = Cloud::start().await;
    let server = cloud.serve().await;
    try_out(&cloud, &server, &format!("[parameters]\nsync = {PACKED:?}\nkey = \"user-1\"\n")).await;
    try_out(&cloud, &server, &format!("[parameters]\nsync = {OBJECTS:?}\n")).await;
    try_out(&cloud, &server, "").await;
}

#[tokio::test]
async fn the_paths_and_methods_of_the_document_are_those_of_the_program() {
    let cloud = Cloud::start().await;
    let server = cloud.serve().await;
    let document: Value = serde_json::from_slice(&server_document()).unwrap();
    let methods = [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
    for (path, operations) in document["paths"].as_object().unwrap() {
        let sample = path.replace("{sync}", PACKED).replace("{key}", "user-1");
        for method in &methods {
            let status = server.ask(method.clone(), &sample, &[]).await.status().as_u16();
            let is_there = status != 404 && status != 405;
            let is_told = operations.get(method.as_str().to_lowercase()).is_some();
            assert_eq!(is_there, is_told, "{method} {sample} is answered with {status}");
        }
    }
}
