//! Read marks and unread counts.

use crate::support::world;
use chat::Committed;
use protocol::frame::ReadMarked;
use protocol::{PersonalFrame, ReadMark};

#[tokio::test]
async fn unread_is_what_others_said_since_the_mark_and_marks_only_grow() {
    let mut world = world().await;
    let (ana, ben) = (world.ana().await, world.ben().await);
    let lobby = world.lobby(&ana).await;
    for text in ["one", "two", "three"] {
        world.says(&ana, lobby, text).await;
    }
    let unread = |room: protocol::Room| room.n - room.read.n;
    assert_eq!(unread(world.room(&ben, lobby).await), 3);
    assert_eq!(unread(world.room(&ana, lobby).await), 0, "one's own messages are read");
    let second =
        world.chat.list_messages(&ben, lobby, chat::Window::Newest, None).await.unwrap().messages[1].seq;
    let mark = world.chat.mark_read(&ben, lobby, second).await.unwrap();
    assert_eq!(mark, ReadMark { seq: second, n: 2 });
    assert_eq!(world.chat.mark_read(&ben, lobby, 1).await.unwrap(), mark, "never back");
    assert_eq!(unread(world.room(&ben, lobby).await), 1);
    let beyond = world.chat.mark_read(&ben, lobby, u64::MAX).await.unwrap();
    assert_eq!(beyond.seq, world.room(&ben, lobby).await.head);
    assert_eq!(unread(world.room(&ben, lobby).await), 0);
}

#[tokio::test]
async fn a_mark_is_told_to_the_users_other_devices_and_survives_an_orderly_end() {
    let mut world = world().await;
    let (ana, ben) = (world.ana().await, world.ben().await);
    let lobby = world.lobby(&ana).await;
    let posted = world.says(&ana, lobby, "one").await;
    world.all_told();
    let read = world.chat.mark_read(&ben, lobby, posted.seq).await.unwrap();
    let frame = PersonalFrame::ReadMarked(ReadMarked { room: lobby, read });
    assert_eq!(world.all_told(), [Committed::Personal { user: ben.key(), frame }]);
    world.chat.mark_read(&ben, lobby, posted.seq).await.unwrap();
    assert!(world.all_told().is_empty(), "what does not move is not told");
    let world = world.restart().await;
    assert_eq!(world.room(&ben, lobby).await.read, read);
}

#[tokio::test]
async fn whoever_goes_before_the_answer_and_posts_again_has_read_what_they_posted() {
    let mut world = world().await;
    let ana = world.ana().await;
    let lobby = world.lobby(&ana).await;
    let nonce = crate::support::nonce();
    drop(world.chat.post(&ana, lobby, "one".into(), nonce.clone()));
    let posted = world.chat.post(&ana, lobby, "one".into(), nonce).await.unwrap();
    assert_eq!(world.room(&ana, lobby).await.read, ReadMark { seq: posted.seq, n: posted.n });
}

#[tokio::test]
async fn whoever_joins_late_has_nothing_unread() {
    let mut world = world().await;
    let ana = world.ana().await;
    let lobby = world.lobby(&ana).await;
    world.says(&ana, lobby, "before").await;
    let ben = world.ben().await;
    let room = world.room(&ben, lobby).await;
    assert_eq!((room.n, room.read.n), (1, 1));
}
