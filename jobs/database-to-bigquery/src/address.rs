//! Where a database is, and how the program proves there who it is.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Context, Result};
use aws_config::SdkConfig;
use percent_encoding::percent_decode_str;

use crate::extracts::Engine;
use crate::iam;

/// `mysql://isthmus@reader.example.com:3306/shop`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    pub engine: Engine,
    pub user: String,
    pub host: String,
    pub port: u16,
    /// The list's name of the database where it is left out.
    pub database: Option<String>,
    /// Always, but to this machine where it says `?tls=off`: there a proxy or a tunnel goes on with TLS of its own.
    pub tls: bool,
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (scheme, rest) = text.split_once("://").ok_or_else(|| wrong("it has no scheme"))?;
        let (engine, port) = match scheme {
            "mysql" => (Engine::Mysql, 3306),
            "postgres" | "postgresql" => (Engine::Postgres, 5432),
            _ => return Err(wrong("its scheme is neither mysql nor postgres")),
        };
        let (user, rest) = rest.rsplit_once('@').ok_or_else(|| wrong("it names no user"))?;
        if user.contains(':') {
            return Err("holds a password, which belongs in a secret: set DATABASE_PASSWORD_{NAME}".to_owned());
        }
        let (rest, options) = rest.split_once('?').unwrap_or((rest, ""));
        let (place, database) = rest.split_once('/').unwrap_or((rest, ""));
        let (host, port) = match place.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().map_err(|_| wrong("its port is no number"))?),
            None => (place, port),
        };
        if host.is_empty() || user.is_empty() {
            return Err(wrong("it names no host or no user"));
        }
        let tls = match options {
            "" => true,
            "tls=off" if is_this_machine(host) => false,
            "tls=off" => return Err(format!("tls=off is for this machine only, not for {host}")),
            _ => return Err(wrong("it has an option that is not tls=off")),
        };
        let database = (!database.is_empty()).then(|| decoded(database)).transpose()?;
        Ok(Self { engine, user: decoded(user)?, host: host.to_owned(), port, database, tls })
    }
}

fn wrong(what: &str) -> String {
    format!("{what}: expected something like mysql://user@reader.example.com:3306/database")
}

fn decoded(text: &str) -> Result<String, String> {
    let decoded = percent_decode_str(text).decode_utf8().map_err(|_| wrong("it is not UTF-8"))?;
    Ok(decoded.into_owned())
}

fn is_this_machine(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}:{}", self.user, self.host, self.port)
    }
}

/// What a server asks for.
#[derive(Clone)]
pub enum Login {
    Password(String),
    /// Makes a token for each connection: it is good for 15 minutes.
    Iam(Box<SdkConfig>),
}

impl Login {
    pub async fn password(&self, address: &Address) -> Result<String> {
        match self {
            Self::Password(password) => Ok(password.clone()),
            Self::Iam(aws) => {
                let token = iam::token(aws, address).await;
                token.with_context(|| format!("make a token for {address} from the AWS credentials of the task"))
            }
        }
    }

    pub fn is_iam(&self) -> bool {
        matches!(self, Self::Iam(_))
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_iam() { "Iam" } else { "Password" })
    }
}

/// A database server as the program reaches it.
#[derive(Debug, Clone)]
pub struct Server {
    pub address: Address,
    pub login: Login,
    /// The certificates that a server's own may be signed by.
    pub ca_file: PathBuf,
    /// The database in the server.
    pub database: String,
}

/// What an error about the connection begins with.
impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "connect to {}", self.address)?;
        if self.address.tls {
            write!(f, " by TLS, trusting {} (DATABASE_CA_FILE)", self.ca_file.display())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_with_its_defaults() {
        let address: Address = "mysql://isthmus@reader.example.com/shop".parse().unwrap();
        assert_eq!((address.port, address.database.as_deref(), address.tls), (3306, Some("shop"), true));
        let address: Address = "postgres://a%40b@10.0.0.1:6432".parse().unwrap();
        assert_eq!((address.user.as_str(), address.port, address.database), ("a@b", 6432, None));
    }

    #[test]
    fn nothing_leaves_the_machine_without_tls_and_no_password_stands_in_an_address() {
        assert!(!"mysql://a@127.0.0.1:1/x?tls=off".parse::<Address>().unwrap().tls);
        let refused = |text: &str| text.parse::<Address>().unwrap_err();
        assert_eq!(
            refused("mysql://a@db.example.com/x?tls=off"),
            "tls=off is for this machine only, not for db.example.com"
        );
        assert!(refused("mysql://a:b@db.example.com/x").starts_with("holds a password"));
        for text in
            ["db.example.com", "mssql://a@b", "mysql://b", "mysql://a@b:x", "mysql://a@b/c?tls=no", "mysql://@b"]
        {
            assert!(refused(text).contains("expected something like mysql://"), "{text}");
        }
    }
}
