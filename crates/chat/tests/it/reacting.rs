//! Reactions: one for each person and emoji, counted for everybody, gone with the message.

use crate::support::{reaction, world};
use chat::{Error, Visitor, Window};
use protocol::{EventKind, Reaction};

#[tokio::test]
async fn everybody_in_the_room_reacts_once_with_each_emoji_and_the_count_is_told() {
    let mut world = world().await;
    let (ana, ben) = (world.ana().await, world.ben().await);
    let lobby = world.lobby(&ana).await;
    let posted = world.says(&ana, lobby, "cake in the kitchen").await;
    world.all_told();
    let first = world.chat.react(&ben, lobby, posted.seq, &reaction("🎉", true)).await.unwrap();
    let users = vec![ben.user().clone()];
    assert_eq!(first, Reaction { emoji: "🎉".into(), count: 1, mine: true, users });
    assert_eq!(
        world.chat.react(&ben, lobby, posted.seq, &reaction("🎉", true)).await.unwrap(),
        first,
        "the same again"
    );
    let second = world.chat.react(&ana, lobby, posted.seq, &reaction("🎉", true)).await.unwrap();
    assert_eq!((second.count, second.users.len()), (2, 2));
    let back = world.chat.react(&ben, lobby, posted.seq, &reaction("🎉", false)).await.unwrap();
    assert_eq!((back.count, back.mine), (1, false));
    let told: Vec<_> = world
        .events()
        .into_iter()
        .map(|event| match event.kind {
            EventKind::MessageReacted { target, emoji, on, count } => (target, emoji, on, count),
            other => panic!("{other:?}"),
        })
        .collect();
    let told_of = |on, count| (posted.seq, "🎉".to_owned(), on, count);
    assert_eq!(told, [told_of(true, 1), told_of(true, 2), told_of(false, 1)], "nothing is told twice");
}

#[tokio::test]
async fn a_page_and_a_fresh_start_show_reactions_as_their_reader_sees_them() {
    let mut world = world().await;
    let (ana, ben) = (world.ana().await, world.ben().await);
    let lobby = world.lobby(&ana).await;
    let (quiet, loud) = (world.says(&ana, lobby, "quiet").await, world.says(&ana, lobby, "loud").await);
    for (who, emoji) in [(&ben, "❤️"), (&ana, "👍"), (&ben, "👍")] {
        world.chat.react(who, lobby, loud.seq, &reaction(emoji, true)).await.unwrap();
    }
    for (reader, mine) in [(&ana, [false, true]), (&ben, [true, true])] {
        let page = world.chat.list_messages(reader, lobby, Window::Newest, None).await.unwrap();
        let (reset, _) = world.chat.reset(reader.key(), lobby).await.unwrap();
        for messages in [page.messages, reset.messages] {
            let of =
                |seq| messages.iter().find(|message| message.seq == seq).unwrap().beside.reactions.clone();
            assert!(of(quiet.seq).is_empty());
            let shown: Vec<_> =
                of(loud.seq).into_iter().map(|one| (one.emoji, one.count, one.mine)).collect();
            let expected = [("❤️".to_owned(), 1, mine[0]), ("👍".to_owned(), 2, mine[1])];
            assert_eq!(shown, expected, "in the order in which they came first");
        }
    }
}

#[tokio::test]
async fn a_deleted_message_takes_its_reactions_along_and_nobody_is_told_of_them_again() {
    let mut world = world().await;
    let (ana, ben) = (world.ana().await, world.ben().await);
    let lobby = world.lobby(&ana).await;
    let posted = world.says(&ana, lobby, "never mind").await;
    world.chat.react(&ben, lobby, posted.seq, &reaction("👍", true)).await.unwrap();
    world.chat.delete(&ana, lobby, posted.seq).await.unwrap();
    let refused = world.chat.react(&ben, lobby, posted.seq, &reaction("👍", true)).await.unwrap_err();
    assert!(matches!(refused, Error::NotFound("message")), "{refused:?}");
    let log = world.chat.events(ben.key(), lobby, posted.seq).await.unwrap();
    let is_bare = |kind: &EventKind| matches!(kind, EventKind::MessageDeleted { .. });
    assert!(log.events.iter().all(|event| is_bare(&event.kind)), "{:?}", log.events);
    let page = world.chat.list_messages(&ben, lobby, Window::Newest, None).await.unwrap();
    assert!(page.messages.iter().all(|message| message.beside.reactions.is_empty()));
}

#[tokio::test]
async fn what_is_no_emoji_is_refused_and_one_emoji_typed_two_ways_is_one_reaction() {
    let mut world = world().await;
    let (ana, ben) = (world.ana().await, world.ben().await);
    let lobby = world.lobby(&ana).await;
    let posted = world.says(&ana, lobby, "so?").await;
    for wrong in ["", "a", "👍👍", ":nosuch:", "<b>", "\u{0}", &"👍".repeat(100)] {
        let refused = world.chat.react(&ana, lobby, posted.seq, &reaction(wrong, true)).await.unwrap_err();
        assert!(matches!(refused, Error::Invalid { field: "emoji", .. }), "{wrong:?}: {refused:?}");
    }
    world.chat.react(&ana, lobby, posted.seq, &reaction("❤", true)).await.unwrap();
    let both = world.chat.react(&ben, lobby, posted.seq, &reaction("❤\u{fe0f}", true)).await.unwrap();
    assert_eq!(both.count, 2);
    let distinct: Vec<&str> = [
        "👍", "🎉", "😂", "😮", "😢", "🙏", "🔥", "👀", "✅", "🚀", "💯", "🙌", "🤔", "👏", "😍", "🥳", "😎",
        "🍰", "☕",
    ]
    .into();
    for emoji in distinct {
        world.chat.react(&ana, lobby, posted.seq, &reaction(emoji, true)).await.unwrap();
    }
    let refused = world.chat.react(&ben, lobby, posted.seq, &reaction("🌧️", true)).await.unwrap_err();
    assert!(matches!(refused, Error::Invalid { rule: "most", max: Some(20), .. }), "{refused:?}");
    world
        .chat
        .react(&ben, lobby, posted.seq, &reaction("☕", true))
        .await
        .expect("one that is there already");
}

#[tokio::test]
async fn an_outsider_learns_nothing_by_reacting_and_a_visitor_becomes_a_member() {
    let mut world = world().await;
    let (ana, cyd) = (world.ana().await, world.cyd().await);
    let (lobby, garden) = (world.lobby(&ana).await, world.garden(&ana).await);
    let posted = world.says(&ana, garden.id, "between us").await;
    for seq in [posted.seq, 999, u64::MAX] {
        let refused = world.chat.react(&cyd, garden.id, seq, &reaction("👍", true)).await.unwrap_err();
        assert!(matches!(refused, Error::NotFound("room")), "{refused:?}");
    }
    let refused = world.chat.react(&ana, garden.id, 999, &reaction("👍", true)).await.unwrap_err();
    assert!(matches!(refused, Error::NotFound("message")));
    let heard = world.says(&ana, lobby, "hello").await;
    let dot = Visitor::Passing(chat::Name::new("username", "Dot").unwrap());
    let caller = world.chat.react_as_visitor(&dot, lobby, heard.seq, &reaction("👋", true)).await.unwrap();
    assert!(world.chat.membership(caller.key(), lobby).await.is_ok());
    let page = world.chat.list_messages(&ana, lobby, Window::Newest, None).await.unwrap();
    assert_eq!(page.messages[0].beside.reactions[0].users[0].name, "Dot");
}
