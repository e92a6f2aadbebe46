//! What the server's errors mean for a table. Source: PostgreSQL 15, "PostgreSQL Error Codes".

use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

use crate::order::ReadError;

/// Shutdowns, lost connections, and a replica whose replay could not wait for us.
const INTERRUPTED: [&str; 8] = ["40001", "57P01", "57P02", "57P03", "57P05", "08006", "08003", "53300"];

pub fn read_error(error: Error) -> ReadError {
    let Some(code) = error.code().map(SqlState::code) else {
        // Our own side: the connection went away, or what came is no answer.
        return if lost(&error) { ReadError::Interrupted(error.into()) } else { ReadError::Other(error.into()) };
    };
    match code {
        // statement_timeout and idle_in_transaction_session_timeout, both of which are max_seconds.
        "57014" if !is_conflict(&error) => ReadError::TooLong,
        "25P03" => ReadError::TooLong,
        "42703" | "0A000" if is_stale_plan(&error) => ReadError::Altered(error.into()),
        "42703" => ReadError::Altered(error.into()),
        "55P03" => {
            let why = "another statement holds the table, such as an ALTER TABLE";
            ReadError::Interrupted(anyhow::Error::from(error).context(why))
        }
        _ if is_conflict(&error) => {
            let why = "the replica's replay could not wait for the transaction: raise max_standby_streaming_delay on \
                       the replica, or set hot_standby_feedback there";
            ReadError::Interrupted(anyhow::Error::from(error).context(why))
        }
        code if INTERRUPTED.contains(&code) => ReadError::Interrupted(error.into()),
        _ => ReadError::Other(error.into()),
    }
}

fn is_conflict(error: &Error) -> bool {
    error.as_db_error().is_some_and(|error| error.message().contains("conflict with recovery"))
}

fn is_stale_plan(error: &Error) -> bool {
    error.as_db_error().is_some_and(|error| error.message().contains("cached plan must not change"))
}

fn lost(error: &Error) -> bool {
    let io = std::error::Error::source(error).is_some_and(|source| {
        source.downcast_ref::<std::io::Error>().is_some_and(|io| io.kind() != std::io::ErrorKind::InvalidData)
    });
    error.is_closed() || io
}
