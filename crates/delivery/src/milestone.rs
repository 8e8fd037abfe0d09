//! How whoever publishes learns how far delivery has come.

use std::sync::Arc;

/// A place behind what was published under a key; see [`Gathering::set`](crate::Gathering::set).
///
/// Its last clone is dropped when every shard has completed a pass over what stands before it: all of that has been
/// offered to every follower whose socket was not full. Also when nobody follows, or the shards have stopped. The drop is
/// the report. It may happen on a shard's thread, so it must not block, nor panic.
pub type Milestone = Arc<dyn Send + Sync>;
