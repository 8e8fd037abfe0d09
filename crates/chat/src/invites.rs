//! Invite links.

use crate::caller::Caller;
use crate::chat::Chat;
use crate::error::{Error, Result};
use crate::memberships;
use crate::store::invites::{self, Living};
use crate::store::{accounts, memberships as members, rooms};
use crate::stream::UserKey;
use crate::token::Token;
use protocol::frame::{InvitePage, NewInvite};
use protocol::http::InviteView;
use protocol::{InviteId, Nonce, Role, Room, RoomId, Verb};

const HOUR: i64 = 60 * 60 * 1000;
/// How often a link may be used unless its maker says otherwise.
const USES: u32 = 25;
const MOST_USES: u32 = 1_000;
/// How long a link works unless its maker says otherwise: a week.
const HOURS: u32 = 168;
const MOST_HOURS: u32 = 8_760;

impl Chat {
    /// Makes an invite link, to a room of the caller's or to the server alone.
    ///
    /// # Errors
    /// `Forbidden` to guests, `NotFound` for a room the caller is not in, `Invalid` for numbers out of range.
    pub async fn create_invite(
        &self,
        caller: &Caller,
        room: Option<RoomId>,
        uses: Option<u32>,
        hours: Option<u32>,
        nonce: Nonce,
    ) -> Result<NewInvite> {
        caller.must(Verb::Invite, false)?;
        let uses = within("uses", uses.unwrap_or(USES), MOST_USES)?;
        let hours = within("hours", hours.unwrap_or(HOURS), MOST_HOURS)?;
        let token = Token::random("rfi")?;
        let hash = Token::hash(token.reveal());
        let (by, now) = (caller.key(), self.now());
        let expires_at = now + i64::from(hours) * HOUR;
        let id = self
            .write(move |tx| {
                let room = match room {
                    Some(room) => {
                        let membership = members::prove(tx.sql, room, by)?;
                        membership.must(Verb::Invite)?;
                        Some(membership.room())
                    }
                    None => None,
                };
                let new =
                    invites::NewInvite { token_hash: hash, room, by, now, expires_at, uses, nonce: &nonce };
                invites::insert(tx.sql, &new)
            })
            .await?;
        let link = format!("/invite#token={}", token.reveal());
        Ok(NewInvite { id, token: token.reveal().to_owned(), link, expires_at, uses })
    }

    /// The invites that still work: one's own, and all of them for admins.
    ///
    /// # Errors
    /// `Forbidden` to guests.
    pub async fn list_invites(&self, caller: &Caller) -> Result<InvitePage> {
        caller.must(Verb::Invite, false)?;
        let (by, now) = (mine_unless_admin(caller), self.now());
        let invites = self.read(move |sql| invites::list(sql, by, now)).await?;
        Ok(InvitePage { invites })
    }

    /// Stops an invite of one's own from working; admins stop anybody's.
    ///
    /// # Errors
    /// `NotFound` for one that is not there or somebody else's.
    pub async fn revoke_invite(&self, caller: &Caller, invite: InviteId) -> Result<()> {
        let (by, now) = (mine_unless_admin(caller), self.now());
        self.write(move |tx| {
            let found = invites::revoke(tx.sql, invite, by, now)?;
            if found { Ok(()) } else { Err(Error::NotFound("invite")) }
        })
        .await
    }

    /// What a link is for, to whoever holds it.
    ///
    /// # Errors
    /// `LinkSpent` when it does not work (any more).
    pub async fn view_invite(&self, token: &str) -> Result<InviteView> {
        let (hash, now) = (Token::hash(token), self.now());
        let living = self.read(move |sql| invites::find(sql, hash, now)?.ok_or(Error::LinkSpent)).await?;
        let Living { by, room, expires_at, .. } = living;
        Ok(InviteView { by, room: room.map(|(_, name)| name), expires_at })
    }

    /// The room that whoever uses a link would join; none where it joins nobody anywhere.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn room_of_invite(&self, caller: Option<&Caller>, token: &str) -> Result<Option<RoomId>> {
        let (hash, now, user) = (Token::hash(token), self.now(), caller.map(Caller::key));
        self.read(move |sql| {
            let Some((key, _)) = invites::find(sql, hash, now)?.and_then(|living| living.room) else {
                return Ok(None);
            };
            let is_in = match user {
                Some(user) => members::exists(sql, key, user)?,
                None => false,
            };
            Ok(if is_in { None } else { rooms::find_key(sql, key)?.map(|room| room.id) })
        })
        .await
    }

    /// Uses a link as somebody who has an account already: joins its room. Counts as a use unless they were in it.
    ///
    /// # Errors
    /// `LinkSpent`; `Forbidden` to guests, who sign up with it; `TooManyRooms`.
    pub async fn accept_invite(&self, caller: &Caller, token: &str) -> Result<Option<Room>> {
        if caller.user().guest {
            return Err(Error::Forbidden("Sign up with this link: guests have no place to be invited to."));
        }
        let (hash, now, caller) = (Token::hash(token), self.now(), caller.clone());
        self.write(move |tx| {
            let living = invites::find(tx.sql, hash, now)?.ok_or(Error::LinkSpent)?;
            let account = accounts::find(tx.sql, caller.user().id)?.ok_or(Error::NotFound("user"))?;
            let member = match &living.room {
                Some((room, _)) => members::exists(tx.sql, *room, caller.key())?,
                None => true,
            };
            if !member {
                invites::count_use(tx.sql, living.key)?;
            }
            memberships::join_by_invite(tx, &living, &account)
        })
        .await
    }
}

fn mine_unless_admin(caller: &Caller) -> Option<UserKey> {
    if caller.role() >= Role::Admin { None } else { Some(caller.key()) }
}

fn within(field: &'static str, value: u32, max: u32) -> Result<u32> {
    if (1..=max).contains(&value) {
        return Ok(value);
    }
    let message = format!("{field} must be between 1 and {max}.");
    Err(Error::Invalid { field, rule: "range", max: Some(u64::from(max)), message })
}
