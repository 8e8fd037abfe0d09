//! Which life of the database this is, in SQL.

use crate::sql::{Sql, SqlResult, params};

/// None in a database just made.
pub(crate) fn find(sql: Sql<'_>) -> SqlResult<Option<String>> {
    sql.one("select value from meta where name = 'epoch'", params![], |row| row.get("value"))
}

pub(crate) fn insert(sql: Sql<'_>, epoch: &str) -> SqlResult<()> {
    sql.run("insert into meta (name, value) values ('epoch', ?1)", params![epoch]).map(drop)
}

pub(crate) fn renew(sql: Sql<'_>, epoch: &str) -> SqlResult<()> {
    sql.run("update meta set value = ?1 where name = 'epoch'", params![epoch]).map(drop)
}
