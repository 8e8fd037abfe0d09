//! What a new database holds: its epoch and the lobby.

use super::rooms::NewRoom;
use super::{epoch, identity, rooms};
use crate::error::Result;
use crate::limits::LOBBY;
use crate::sql::Sql;
use crate::text::Name;
use crate::token::new_id;
use protocol::RoomKind;

/// Makes a new database ready, and answers with the epoch of any.
pub(crate) fn lay(sql: Sql<'_>, now: i64) -> Result<String> {
    identity::recognise(sql)?;
    if let Some(epoch) = epoch::find(sql)? {
        return Ok(epoch);
    }
    let epoch = new_id().simple().to_string();
    epoch::insert(sql, &epoch)?;
    let name = Name::new("name", LOBBY)?;
    let new = NewRoom { name: &name, kind: RoomKind::Open, by: None, nonce: None, provisional: false, now };
    rooms::insert(sql, &new)?;
    Ok(epoch)
}
