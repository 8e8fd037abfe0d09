//! Users in SQL.

use crate::error::{Error, Result};
use crate::stream::UserKey;
use crate::text::Name;
use crate::token::new_id;
use protocol::{Role, User, UserId};
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, OptionalExtension, Row, params};
use uuid::Uuid;

impl ToSql for UserKey {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        self.0.to_sql()
    }
}

impl FromSql for UserKey {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value.as_i64().map(UserKey)
    }
}

/// A column of 16 bytes that names something.
pub(crate) struct Id(pub(crate) Uuid);

impl ToSql for Id {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(ValueRef::Blob(self.0.as_bytes())))
    }
}

impl FromSql for Id {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Uuid::from_slice(value.as_blob()?).map(Id).map_err(|error| FromSqlError::Other(Box::new(error)))
    }
}

/// An account or guest, with what only the server sees: never printed.
#[derive(Clone)]
pub(crate) struct AccountRow {
    pub(crate) key: UserKey,
    pub(crate) user: User,
    pub(crate) role: Role,
    pub(crate) password: Option<String>,
    pub(crate) created_at: i64,
}

/// The columns that [`account`] reads, of the table `u`.
pub(crate) const COLUMNS: &str = "u.key, u.id, u.name, u.password, u.role, u.created_at";
/// The columns that [`user`] reads, of the table `u`.
pub(crate) const USER_COLUMNS: &str = "u.id, u.name, u.password is null";

pub(crate) fn account(row: &Row<'_>) -> rusqlite::Result<AccountRow> {
    let password: Option<String> = row.get(3)?;
    Ok(AccountRow {
        key: row.get(0)?,
        user: User { id: UserId::new(row.get::<_, Id>(1)?.0), name: row.get(2)?, guest: password.is_none() },
        role: role(row, 4)?,
        password,
        created_at: row.get(5)?,
    })
}

/// Reads [`USER_COLUMNS`] from column `at` on.
pub(crate) fn user(row: &Row<'_>, at: usize) -> rusqlite::Result<User> {
    Ok(User { id: UserId::new(row.get::<_, Id>(at)?.0), name: row.get(at + 1)?, guest: row.get(at + 2)? })
}

/// Stands for a user who is not there, or cannot be read.
pub(crate) fn nobody() -> User {
    User { id: UserId::new(Uuid::nil()), name: "?".to_owned(), guest: true }
}

pub(crate) fn role(row: &Row<'_>, at: usize) -> rusqlite::Result<Role> {
    let name: String = row.get(at)?;
    role_named(&name).ok_or_else(|| {
        rusqlite::Error::FromSqlConversionFailure(
            at,
            rusqlite::types::Type::Text,
            format!("no role {name}").into(),
        )
    })
}

pub(crate) const fn role_name(role: Role) -> &'static str {
    match role {
        Role::Guest => "guest",
        Role::Member => "member",
        Role::Moderator => "moderator",
        Role::Admin => "admin",
        Role::Owner => "owner",
    }
}

fn role_named(name: &str) -> Option<Role> {
    [Role::Guest, Role::Member, Role::Moderator, Role::Admin, Role::Owner]
        .into_iter()
        .find(|role| role_name(*role) == name)
}

pub(crate) fn insert(
    sql: &Connection,
    name: &Name,
    role: Role,
    password: Option<&str>,
    now: i64,
) -> Result<AccountRow> {
    let id = UserId::new(new_id());
    let inserted = sql
        .prepare_cached("insert into users (id, name, folded, role, password, created_at) values (?1, ?2, ?3, ?4, ?5, ?6)")?
        .insert(params![Id(id.uuid()), name.shown(), name.folded(), role_name(role), password, now]);
    match inserted {
        Err(error) if super::is_unique(&error, "users.folded") => {
            Err(Error::NameTaken(name.shown().to_owned()))
        }
        Err(error) => Err(error.into()),
        Ok(key) => Ok(AccountRow {
            key: UserKey(key),
            user: User { id, name: name.shown().to_owned(), guest: password.is_none() },
            role,
            password: password.map(str::to_owned),
            created_at: now,
        }),
    }
}

pub(crate) fn find_registered(sql: &Connection, folded: &str) -> Result<Option<AccountRow>> {
    Ok(sql
        .prepare_cached(&format!(
            "select {COLUMNS} from users u where u.folded = ?1 and u.password is not null"
        ))?
        .query_row([folded], account)
        .optional()?)
}

pub(crate) fn find(sql: &Connection, id: UserId) -> Result<Option<AccountRow>> {
    Ok(sql
        .prepare_cached(&format!("select {COLUMNS} from users u where u.id = ?1"))?
        .query_row([Id(id.uuid())], account)
        .optional()?)
}

/// Whether the name belongs to an account, or to a guest whose session lives, other than `but`.
pub(crate) fn is_reserved(sql: &Connection, folded: &str, but: Option<UserId>, now: i64) -> Result<bool> {
    Ok(sql
        .prepare_cached(
            "select exists (select 1 from users u where u.folded = ?1 and u.id is not ?2
             and (u.password is not null
                  or exists (select 1 from sessions s where s.user = u.key and s.expires_at > ?3)))",
        )?
        .query_row(params![folded, but.map(|id| Id(id.uuid())), now], |row| row.get(0))?)
}

pub(crate) fn key_of(sql: &Connection, id: UserId) -> Result<Option<UserKey>> {
    Ok(sql
        .prepare_cached("select key from users where id = ?1")?
        .query_row([Id(id.uuid())], |row| row.get(0))
        .optional()?)
}

pub(crate) fn has_owner(sql: &Connection) -> Result<bool> {
    Ok(sql.query_row("select exists (select 1 from users where role = 'owner')", [], |row| row.get(0))?)
}

/// Accounts whose folded name starts with `prefix`, after the name `after`, by name.
pub(crate) fn page(sql: &Connection, prefix: &str, after: &str, limit: u32) -> Result<Vec<AccountRow>> {
    // The end of the range of names with this prefix: every character sorts before the last code point.
    let end = format!("{prefix}\u{10ffff}");
    let mut found = sql.prepare_cached(&format!(
        "select {COLUMNS} from users u where u.password is not null and u.folded >= ?1 and u.folded < ?2
         and u.folded > ?3 order by u.folded limit ?4"
    ))?;
    let rows = found.query_map(params![prefix, end, after, limit], account)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
