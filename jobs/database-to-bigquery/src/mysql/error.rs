//! What the server's errors mean for a table. Source: MySQL 8.0 and MariaDB 10.11, "Server error message reference".

use mysql_async::{DriverError, Error, IoError};

use crate::order::ReadError;

/// The snapshot is older than the table's definition.
const TABLE_DEF_CHANGED: u16 = 1412;
/// A column went between the catalog and the rows, or a table is just being exchanged.
const BAD_FIELD: u16 = 1054;
const LOCK_WAIT_TIMEOUT: u16 = 1205;
/// Shutdown, lost connections, killed ones, a replica that goes away.
const INTERRUPTED: [u16; 8] = [1040, 1053, 1077, 1152, 1158, 1159, 1160, 1161];
const QUERY_INTERRUPTED: u16 = 1317;
/// `max_execution_time` of MySQL, `max_statement_time` of MariaDB.
const STATEMENT_LIMITS: [u16; 2] = [3024, 1969];

pub fn read_error(error: Error) -> ReadError {
    let server = match &error {
        Error::Server(server) => server,
        // What TLS finds wrong stays wrong.
        Error::Io(IoError::Io(io)) if io.kind() == std::io::ErrorKind::InvalidData => {
            return ReadError::Other(error.into());
        }
        Error::Io(IoError::Io(_)) | Error::Driver(DriverError::ConnectionClosed) => {
            return ReadError::Interrupted(error.into());
        }
        _ => return ReadError::Other(error.into()),
    };
    match server.code {
        TABLE_DEF_CHANGED | BAD_FIELD => ReadError::Altered(error.into()),
        LOCK_WAIT_TIMEOUT => {
            let why = "another statement holds the table, such as an ALTER TABLE";
            ReadError::Interrupted(anyhow::Error::from(error).context(why))
        }
        code if STATEMENT_LIMITS.contains(&code) => ReadError::TooLong,
        QUERY_INTERRUPTED => ReadError::Interrupted(error.into()),
        code if INTERRUPTED.contains(&code) => ReadError::Interrupted(error.into()),
        _ => ReadError::Other(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use mysql_async::ServerError;

    use super::*;

    #[test]
    fn each_error_says_whether_another_time_may_do() {
        let of = |code| {
            let (message, state) = ("why".into(), "HY000".into());
            read_error(Error::Server(ServerError { code, message, state }))
        };
        assert!(matches!(of(1412), ReadError::Altered(_)));
        assert!(matches!(of(1205), ReadError::Interrupted(_)));
        assert!(matches!(of(1053), ReadError::Interrupted(_)));
        assert!(matches!((of(3024), of(1969)), (ReadError::TooLong, ReadError::TooLong)));
        // Denied, and no such table.
        assert!(matches!((of(1142), of(1146)), (ReadError::Other(_), ReadError::Other(_))));
    }
}
