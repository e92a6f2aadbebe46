//! A connection of its own for each transaction.

use std::time::Duration;

use anyhow::anyhow;
use mysql_async::{Conn, OptsBuilder, SslOpts};
use tokio::time::timeout;

use super::error::read_error;
use crate::address::Server;
use crate::order::ReadError;

const CONNECT: Duration = Duration::from_secs(15);
const KEEPALIVE: Duration = Duration::from_secs(30);

pub async fn connect(server: &Server) -> Result<Conn, ReadError> {
    let address = &server.address;
    let password = server.login.password(address).await?;
    // Only certificates of the given authorities are trusted, and the host's name must be the certificate's.
    let tls = SslOpts::default().with_root_certs(vec![server.ca_file.clone().into()]).with_disable_built_in_roots(true);
    let options = OptsBuilder::default()
        .ip_or_hostname(&address.host)
        .tcp_port(address.port)
        .user(Some(&address.user))
        .pass(Some(password))
        .db_name(Some(&server.database))
        .prefer_socket(false)
        .tcp_keepalive(Some(KEEPALIVE))
        .stmt_cache_size(0)
        .ssl_opts(address.tls.then_some(tls))
        // IAM's token goes as it is, which only TLS makes safe; the settings refuse it without.
        .enable_cleartext_plugin(server.login.is_iam() && address.tls);
    let place = || server.to_string();
    let silent = || ReadError::Interrupted(anyhow!("no answer within {} s", CONNECT.as_secs()));
    let connected = timeout(CONNECT, Conn::new(options)).await.map_err(|_| silent());
    connected.and_then(|connected| connected.map_err(read_error)).map_err(|error| error.context(place()))
}
