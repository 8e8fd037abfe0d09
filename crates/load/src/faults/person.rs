//! The people of a round. Chance from the seed decides what they do; a journal notes what happens to them.

mod member;
mod poster;
mod scene;
mod visitor;
mod watcher;

pub use member::Member;
pub use poster::Poster;
pub use scene::{Act, Heads, Part, Scene, Standing, is_of_the_moment};
pub use visitor::Visitor;
pub use watcher::{Ears, Watcher};
