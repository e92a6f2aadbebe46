//! The metadata server against Google's own client.

use std::time::Duration;

use google_cloud_auth::credentials::{idtoken, mds};
use local::metadata::{Metadata, ServiceAccount};
use reqwest::StatusCode;

async fn metadata() -> Metadata {
    let account = ServiceAccount { email: "loader@local.iam.gserviceaccount.com".into(), unique_id: "1170001".into() };
    Metadata::start(account).await.unwrap()
}

const DEFAULT: &str = "/computeMetadata/v1/instance/service-accounts/default";

async fn get(metadata: &Metadata, path: &str, flavor: Option<&str>) -> (StatusCode, String) {
    let request = reqwest::Client::new().get(format!("{}{path}", metadata.endpoint()));
    let request = flavor.into_iter().fold(request, |request, flavor| request.header("Metadata-Flavor", flavor));
    let answer = request.send().await.unwrap();
    assert_eq!(answer.headers()["Metadata-Flavor"], "Google");
    (answer.status(), answer.text().await.unwrap())
}

#[tokio::test]
async fn googles_client_gets_an_identity_token_that_sts_can_check() {
    let metadata = metadata().await;
    let client = idtoken::mds::Builder::new("isthmus-prod")
        .with_endpoint(metadata.endpoint())
        .with_format(idtoken::mds::Format::Full)
        .build()
        .unwrap();
    let claims = metadata.issuer().verify(&client.id_token().await.unwrap()).unwrap();
    assert_eq!(claims["iss"], "https://accounts.google.com");
    assert_eq!(claims["aud"], "isthmus-prod");
    assert_eq!((claims["azp"].as_str(), claims["sub"].as_str()), (Some("1170001"), Some("1170001")));
    assert_eq!(claims["email"], "loader@local.iam.gserviceaccount.com");
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 3600);
}

#[tokio::test]
async fn googles_client_gets_an_access_token() {
    let metadata = metadata().await;
    let builder = mds::Builder::default().with_endpoint(metadata.endpoint());
    let token = builder.build_access_token_credentials().unwrap().access_token().await.unwrap();
    assert!(token.token.starts_with("ya29.local-"));
}

#[tokio::test]
async fn the_standard_format_has_no_email() {
    let metadata = metadata().await;
    let (_, token) = get(&metadata, &format!("{DEFAULT}/identity?audience=a"), Some("Google")).await;
    let claims = metadata.issuer().verify(&token).unwrap();
    assert!(claims.get("email").is_none(), "{claims}");
}

#[tokio::test]
async fn a_token_may_be_short_lived() {
    let metadata = metadata().await;
    metadata.set_lifetime(Duration::from_mins(4));
    let (_, token) = get(&metadata, &format!("{DEFAULT}/identity?audience=a&format=full"), Some("Google")).await;
    let claims = metadata.issuer().verify(&token).unwrap();
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 240);
}

#[tokio::test]
async fn a_request_without_the_flavor_header_is_refused() {
    let metadata = metadata().await;
    let path = format!("{DEFAULT}/email");
    assert_eq!(get(&metadata, &path, None).await.0, StatusCode::FORBIDDEN);
    assert_eq!(get(&metadata, &path, Some("Amazon")).await.0, StatusCode::FORBIDDEN);
    let answer = get(&metadata, &path, Some("Google")).await;
    assert_eq!(answer, (StatusCode::OK, "loader@local.iam.gserviceaccount.com".into()));
}

#[tokio::test]
async fn an_identity_needs_an_audience() {
    let answer = get(&metadata().await, &format!("{DEFAULT}/identity?format=full"), Some("Google")).await;
    assert_eq!(answer, (StatusCode::BAD_REQUEST, "non-empty audience parameter required".into()));
}

#[tokio::test]
async fn what_clients_ask_about_the_place_is_answered() {
    let metadata = metadata().await;
    for (path, answer) in [
        ("universe/universe-domain", "googleapis.com"),
        ("project/project-id", "isthmus-local"),
        ("project/numeric-project-id", "123456789012"),
        ("instance/region", "projects/123456789012/regions/asia-northeast1"),
    ] {
        let path = format!("/computeMetadata/v1/{path}");
        assert_eq!(get(&metadata, &path, Some("Google")).await, (StatusCode::OK, answer.into()), "{path}");
    }
    assert_eq!(get(&metadata, "/", None).await.0, StatusCode::OK);
    assert_eq!(get(&metadata, "/computeMetadata/v1/nowhere", Some("Google")).await.0, StatusCode::NOT_FOUND);
    let keys = reqwest::get(format!("{}/jwks", metadata.endpoint())).await.unwrap().text().await.unwrap();
    assert!(keys.contains("\"kty\":\"RSA\""), "{keys}");
}
