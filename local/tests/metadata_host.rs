//! `GCE_METADATA_HOST` is the whole process's: this binary has one test.
#![allow(clippy::unwrap_used)]

use google_cloud_auth::credentials::idtoken;
use local::metadata::{Metadata, ServiceAccount};

#[test]
fn googles_client_finds_the_server_by_its_variable() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let account = ServiceAccount { email: "loader@local".into(), unique_id: "1170001".into() };
    let metadata = runtime.block_on(Metadata::start(account)).unwrap();
    #[allow(unsafe_code)]
    // SAFETY: no other thread of this process reads or writes variables now.
    unsafe {
        std::env::set_var("GCE_METADATA_HOST", metadata.host());
    }
    let _guard = runtime.enter(); // the client refreshes in the background
    let client = idtoken::mds::Builder::new("a").with_endpoint("http://127.0.0.1:9").build().unwrap();
    let token = runtime.block_on(client.id_token()).unwrap();
    assert_eq!(metadata.issuer().verify(&token).unwrap()["sub"], "1170001");
}
