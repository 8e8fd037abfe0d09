//! Users: the owner, members, guests.

use crate::caller::Caller;
use crate::chat::Chat;
use crate::error::{Error, Result};
use crate::memberships;
use crate::pages::{PAGE, after};
use crate::sessions::{self, NewSession};
use crate::store::accounts::{self, AccountRow};
use crate::store::invites;
use crate::text::{Name, check_password, fold};
use crate::token::Token;
use protocol::frame::UserPage;
use protocol::{Role, User, Verb};

/// An account as the operator sees it.
#[derive(Debug, Clone)]
pub struct Account {
    /// Who it is.
    pub user: User,
    /// What they may do on this server.
    pub role: Role,
    /// When it was made, in milliseconds since 1970 UTC.
    pub created_at: i64,
}

impl From<AccountRow> for Account {
    fn from(row: AccountRow) -> Self {
        Self { user: row.user, role: row.role, created_at: row.created_at }
    }
}

impl Chat {
    /// Whether the server still waits for its owner.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn waits_for_owner(&self) -> Result<bool> {
        self.read(|sql| Ok(!accounts::has_owner(sql)?)).await
    }

    /// Makes the first owner and signs them in.
    ///
    /// # Errors
    /// `LinkSpent` when there is an owner already, however many ask at once; `Invalid` for a bad name or password.
    pub async fn set_up(&self, name: &str, password: &str) -> Result<NewSession> {
        let name = Name::new("name", name)?;
        let hash = self.hash(password).await?;
        let now = self.now();
        self.write(move |tx| {
            if accounts::has_owner(tx.sql)? {
                return Err(Error::LinkSpent);
            }
            let account = accounts::insert(tx.sql, &name, Role::Owner, Some(&hash), now)?;
            sessions::start(tx, account)
        })
        .await
    }

    /// Makes an account with an invite, joins the invite's room, and signs in. A guest may keep their name: their session
    /// as a guest ends.
    ///
    /// # Errors
    /// `LinkSpent`, `NameTaken`, `Invalid`. A use of the invite is counted only when the account was made.
    pub async fn sign_up(
        &self,
        guest: Option<&Caller>,
        invite: &str,
        name: &str,
        password: &str,
    ) -> Result<NewSession> {
        let guest = guest.filter(|caller| caller.user().guest).cloned();
        let name = Name::new("name", name)?;
        check_password(password)?;
        let (token, now) = (Token::hash(invite), self.now());
        // Looked up before the hashing, so that guessing links costs the guesser more than the server.
        self.read(move |sql| invites::find(sql, token, now)?.map(drop).ok_or(Error::LinkSpent)).await?;
        let hash = self.hash(password).await?;
        self.write(move |tx| {
            let invite = invites::find(tx.sql, token, now)?.ok_or(Error::LinkSpent)?;
            let themselves = guest.as_ref().map(|guest| guest.user().id);
            if accounts::is_reserved(tx.sql, name.folded(), themselves, now)? {
                return Err(Error::NameTaken(name.shown().to_owned()));
            }
            let account = accounts::insert(tx.sql, &name, Role::Member, Some(&hash), now)?;
            if let Some(guest) = &guest {
                sessions::end(tx, guest)?;
            }
            invites::count_use(tx.sql, invite.key)?;
            let session = sessions::start(tx, account.clone())?;
            memberships::join_by_invite(tx, &invite, &account)?;
            Ok(session)
        })
        .await
    }

    /// Lets somebody in without an account, under a name that nobody owns.
    ///
    /// # Errors
    /// `NameTaken` when it is an account's or a living guest's; `Invalid` for a bad name.
    pub async fn come_in(&self, name: &str) -> Result<NewSession> {
        let name = Name::new("name", name)?;
        let now = self.now();
        self.write(move |tx| {
            if accounts::is_reserved(tx.sql, name.folded(), None, now)? {
                return Err(Error::NameTaken(name.shown().to_owned()));
            }
            let account = accounts::insert(tx.sql, &name, Role::Guest, None, now)?;
            sessions::start(tx, account)
        })
        .await
    }

    /// Makes an account, for the operator.
    ///
    /// # Errors
    /// `NameTaken`, `Invalid`.
    pub async fn add_user(&self, name: &str, password: &str, role: Role) -> Result<Account> {
        let name = Name::new("name", name)?;
        if role == Role::Guest {
            return Err(Error::invalid("role", "guest", "A guest has no account. Choose another role."));
        }
        let hash = self.hash(password).await?;
        let now = self.now();
        let row = self.write(move |tx| {
            if accounts::is_reserved(tx.sql, name.folded(), None, now)? {
                return Err(Error::NameTaken(name.shown().to_owned()));
            }
            accounts::insert(tx.sql, &name, role, Some(&hash), now)
        });
        Ok(row.await?.into())
    }

    /// All accounts by name, for the operator. Guests have none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn accounts(&self) -> Result<Vec<Account>> {
        let rows = self.read(|sql| accounts::page(sql, "", "", u32::MAX)).await?;
        Ok(rows.into_iter().map(Account::from).collect())
    }

    /// Accounts whose name begins with `prefix`, by name.
    ///
    /// # Errors
    /// `Forbidden` to guests: the names of a community are not for everybody who walks by.
    pub async fn list_users(&self, caller: &Caller, prefix: &str, cursor: Option<&str>) -> Result<UserPage> {
        caller.must(Verb::FindPeople, false)?;
        let (prefix, after) = (fold(prefix), after(cursor)?);
        let mut rows = self.read(move |sql| accounts::page(sql, &prefix, &after, PAGE + 1)).await?;
        let more = rows.len() > PAGE as usize;
        rows.truncate(PAGE as usize);
        let next = rows.last().filter(|_| more).map(|row| fold(&row.user.name));
        Ok(UserPage { users: rows.into_iter().map(|row| row.user).collect(), next })
    }

    async fn hash(&self, password: &str) -> Result<String> {
        check_password(password)?;
        self.0.passwords.hash(password.to_owned()).await
    }
}
