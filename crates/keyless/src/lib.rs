//! One cloud's identity for the other's credentials, without any key that could be lost. See `docs/spec/keyless.md`.
//!
//! [`aws`] gives a program on Google Cloud the credentials of an AWS role; [`google`] gives a program on AWS the access
//! token of a Google service account. Each is a feature, so that a program links only what it needs.

#[cfg(feature = "aws")]
pub mod aws;
#[cfg(feature = "google")]
pub mod google;
