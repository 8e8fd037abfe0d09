//! Who is signed in.

use crate::caller::Caller;
use crate::chat::Chat;
use crate::error::{Error, Result};
use crate::limits::LOBBY;
use crate::memberships;
use crate::store::accounts::AccountRow;
use crate::store::{Tx, accounts, memberships as members, rooms, sessions};
use crate::stream::Committed;
use crate::text::fold;
use crate::token::Token;
use protocol::{Role, SessionId};

const DAY: i64 = 24 * 60 * 60 * 1000;
/// How long a login lasts without being used.
const SESSION: i64 = 90 * DAY;
/// How long a guest keeps name and place without coming back.
const GUEST_SESSION: i64 = 30 * DAY;

/// Sessions looked at and extended at a time.
const AT_ONCE: usize = 256;

/// A login just made.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// Who it is for.
    pub caller: Caller,
    /// Its secret, told this once.
    pub token: Token,
    /// When it ends unless used.
    pub expires_at: i64,
}

impl Chat {
    /// Signs in with a name and a password.
    ///
    /// # Errors
    /// `BadCredentials`, after the same time, for an unknown name as for a wrong password.
    pub async fn sign_in(&self, name: &str, password: &str) -> Result<NewSession> {
        let folded = fold(name);
        let found = self.read(move |sql| accounts::find_registered(sql, &folded)).await?;
        let kept = found.as_ref().and_then(|account| account.password.clone());
        let fits = self.0.passwords.verify(password.to_owned(), kept).await?;
        let account = found.filter(|_| fits).ok_or(Error::BadCredentials)?;
        self.write(move |tx| start(tx, account)).await
    }

    /// Who is behind a token; nobody once the session ended or expired.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn session(&self, token: &str) -> Result<Option<Caller>> {
        let (hash, now) = (Token::hash(token), self.now());
        let Some((id, expires_at, account)) = self.read(move |sql| sessions::find(sql, hash)).await? else {
            return Ok(None);
        };
        if expires_at <= now {
            return Ok(None);
        }
        if let Some(until) = extended(expires_at, account.role, now) {
            let extended = self.write(move |tx| sessions::extend(tx.sql, id, until)).await;
            if let Err(error) = extended {
                tracing::warn!(%error, "a session was not extended");
            }
        }
        Ok(Some(Caller::of(account, Some(id))))
    }

    /// Whether the caller's session still lives. Whoever lets a connection live on asks once more, when nothing that ends
    /// the session can pass it by any more.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn is_signed_in(&self, caller: &Caller) -> Result<bool> {
        let Some(session) = caller.session() else { return Ok(true) };
        let now = self.now();
        self.read(move |sql| sessions::lives(sql, session, now)).await
    }

    /// Extends sessions that are in use without being asked for, by connections that live on. Looks before it writes, in
    /// pieces that hold nobody up: mostly none is due.
    ///
    /// # Errors
    /// When the database fails; what was not extended is the next time.
    pub async fn keep_signed_in(&self, sessions: Vec<SessionId>) -> Result<()> {
        let now = self.now();
        for piece in sessions.chunks(AT_ONCE) {
            let piece = piece.to_vec();
            let due = self.read(move |sql| {
                let mut due = Vec::new();
                for id in piece {
                    let living = sessions::find_living(sql, id, now)?;
                    let until = living.and_then(|(expires_at, role)| extended(expires_at, role, now));
                    due.extend(until.map(|until| (id, until)));
                }
                Ok(due)
            });
            let due = due.await?;
            if !due.is_empty() {
                let extend = move |tx: &mut Tx<'_>| {
                    due.into_iter().try_for_each(|(id, until)| sessions::extend(tx.sql, id, until))
                };
                self.write(extend).await?;
            }
        }
        Ok(())
    }

    /// Ends the sessions that have expired; their connections close. Looks before it writes: mostly there are none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn end_expired(&self) -> Result<()> {
        let now = self.now();
        if !self.read(move |sql| sessions::has_expired(sql, now)).await? {
            return Ok(());
        }
        let work = move |tx: &mut Tx<'_>| {
            let ended = sessions::delete_expired(tx.sql, now)?.into_iter();
            tx.told.extend(ended.map(|(user, session)| Committed::SessionEnded { user, session }));
            Ok(())
        };
        self.write(work).await
    }

    /// Ends the caller's session; its connections close.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sign_out(&self, caller: &Caller) -> Result<()> {
        let caller = caller.clone();
        self.write(move |tx| end(tx, &caller)).await
    }
}

/// Ends the caller's session, and tells.
pub(crate) fn end(tx: &mut Tx<'_>, caller: &Caller) -> Result<()> {
    let (user, Some(session)) = (caller.key(), caller.session()) else { return Ok(()) };
    if sessions::delete(tx.sql, session)? {
        tx.told.push(Committed::SessionEnded { user, session });
    }
    Ok(())
}

/// Makes a session; somebody who is in no room yet joins the lobby.
pub(crate) fn start(tx: &mut Tx<'_>, account: AccountRow) -> Result<NewSession> {
    let token = Token::random(if account.user.guest { "rfg" } else { "rfs" })?;
    let expires_at = tx.now + lifetime(account.role);
    let session = sessions::insert(tx.sql, account.key, Token::hash(token.reveal()), tx.now, expires_at)?;
    if !members::has_any(tx.sql, account.key)?
        && let Some(lobby) = rooms::find_open(tx.sql, LOBBY)?
    {
        memberships::join(tx, &lobby, &account, Role::Member, None)?;
    }
    Ok(NewSession { caller: Caller::of(account, Some(session)), token, expires_at })
}

/// Until when a session that is in use lasts from now on; nothing while more than half of its time is left: a write for
/// every use would be too many.
fn extended(expires_at: i64, role: Role, now: i64) -> Option<i64> {
    let whole = lifetime(role);
    (expires_at - now < whole / 2).then_some(now + whole)
}

const fn lifetime(role: Role) -> i64 {
    match role {
        Role::Guest => GUEST_SESSION,
        Role::Member | Role::Moderator | Role::Admin | Role::Owner => SESSION,
    }
}
