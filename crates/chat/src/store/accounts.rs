//! Users in SQL.

use crate::error::{Error, Result};
use crate::sql::{Column, Kind, Misfit, Parameter, Row, Sql, SqlError, SqlResult, Stored, Value, params};
use crate::stream::{RoomKey, UserKey};
use crate::text::Name;
use crate::token::new_id;
use protocol::{Role, User, UserId};
use uuid::Uuid;

/// Makes a key of ours known to statements: a number in both databases.
macro_rules! key {
    ($key:ident) => {
        impl Parameter for $key {
            const KIND: Kind = Kind::Int;

            fn value(&self) -> Value<'_> {
                Value::Int(self.0)
            }
        }

        impl Column for $key {
            fn read(stored: Stored<'_>) -> std::result::Result<Self, Misfit> {
                i64::read(stored).map($key)
            }
        }
    };
}

key!(UserKey);
key!(RoomKey);

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
pub(crate) const COLUMNS: &str =
    "u.key, u.id as user_id, u.name as user_name, u.password, u.role as server_role, u.created_at";
/// The columns that [`user`] reads, of the table `u`.
pub(crate) const USER_COLUMNS: &str =
    "u.id as user_id, u.name as user_name, u.password is null as user_guest";

pub(crate) fn account(row: &Row<'_>) -> SqlResult<AccountRow> {
    let key = row.get("key")?;
    let (id, name) = (UserId::new(row.get("user_id")?), row.get("user_name")?);
    let password: Option<String> = row.get("password")?;
    Ok(AccountRow {
        key,
        user: User { id, name, guest: password.is_none() },
        password,
        role: role(row, "server_role")?,
        created_at: row.get("created_at")?,
    })
}

/// Reads [`USER_COLUMNS`].
pub(crate) fn user(row: &Row<'_>) -> SqlResult<User> {
    let (id, name) = (UserId::new(row.get("user_id")?), row.get("user_name")?);
    Ok(User { id, name, guest: row.get("user_guest")? })
}

/// Stands for a user who is not there, or cannot be read.
pub(crate) fn nobody() -> User {
    User { id: UserId::new(Uuid::nil()), name: "?".to_owned(), guest: true }
}

/// The role that a column names.
pub(crate) fn role(row: &Row<'_>, column: &str) -> SqlResult<Role> {
    let name: String = row.get(column)?;
    role_named(&name).ok_or_else(|| SqlError::value(column, "names no role"))
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
    sql: Sql<'_>,
    name: &Name,
    role: Role,
    password: Option<&str>,
    now: i64,
) -> Result<AccountRow> {
    let id = UserId::new(new_id());
    let inserted = sql.one(
        "insert into users (id, name, folded, role, password, created_at) values (?1, ?2, ?3, ?4, ?5, ?6)
         returning key",
        params![id.uuid(), name.shown(), name.folded(), role_name(role), password, now],
        |row| row.get("key"),
    );
    match inserted {
        Err(error) if error.violates("users.folded", "users_registered_name") => {
            Err(Error::NameTaken(name.shown().to_owned()))
        }
        Err(error) => Err(error.into()),
        Ok(key) => Ok(AccountRow {
            key: key.ok_or_else(|| SqlError::NoColumn("key".to_owned()))?,
            user: User { id, name: name.shown().to_owned(), guest: password.is_none() },
            role,
            password: password.map(str::to_owned),
            created_at: now,
        }),
    }
}

pub(crate) fn find_registered(sql: Sql<'_>, folded: &str) -> Result<Option<AccountRow>> {
    let text = format!("select {COLUMNS} from users u where u.folded = ?1 and u.password is not null");
    Ok(sql.one(&text, params![folded], account)?)
}

pub(crate) fn find(sql: Sql<'_>, id: UserId) -> Result<Option<AccountRow>> {
    let text = format!("select {COLUMNS} from users u where u.id = ?1");
    Ok(sql.one(&text, params![id.uuid()], account)?)
}

/// Whether the name belongs to an account, or to a guest whose session lives, other than `but`.
pub(crate) fn is_reserved(sql: Sql<'_>, folded: &str, but: Option<UserId>, now: i64) -> Result<bool> {
    Ok(sql.exists(
        "select 1 from users u where u.folded = ?1 and u.id is distinct from ?2
         and (u.password is not null
              or exists (select 1 from sessions s where s.user = u.key and s.expires_at > ?3))",
        params![folded, but.map(UserId::uuid), now],
    )?)
}

pub(crate) fn key_of(sql: Sql<'_>, id: UserId) -> Result<Option<UserKey>> {
    Ok(sql.one("select key from users where id = ?1", params![id.uuid()], |row| row.get("key"))?)
}

pub(crate) fn has_owner(sql: Sql<'_>) -> Result<bool> {
    Ok(sql.exists("select 1 from users where role = 'owner'", params![])?)
}

/// Accounts whose folded name starts with `prefix`, after the name `after`, by name.
pub(crate) fn page(sql: Sql<'_>, prefix: &str, after: &str, limit: u32) -> Result<Vec<AccountRow>> {
    // The end of the range of names with this prefix: every character sorts before the last code point.
    let end = format!("{prefix}\u{10ffff}");
    let text = format!(
        "select {COLUMNS} from users u where u.password is not null and u.folded >= ?1 and u.folded < ?2
         and u.folded > ?3 order by u.folded limit ?4"
    );
    Ok(sql.all(&text, params![prefix, end, after, limit], account)?)
}
