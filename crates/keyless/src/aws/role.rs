use std::fmt;
use std::str::FromStr;

/// `arn:aws:iam::123456789012:role/name`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleArn(String);

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0:?} is not the ARN of a role, such as arn:aws:iam::123456789012:role/name")]
pub struct InvalidRoleArn(String);

impl RoleArn {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RoleArn {
    type Err = InvalidRoleArn;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let words: Vec<&str> = text.splitn(6, ':').collect();
        let is_role = match words[..] {
            ["arn", partition, "iam", "", account, resource] => {
                let twelve_digits = account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
                let name = resource.strip_prefix("role/").unwrap_or_default();
                partition.starts_with("aws") && twelve_digits && !name.is_empty() && !name.contains(char::is_whitespace)
            }
            _ => false,
        };
        is_role.then(|| Self(text.to_owned())).ok_or_else(|| InvalidRoleArn(text.to_owned()))
    }
}

impl fmt::Display for RoleArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// 2 to 64 letters, digits and `_ + = , . @ -`.
/// Source: AWS STS API reference, `AssumeRoleWithWebIdentity`, `RoleSessionName`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionName(String);

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("session name {0:?} must be 2 to 64 letters, digits and any of _+=,.@-")]
pub struct InvalidSessionName(String);

impl SessionName {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SessionName {
    type Err = InvalidSessionName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_+=,.@-".contains(&b);
        let valid = (2..=64).contains(&text.len()) && text.bytes().all(allowed);
        valid.then(|| Self(text.to_owned())).ok_or_else(|| InvalidSessionName(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_arn_of_a_role_is_taken() {
        for good in ["arn:aws:iam::123456789012:role/isthmus", "arn:aws-cn:iam::123456789012:role/path/name"] {
            assert_eq!(good.parse::<RoleArn>().unwrap().as_str(), good);
        }
        for bad in [
            "isthmus",
            "",
            "arn:aws:iam::12345:role/x",
            "arn:aws:iam::123456789012:user/x",
            "arn:aws:iam::123456789012:role/",
            "arn:aws:sts::123456789012:role/x",
            "arn:aws:iam::123456789012:role/x y",
        ] {
            assert_eq!(bad.parse::<RoleArn>(), Err(InvalidRoleArn(bad.into())));
        }
    }

    #[test]
    fn a_session_name_is_one_that_sts_takes() {
        assert!("load-export".parse::<SessionName>().is_ok());
        for bad in ["x", "", "load export", "本番", &"x".repeat(65)] {
            assert_eq!(bad.parse::<SessionName>(), Err(InvalidSessionName(bad.into())));
        }
    }
}
