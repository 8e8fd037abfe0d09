//! One hand, one pane.

use crate::person::Person;
use crate::server::Server;
use thirtyfour::Key;

/// Whether the window itself could be scrolled, in either direction.
const SCROLLS: &str = "document.documentElement.scrollWidth > innerWidth || document.documentElement.scrollHeight > innerHeight";

async fn walk(width: u32, height: u32) {
    let (server, account) = Server::of_ana().await;
    let garden = account.open("garden", "closed").await;
    account.say(&garden, &format!("{} https://example.org/{}", "w".repeat(300), "path/".repeat(60))).await;
    account.say(&garden, "Short.").await;
    let ana = Person::on_a_phone(&server, width, height).await;
    ana.takes(&account).await;

    ana.opens("/").await;
    ana.sees(".sidebar a.row").await;
    ana.sees_no(".composer").await;
    assert_eq!(ana.finds(SCROLLS).await, false, "the list at {width}");
    ana.presses("garden").await;
    ana.sees(".composer textarea").await;
    ana.sees_no(".sidebar").await;
    ana.until("the messages are there", "document.querySelectorAll('.message').length === 2").await;
    assert_eq!(ana.finds(SCROLLS).await, false, "the room at {width}");
    let edge = "Math.max(...[...document.querySelectorAll('.message__text')].map((one) => one.getBoundingClientRect().right))";
    assert!(
        ana.finds(edge).await.as_f64().unwrap() <= f64::from(width),
        "a long word leaves the screen at {width}"
    );

    // On glass Enter breaks the line, and Send sends.
    ana.writes("first line").await;
    ana.types(Key::Enter).await;
    ana.writes("second line").await;
    ana.presses("Send").await;
    ana.until(
        "it is sent",
        "[...document.querySelectorAll('.message__text')].at(-1)?.innerText === 'first line\\nsecond line'",
    )
    .await;

    ana.presses("Room details").await;
    ana.sees(".panel").await;
    assert_eq!(ana.finds(SCROLLS).await, false, "the details at {width}");
    ana.goes_back().await;
    ana.sees_no(".panel").await;
    ana.sees(".composer textarea").await;
    ana.presses("Back to rooms").await;
    ana.sees(".sidebar a.row").await;
    ana.presses("lobby").await;
    ana.sees(".composer textarea").await;
    ana.goes_back().await;
    ana.sees(".sidebar a.row").await;
    ana.sees_no(".composer").await;
    ana.presses_at(".jump").await;
    ana.sees("dialog[open]").await;
    assert_eq!(ana.finds(SCROLLS).await, false, "the switcher at {width}");
    assert_eq!(ana.complaints().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_phone_there_is_one_pane_back_walks_up_and_nothing_leaves_the_screen() {
    walk(390, 844).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_phone_is_a_phone_too() {
    walk(360, 740).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn at_a_desk_only_the_messages_scroll_and_never_the_window() {
    let (server, account) = Server::of_ana().await;
    for _ in 0..30 {
        account.say("lobby", "One more line.").await;
    }
    let ana = Person::signed_in(&server, &account).await;
    ana.enters("lobby").await;
    ana.until("the messages scroll", "document.querySelector('.timeline').scrollTop > 0").await;
    assert_eq!(ana.finds(SCROLLS).await, false);
    ana.types(Key::Control + "k").await;
    ana.sees("dialog[open]").await;
    assert_eq!(ana.finds(SCROLLS).await, false);
}
