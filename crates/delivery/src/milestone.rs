//! How a caller that publishes learns how far delivery has come.

use std::sync::Arc;

/// A mark behind what was published under a key; see [`Gathering::set`](crate::Gathering::set).
///
/// Every shard holds a clone until it has offered all frames before the mark to every follower whose socket was not
/// full. When the last clone is dropped, all shards have. Clones are also dropped when no connection follows, and
/// when the shards stop. So the value reports by its `Drop`, which may run on a shard's thread and must neither block
/// nor panic.
pub type Milestone = Arc<dyn Send + Sync>;
