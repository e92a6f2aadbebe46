//! Cloud Storage, as far as it goes.

use local::storage::Storage;
use reqwest::StatusCode;

async fn answer(storage: &Storage, path: &str, token: Option<&str>) -> (StatusCode, String) {
    let request = reqwest::Client::new().get(format!("{}{path}", storage.endpoint()));
    let request = token.into_iter().fold(request, reqwest::RequestBuilder::bearer_auth);
    let answer = request.send().await.unwrap();
    (answer.status(), answer.text().await.unwrap())
}

#[tokio::test]
async fn an_object_is_read_by_its_encoded_name_and_only_by_whoever_is_known() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("bucket")).unwrap();
    std::fs::create_dir(folder.path().join("bucket/dbt")).unwrap();
    std::fs::write(folder.path().join("bucket/dbt/gates.json"), "{}").unwrap();
    std::fs::write(folder.path().join("outside"), "no object").unwrap();
    let storage = Storage::start("config", &folder.path().join("bucket")).await.unwrap();
    let object = "/storage/v1/b/config/o/dbt%2Fgates.json?alt=media";
    assert_eq!(answer(&storage, object, Some("t")).await, (StatusCode::OK, "{}".into()));
    assert_eq!(answer(&storage, object, None).await.0, StatusCode::UNAUTHORIZED);
    for (wrong, status) in [
        ("/storage/v1/b/config/o/dbt/gates.json?alt=media", StatusCode::NOT_FOUND), // a slash ends a segment
        ("/storage/v1/b/other/o/dbt%2Fgates.json?alt=media", StatusCode::NOT_FOUND),
        ("/storage/v1/b/config/o/dbt%2Fresults.json?alt=media", StatusCode::NOT_FOUND),
        ("/storage/v1/b/config/o/..%2Foutside?alt=media", StatusCode::NOT_FOUND),
        ("/storage/v1/b/config/o/dbt%2Fgates.json", StatusCode::NOT_IMPLEMENTED),
    ] {
        assert_eq!(answer(&storage, wrong, Some("t")).await.0, status, "{wrong}");
    }
}
