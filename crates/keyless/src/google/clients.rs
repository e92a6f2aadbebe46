//! The same token for Google's own client libraries.

use google_cloud_auth::credentials::{CacheableResource, Credentials, CredentialsProvider, EntityTag};
use google_cloud_gax::error::CredentialsError;
use http::header::{AUTHORIZATION, HeaderMap, HeaderValue};

use super::Google;

impl Google {
    pub fn credentials_of_clients(&self) -> Credentials {
        Credentials::from(self.clone())
    }
}

impl CredentialsProvider for Google {
    /// Built anew for each request: the token is kept, and a header costs less than knowing whose copy is current.
    async fn headers(&self, _: http::Extensions) -> Result<CacheableResource<HeaderMap>, CredentialsError> {
        let token = self.token().await;
        let token = token.map_err(|error| CredentialsError::from_source(!error.is_permanent(), error))?;
        let value = HeaderValue::from_str(&format!("Bearer {}", token.token));
        let mut value = value.map_err(|error| CredentialsError::from_source(false, error))?;
        value.set_sensitive(true);
        let data = HeaderMap::from_iter([(AUTHORIZATION, value)]);
        Ok(CacheableResource::New { entity_tag: EntityTag::new(), data })
    }

    async fn universe_domain(&self) -> Option<String> {
        None
    }
}
