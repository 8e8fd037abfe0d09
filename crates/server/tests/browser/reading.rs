//! Reading: where one stands, what is new, what was read.

use crate::account::Account;
use crate::person::Person;
use crate::server::Server;
use thirtyfour::Key;

/// Walks up to the first message, and gives by how many pixels the line one reads ever moved by itself, and how often
/// something was put above it.
const WALK_UP: &str = "
    const box = document.querySelector('.timeline');
    const rows = () => [...box.querySelectorAll('[data-key]')];
    const frame = () => new Promise(requestAnimationFrame);
    let worst = 0, pages = 0;
    while (!(document.querySelector('.timeline__beginning') && box.scrollTop === 0)) {
        const first = rows()[0].dataset.key;
        box.scrollTop -= 700;
        await frame();
        const seen = rows().find((row) => row.getBoundingClientRect().bottom > box.getBoundingClientRect().top);
        let top = seen.getBoundingClientRect().top;
        for (let still = 0; still < 6; still++) {
            await frame();
            const now = box.querySelector(`[data-key='${seen.dataset.key}']`).getBoundingClientRect().top;
            worst = Math.max(worst, Math.abs(now - top));
            if (document.querySelector('.timeline__more')?.innerText) still = 0;
            top = now;
        }
        if (rows()[0].dataset.key !== first) pages += 1;
    }
    return { worst, pages, first: rows()[0].querySelector('.message__text').innerText };";

/// Fills a room with numbered messages, some of them long.
async fn fill(account: &Account, room: &str, count: u32) {
    for number in 1..=count {
        let more = if number % 7 == 0 {
            " and then some more words, so that the line is too long for one".repeat(3)
        } else {
            String::new()
        };
        account.say(room, &format!("message {number}{more}")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn walking_back_to_the_first_message_never_moves_the_line_one_reads() {
    let (server, account) = Server::of_ana().await;
    fill(&account, "lobby", 300).await;
    let ana = Person::signed_in(&server, &account).await;
    ana.enters("lobby").await;
    ana.until("one stands at the end", "document.querySelector('.timeline').scrollTop > 1000").await;
    let walk = ana.awaits(WALK_UP).await;
    assert_eq!(walk["first"], "message 1", "{walk}");
    assert!(walk["pages"].as_u64().unwrap() >= 3, "{walk}");
    assert!(walk["worst"].as_f64().unwrap() <= 1.0, "{walk}");

    let lobby = account.room("lobby").await;
    ana.opens(&format!("/rooms/{lobby}/150")).await;
    let middle = "(() => { const row = document.querySelector('.is-called').getBoundingClientRect();
        const box = document.querySelector('.timeline').getBoundingClientRect();
        return (row.top + row.height / 2 - box.top) / box.height; })()";
    ana.until("the message of the link is in the middle", &format!("{middle} > 0.3 && {middle} < 0.7")).await;
    assert_eq!(ana.finds("document.querySelector('.is-called').dataset.seq").await, "150");
    assert_eq!(ana.complaints().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_reads_further_up_keeps_their_place_and_hears_how_many_are_new() {
    let (server, ana) = Server::of_ana().await;
    fill(&ana, "lobby", 60).await;
    let ben = Person::signed_in(&server, &server.member("Ben").await).await;
    ben.enters("lobby").await;
    ben.presses_at(".composer textarea").await;
    ben.runs("document.querySelector('.timeline').scrollTop -= 900").await;
    let top = "(() => { const box = document.querySelector('.timeline');
        const top = box.getBoundingClientRect().top;
        const row = [...box.querySelectorAll('[data-key]')].find((one) => one.getBoundingClientRect().bottom > top);
        return `${row.dataset.key} ${Math.round(row.getBoundingClientRect().top)}`; })()";
    ben.until("the way down is offered", "document.querySelector('.pill')").await;
    let before = ben.finds(top).await;
    for text in ["a", "b", "c"] {
        ana.say("lobby", text).await;
    }
    ben.until("three are new", "document.querySelector('.pill')?.innerText.trim() === '3 new messages'")
        .await;
    assert_eq!(ben.finds(top).await, before);
    ben.presses_at(".pill").await;
    ben.sees_no(".pill").await;
    ben.until(
        "one stands at the end",
        "(() => { const box = document.querySelector('.timeline');
        return box.scrollHeight - box.clientHeight - box.scrollTop < 2; })()",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_with_news_is_lit_counted_in_the_title_and_opens_where_the_news_begins() {
    let (server, ana) = Server::of_ana().await;
    let garden = ana.open("garden", "closed").await;
    let account = server.member("Ben").await;
    ana.bring(&garden, &account).await;
    fill(&ana, &garden, 50).await;
    let ben = Person::signed_in(&server, &account).await;
    ben.enters("garden").await;
    ben.types(Key::Escape).await;
    ben.until("all is read", "document.title === 'garden, Roomful'").await;
    ben.presses("lobby").await;
    ben.until("the lobby is open", "document.querySelector('h1').innerText === 'lobby'").await;

    fill(&ana, &garden, 30).await;
    ben.until("the title counts", "document.title === '(30) lobby, Roomful'").await;
    assert!(
        ben.finds("document.querySelector('.row.is-unread').innerText")
            .await
            .as_str()
            .unwrap()
            .contains("30 unread")
    );
    ben.presses_at(".row.is-unread").await;
    ben.sees(".divider").await;
    let divider =
        "(() => { const line = document.querySelector('.divider'), place = line.getBoundingClientRect();
        const box = document.querySelector('.timeline').getBoundingClientRect();
        return place.top > box.top && place.bottom < box.bottom && line.innerText.startsWith('30 new since ')
            && line.nextElementSibling.querySelector('.message__text').innerText === 'message 1'; })()";
    ben.until("the first of thirty is on the screen, below the line", divider).await;
    ben.types(Key::Escape).await;
    ben.until("all is read", "document.title === 'garden, Roomful'").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_devices_of_one_person_agree_on_what_was_read() {
    let (server, account) = Server::of_ana().await;
    let garden = account.open("garden", "closed").await;
    let ben = server.member("Ben").await;
    account.bring(&garden, &ben).await;
    let (desk, sofa) = (Person::signed_in(&server, &account).await, Person::at_a_desk(&server).await);
    sofa.signs_in("Ana").await;
    desk.enters("lobby").await;
    sofa.enters("lobby").await;
    for text in ["one", "two", "three"] {
        ben.say(&garden, text).await;
    }
    for device in [&desk, &sofa] {
        device.until("three are unread", "document.title === '(3) lobby, Roomful'").await;
    }
    desk.presses_at(".row.is-unread").await;
    desk.reads_messages(&["one", "two", "three"]).await;
    sofa.until("nothing is unread", "document.title === 'lobby, Roomful'").await;
    sofa.sees_no(".row.is-unread").await;
    desk.reloads().await;
    desk.until("nothing is unread", "document.title === 'garden, Roomful'").await;
}
