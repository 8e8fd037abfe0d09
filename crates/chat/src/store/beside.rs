//! Reading a database beside the server that may be running on it.

use super::migrations;
use super::opening::{Database, connect_beside};
use crate::error::DatabaseError;
use crate::sql::{Dialect, Postgres, Sql, params};

/// Runs `work` on a connection of its own that cannot change anything. All that `work` sees is of one moment.
pub(super) fn read<T>(
    database: &Database,
    work: impl FnOnce(Sql<'_>) -> Result<T, DatabaseError>,
) -> Result<T, DatabaseError> {
    match database {
        Database::File(path) => {
            let connection = connect_beside(path)?;
            let sql = Sql::from(&connection);
            sql.run("begin", params![])?;
            work(sql)
        }
        Database::Postgres(address) => {
            let session = Postgres::connect(address)?;
            session.begin_lazily("begin isolation level repeatable read read only");
            let done = work((&session).into());
            session.close();
            done
        }
    }
}

/// The version of the tables, if this program knows it.
pub(super) fn schema(sql: Sql<'_>) -> Result<u32, DatabaseError> {
    let found = match sql {
        Sql::Sqlite(sqlite) => migrations::schema(sqlite.connection())?,
        Sql::Postgres(_) => migrations::postgres::schema(sql)?,
    };
    known(found, sql.dialect())
}

/// The version that was found, if there are tables and this program knows their version.
pub(super) fn known(found: Option<u32>, dialect: Dialect) -> Result<u32, DatabaseError> {
    let (found, known) = (found.ok_or(DatabaseError::Foreign)?, migrations::known(dialect));
    if found > known { Err(DatabaseError::Newer { found, known }) } else { Ok(found) }
}

/// What a PostgreSQL server says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerFacts {
    /// Its version, such as `17.2`.
    pub version: String,
    /// The first part of its version.
    pub major: u32,
    /// Whether it mends pages of which a power cut left only a part on the disk.
    pub full_page_writes: bool,
    /// The bytes that the database takes on the server's disk.
    pub bytes: u64,
}

/// What the server says of itself; none for a file.
pub(super) fn server(sql: Sql<'_>) -> Result<Option<ServerFacts>, DatabaseError> {
    if sql.dialect() == Dialect::Sqlite {
        return Ok(None);
    }
    let text = "select current_setting('server_version') as version,
                       cast(current_setting('server_version_num') as bigint) as number,
                       current_setting('full_page_writes') = 'on' as full_page_writes,
                       pg_database_size(current_database()) as bytes";
    Ok(sql.one(text, params![], |row| {
        Ok(ServerFacts {
            version: row.get("version")?,
            major: row.get::<u32>("number")? / 10_000,
            full_page_writes: row.get("full_page_writes")?,
            bytes: row.get("bytes")?,
        })
    })?)
}
