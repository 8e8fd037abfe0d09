//! Bodies of the HTTP interface that no WebSocket frame has.

use crate::error_code::Error;
use crate::ids::{Nonce, SessionId};
use crate::model::{Body, Limits, Role, RoomKind, User};
use serde::{Deserialize, Serialize};

/// Every refusal over HTTP.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ErrorBody {
    /// What and why.
    #[serde(flatten)]
    pub error: Error,
    /// Names this request in the server's log.
    pub request_id: String,
}

/// `GET /api/v1/session`: who one is and what the front door offers. 200 also when nobody is signed in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Session {
    /// Who is signed in; null when nobody.
    pub user: Option<User>,
    /// Their role on the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// The session; null when nobody is signed in.
    pub session: Option<SessionId>,
    /// Whether one may come in as a guest.
    pub guests: bool,
    /// Whether the server still waits for its owner.
    pub setup: bool,
    /// The community's name.
    pub name: String,
    /// Names the web client's files.
    pub build: String,
    /// Numbers to keep to.
    pub limits: Limits,
}

/// `POST /api/v1/setup`: makes the first owner.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SetUp {
    /// The one-time token the server printed.
    pub token: String,
    /// The owner's name.
    pub name: String,
    /// The owner's password.
    pub password: String,
}

/// `POST /api/v1/session`: signs in.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SignIn {
    /// The account's name.
    pub name: String,
    /// Its password.
    pub password: String,
    /// Asks for a bearer token in the answer in place of a cookie: for scripts.
    #[serde(default)]
    pub token: bool,
}

/// `POST /api/v1/guests`: comes in without an account.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ComeIn {
    /// The name to go by.
    pub name: String,
    /// Asks for a bearer token in the answer in place of a cookie: for scripts.
    #[serde(default)]
    pub token: bool,
}

/// `POST /api/v1/users`: makes an account with an invite.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SignUp {
    /// The invite link's token.
    pub invite: String,
    /// The name to go by.
    pub name: String,
    /// The password.
    pub password: String,
    /// Asks for a bearer token in the answer in place of a cookie: for scripts.
    #[serde(default)]
    pub token: bool,
}

/// The answer to signing in, up, or coming in.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SignedIn {
    /// Who one is now.
    pub user: User,
    /// Their role on the server.
    pub role: Role,
    /// The bearer token, when asked for; told this once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

/// `POST /api/v1/invites/view`: asks what a link is for.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct InviteToken {
    /// The link's token.
    pub token: String,
}

/// What an invite link is for, as whoever holds it sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct InviteView {
    /// Who made it.
    pub by: User,
    /// The name of the room it leads to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room: Option<String>,
    /// When it stops working.
    pub expires_at: i64,
}

/// `POST /api/v1/rooms`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct NewRoom {
    /// Its name.
    pub name: String,
    /// Open or closed.
    pub kind: RoomKind,
    /// Names this creation, so that a retry opens no second room; the server makes one when left out.
    #[serde(default)]
    pub nonce: Option<Nonce>,
}

/// `POST /api/v1/rooms/{room}/messages`; the nonce may also stand in `Idempotency-Key`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct NewMessage {
    /// What to say.
    #[serde(flatten)]
    pub body: Body,
    /// Names the message, so that a retry posts no second one; the server makes one when left out.
    #[serde(default)]
    pub nonce: Option<Nonce>,
}

/// `PATCH /api/v1/rooms/{room}/messages/{seq}`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct NewText {
    /// What the message says from now on.
    pub text: String,
}

/// `PUT /api/v1/rooms/{room}/read`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ReadTo {
    /// Up to and with this `seq`.
    pub seq: u64,
}

/// `POST /api/v1/invites`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct NewInviteLink {
    /// The room that whoever uses it also joins.
    #[serde(default)]
    pub room: Option<crate::ids::RoomId>,
    /// How often it may be used; 25 when left out.
    #[serde(default)]
    pub uses: Option<u32>,
    /// How long it works, in hours; 168 when left out.
    #[serde(default)]
    pub hours: Option<u32>,
    /// Names this creation; the server makes one when left out.
    #[serde(default)]
    pub nonce: Option<Nonce>,
}

/// Shows what is no secret: a derived `Debug` would put passwords and tokens wherever a value is printed.
macro_rules! debug_without_secrets {
    ($($name:ident { $($shown:ident),* })*) => {$(
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($name))$(.field(stringify!($shown), &self.$shown))*.finish_non_exhaustive()
            }
        }
    )*};
}

pub(crate) use debug_without_secrets;

debug_without_secrets! {
    SetUp { name }
    SignIn { name }
    SignUp { name }
    SignedIn { user, role }
    InviteToken {}
}
