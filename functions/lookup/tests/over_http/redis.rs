//! A real Redis between the programs and S3: shared, gone, and entered with tokens.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_credential_types::Credentials as AwsCredentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use http::StatusCode;
use local::process::free_port;
use local::redis::{Redis, RedisCluster};
use lookup::redis::Tokens;
use lookup::token::Login;
use reader::{Credentials, RedisCache, RedisSettings};

use crate::running::{Cloud, OBJECTS, PACKED, Server};

const WITHIN: Duration = Duration::from_secs(10);
/// Takes any password, as ElastiCache's IAM users take each token that is good.
const USER: &str = "ACL SETUSER lookup on nopass ~* &* +@all";

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !holds().await {
        assert!(began.elapsed() < WITHIN, "{what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The connections of user `lookup`.
async fn connections(redis: &Redis) -> Vec<String> {
    let list = redis.text("CLIENT LIST").await.unwrap();
    let ours = list.lines().filter(|line| line.contains(" user=lookup "));
    ours.filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

async fn from(server: &Server, path: &str) -> String {
    let response = server.get(path).await;
    assert_eq!(response.status(), StatusCode::OK, "{path}");
    response.headers()["x-isthmus-from"].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn what_one_process_has_read_the_next_one_finds_in_redis_and_without_redis_in_s3() {
    let cloud = Cloud::start().await;
    let redis = Redis::start(cloud.dir.path()).await.unwrap();
    let variables = [("REDIS_URL", redis.url())];
    let variables = variables.each_ref().map(|(name, value)| (*name, value.as_str()));
    let paths = [PACKED, OBJECTS].map(|sync| format!("/v1/{sync}/user-7"));
    let first = cloud.serve_with(&variables).await;
    for path in &paths {
        assert_eq!(from(&first, path).await, "s3");
    }
    until("both rows are in Redis", async || redis.command("DBSIZE").await.unwrap() == "2").await;
    let second = cloud.serve_with(&variables).await;
    for path in &paths {
        assert_eq!(from(&second, path).await, "redis");
        assert_eq!(from(&second, path).await, "memory");
    }
    drop(redis);
    for path in [PACKED, OBJECTS].map(|sync| format!("/v1/{sync}/user-8")) {
        from(&second, &path).await;
    }
    assert_eq!(second.get("/healthz").await.status(), StatusCode::OK);
}

/// A certificate of 127.0.0.1 that signs itself, and its key.
fn certificate(dir: &Path) -> (String, String) {
    let (certificate, key) = (dir.join("tls.crt").display().to_string(), dir.join("tls.key").display().to_string());
    let mut command = Command::new("openssl");
    command.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]);
    command.args(["-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE"]);
    let output = command.args(["-out", &certificate, "-keyout", &key]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    (certificate, key)
}

#[tokio::test]
async fn with_iam_it_comes_in_over_tls_as_its_user() {
    let cloud = Cloud::start().await;
    let (certificate, key) = certificate(cloud.dir.path());
    let tls = free_port().unwrap();
    let port = tls.to_string();
    let options = ["--tls-port", &port, "--tls-cert-file", &certificate, "--tls-key-file", &key];
    let options = [&options[..], &["--tls-ca-cert-file", &certificate, "--tls-auth-clients", "no"]].concat();
    let redis = Redis::start_with(cloud.dir.path(), free_port().unwrap(), &options).await.unwrap();
    assert_eq!(redis.command(USER).await.unwrap(), "OK");
    let url = format!("rediss://127.0.0.1:{tls}");
    let login = [("REDIS_AUTH", "iam"), ("REDIS_USER", "lookup"), ("REDIS_CLUSTER_NAME", "isthmus-test")];
    let variables = [&login[..], &[("REDIS_URL", url.as_str()), ("SSL_CERT_FILE", &certificate)]].concat();
    let path = format!("/v1/{PACKED}/user-7");
    let first = cloud.serve_with(&variables).await;
    assert_eq!(from(&first, &path).await, "s3");
    until("the row is in Redis", async || redis.command("DBSIZE").await.unwrap() == "1").await;
    assert_eq!(connections(&redis).await.len(), 1);
    let second = cloud.serve_with(&variables).await;
    assert_eq!(from(&second, &path).await, "redis");

    let stranger = variables.iter().map(|&(name, value)| (name, if name == "REDIS_USER" { "other" } else { value }));
    let third = cloud.serve_with(&stranger.collect::<Vec<_>>()).await;
    assert_eq!(from(&third, &path).await, "s3", "whom Redis does not let in reads S3");
}

#[tokio::test]
async fn a_connection_that_stands_is_authenticated_again_and_again() {
    let dir = tempfile::tempdir().unwrap();
    let redis = Redis::start(dir.path()).await.unwrap();
    assert_eq!(redis.command(USER).await.unwrap(), "OK");
    let login = Login {
        cluster: "isthmus-test".into(),
        user: "lookup".into(),
        region: "ap-northeast-1".into(),
        serverless: false,
    };
    let credentials = SharedCredentialsProvider::new(AwsCredentials::new("local", "secret", None, None, "test"));
    let tokens = Tokens { login, credentials, again_after: Duration::from_millis(50) };
    let credentials = Credentials::Provider(Arc::new(tokens));
    let cache = RedisCache::connect(RedisSettings { credentials, ..RedisSettings::new(redis.url()) }).unwrap();
    assert!(cache.answers_within(WITHIN).await);
    let before = connections(&redis).await;
    let times = async || {
        let stats = redis.text("INFO commandstats").await.unwrap();
        let line = stats.lines().find_map(|line| line.strip_prefix("cmdstat_auth:calls=")).unwrap_or("0,").to_owned();
        line.split(',').next().unwrap().parse::<u32>().unwrap()
    };
    until("AUTH came five times", async || times().await >= 5).await;
    assert_eq!((before.len(), connections(&redis).await), (1, before), "the same connection");
}

/// What Terraform gives the user of lookup in ElastiCache.
fn rights() -> String {
    let text = include_str!("../../../../terraform/aws/cache.tf");
    let line = text.lines().find_map(|line| line.trim().strip_prefix("access_string = ")).unwrap();
    line.trim_matches('"').to_owned()
}

#[tokio::test]
async fn the_rights_of_terraform_are_enough_for_a_node_and_for_a_cluster() {
    let cloud = Cloud::start().await;
    let alone = vec![Redis::start(cloud.dir.path()).await.unwrap()];
    for nodes in [alone, RedisCluster::start(cloud.dir.path()).await.unwrap().nodes] {
        for node in &nodes {
            let user = format!("ACL SETUSER lookup {} >secret", rights());
            assert_eq!(node.command(&user).await.unwrap(), "OK");
        }
        let url = format!("redis://lookup:secret@127.0.0.1:{}", nodes[0].port());
        let keys: Vec<&String> = cloud.rows.keys().take(60).collect();
        let first = cloud.serve_with(&[("REDIS_URL", &url)]).await;
        first.batch(PACKED, serde_json::json!({"keys": keys}).to_string()).await;
        until("every row is in Redis", async || {
            let mut rows = 0;
            for node in &nodes {
                rows += node.command("DBSIZE").await.unwrap().parse::<usize>().unwrap();
            }
            rows == keys.len()
        })
        .await;
        let second = cloud.serve_with(&[("REDIS_URL", &url)]).await;
        for key in &keys[..20] {
            let key = percent_encoding::utf8_percent_encode(key, percent_encoding::NON_ALPHANUMERIC);
            assert_eq!(from(&second, &format!("/v1/{PACKED}/{key}")).await, "redis", "{} nodes", nodes.len());
        }
        for server in [&first, &second] {
            assert!(!server.process.log().contains("NOPERM"), "{}", server.process.log());
        }
    }
}

#[tokio::test]
async fn what_redis_refuses_stands_once_in_the_log_with_what_helps() {
    let cloud = Cloud::start().await;
    let redis = Redis::start(cloud.dir.path()).await.unwrap();
    assert_eq!(redis.command("ACL SETUSER default -get -set").await.unwrap(), "OK");
    let server = cloud.serve_with(&[("REDIS_URL", &redis.url())]).await;
    for n in 0..10 {
        assert_eq!(from(&server, &format!("/v1/{OBJECTS}/user-{n}")).await, "s3");
    }
    let lines = server.log();
    let refusals: Vec<_> = lines.iter().filter(|line| line["code"] == "NOPERM").collect();
    assert_eq!(refusals.len(), 1, "{refusals:?}");
    let told = refusals[0]["message"].as_str().unwrap();
    assert!(refusals[0]["level"] == "WARN" && told.contains("needs the commands GET, SET and CLUSTER SLOTS"), "{told}");
}
