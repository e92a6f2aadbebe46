/// Builds one of Google's REST clients, as every job does: its endpoint only where a private or regional one is set, the
/// credentials of the service account, and our retries, for as long as the job waits for an outage to end. A macro, since
/// the clients' builders share no trait.
#[macro_export]
macro_rules! client {
    ($client:ty, $endpoint:expr, $credentials:expr) => {
        $crate::client!($client, $endpoint, $credentials, $crate::RETRY_FOR)
    };
    ($client:ty, $endpoint:expr, $credentials:expr, $retry_for:expr) => {{
        use ::anyhow::Context as _;
        use ::google_cloud_gax::retry_policy::RetryPolicyExt as _;
        let builder = <$client>::builder()
            .with_credentials($credentials.clone())
            .with_retry_policy($crate::Transient.with_time_limit($retry_for))
            .with_backoff_policy($crate::backoff()?)
            .with_attempt_timeout($crate::ATTEMPT_TIMEOUT);
        let builder = match $endpoint {
            Some(endpoint) => builder.with_endpoint(endpoint),
            None => builder,
        };
        builder.build().await.context(concat!("build the client ", stringify!($client)))?
    }};
}
