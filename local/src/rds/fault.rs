//! The errors of RDS, by their codes on the wire.
//! Source: the RDS API model (version 2014-10-31), `error.code` and `httpStatusCode` of each fault.

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) status: u16,
    pub(super) code: String,
    pub(super) message: String,
}

/// What a sixth export, and a second one of the same snapshot, answer is written nowhere [unverified]. The model has no
/// fault for the first, so this name is ours: callers must take an unknown code for "not now", not for "never".
pub(super) const TOO_MANY_EXPORTS: &str = "ExportTaskLimitReachedFault";

/// Codes that the model gives 404; the others are 400.
const NOT_FOUND: [&str; 6] = [
    "DBClusterNotFoundFault",
    "DBClusterSnapshotNotFoundFault",
    "DBSnapshotNotFound",
    "ExportTaskNotFound",
    "IamRoleNotFound",
    "ResourceNotFoundFault",
];

impl Fault {
    pub(super) fn new(code: &str, message: impl Into<String>) -> Self {
        let status = if NOT_FOUND.contains(&code) { 404 } else { 400 };
        Self { status, code: code.to_owned(), message: message.into() }
    }

    /// Not in the model: SDKs hand it out as unhandled.
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new("InvalidParameterValue", message)
    }
}
