//! Writing, being read, and what becomes of it.

use crate::person::Person;
use crate::server::Server;
use serde_json::json;
use thirtyfour::Key;

#[tokio::test(flavor = "multi_thread")]
async fn enter_sends_shift_enter_breaks_the_line_and_an_enter_that_ends_a_word_does_neither() {
    let (server, account) = Server::of_ana().await;
    let ana = Person::signed_in(&server, &account).await;
    ana.enters("lobby").await;
    ana.writes("one").await;
    ana.types(Key::Shift + Key::Enter).await;
    ana.writes("two").await;
    ana.types(Key::Enter).await;
    ana.reads_messages(&["one\ntwo"]).await;

    ana.devtools(
        "Input.imeSetComposition",
        json!({ "text": "にほ", "selectionStart": 2, "selectionEnd": 2 }),
    )
    .await;
    let enter = json!({ "type": "rawKeyDown", "key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13 });
    ana.devtools("Input.dispatchKeyEvent", enter).await;
    ana.devtools("Input.insertText", json!({ "text": "日本" })).await;
    assert_eq!(ana.finds("document.querySelector('.composer textarea').value").await, "日本");
    ana.reads_messages(&["one\ntwo"]).await;
    ana.types(Key::Enter).await;
    ana.reads_messages(&["one\ntwo", "日本"]).await;
    assert_eq!(ana.complaints().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_and_a_deletion_are_seen_by_everybody_at_once() {
    let (server, account) = Server::of_ana().await;
    let (ana, ben) = (Person::signed_in(&server, &account).await, Person::at_a_desk(&server).await);
    ben.takes(&server.member("Ben").await).await;
    ana.enters("lobby").await;
    ben.enters("lobby").await;
    ana.says("The gate opens at nien.").await;
    ana.says("Bring boots.").await;
    ben.reads_messages(&["The gate opens at nien.", "Bring boots."]).await;

    ana.presses_at(".message .message__text").await;
    ana.presses("Edit message").await;
    ana.sees(".edit__text:focus").await;
    ana.runs("document.activeElement.select()").await;
    ana.types("The gate opens at nine.").await;
    ana.types(Key::Enter).await;
    ben.reads_messages(&["The gate opens at nine.", "Bring boots."]).await;
    ben.reads("edited").await;

    ana.presses_at(".message .message__text").await;
    ana.presses("Delete message").await;
    ana.sees("dialog[open] .is-plain:focus").await;
    ana.presses_at("dialog .is-danger").await;
    for person in [&ana, &ben] {
        person.reads_messages(&["This message was deleted.", "Bring boots."]).await;
    }
    ben.reloads().await;
    ben.reads_messages(&["This message was deleted.", "Bring boots."]).await;
    assert_eq!(ben.complaints().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_keeps_the_room_and_the_draft() {
    let (server, account) = Server::of_ana().await;
    let garden = account.open("garden", "closed").await;
    account.say(&garden, "The first beans are up.").await;
    let ana = Person::signed_in(&server, &account).await;
    ana.enters("garden").await;
    ana.writes("Half a thought").await;
    ana.opens("/rooms/nowhere").await;
    ana.reads("This door stays shut.").await;
    ana.opens("/").await;
    ana.until("the last room is open", "document.querySelector('h1')?.innerText === 'garden'").await;
    ana.reloads().await;
    ana.reads_messages(&["The first beans are up."]).await;
    assert_eq!(ana.finds("document.querySelector('.composer textarea').value").await, "Half a thought");
    ana.types(Key::Enter).await;
    ana.reads_messages(&["The first beans are up.", "Half a thought"]).await;
    ana.reloads().await;
    ana.reads_messages(&["The first beans are up.", "Half a thought"]).await;
    assert_eq!(ana.finds("document.querySelector('.composer textarea').value").await, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_failed_keeps_its_name_so_a_retry_posts_it_once() {
    let (mut server, ana) = Server::of_ana().await;
    let garden = ana.open("garden", "closed").await;
    let account = server.member("Ben").await;
    ana.bring(&garden, &account).await;
    let ben = Person::signed_in(&server, &account).await;
    ben.enters("garden").await;
    server.kill();
    ben.says("Watered.").await;
    ben.until("it waits", "document.querySelector('.message.is-waiting, .message.is-unsure')").await;
    let kept = "Object.keys(localStorage).filter((key) => key.includes('outbox')).at(0) ?? JSON.stringify(localStorage)";
    let before = ben.finds(kept).await;

    // While Ben's browser cannot hear it, he is taken out and brought back: the first try after that is refused.
    let elsewhere = ana.at(server.come_back_elsewhere());
    elsewhere.remove(&garden, &account).await;
    server.kill();
    server.come_back();
    ben.until("the garden is closed to him", "!document.querySelector('.composer')").await;
    ben.until("it was refused", "JSON.stringify(localStorage).includes('not_found')").await;
    ana.bring(&garden, &account).await;
    ben.reads("Not sent.").await;
    assert_eq!(ben.finds(kept).await, before);
    ben.presses("Retry").await;
    ben.sees(".message time").await;
    ben.reads_messages(&["Watered."]).await;
    let messages = ana.messages(&garden).await;
    assert_eq!(messages.len(), 1);
    assert!(
        before.as_str().unwrap().contains(messages[0]["nonce"].as_str().unwrap()),
        "{before} {messages:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_the_server_refuses_says_why_and_gives_its_text_back() {
    let (server, account) = Server::of_ana().await;
    let ana = Person::signed_in(&server, &account).await;
    ana.enters("lobby").await;
    ana.writes("x").await;
    ana.devtools("Input.insertText", json!({ "text": "\u{7}ding" })).await;
    ana.types(Key::Enter).await;
    ana.reads("Not sent. Messages cannot hold control characters.").await;
    ana.presses("Edit").await;
    ana.until("the text is back", "document.querySelector('.composer textarea').value.includes('ding')")
        .await;
    ana.sees_no(".message").await;
    assert_eq!(account.texts("lobby").await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_removed_is_told_by_whom_and_hears_nothing_more() {
    let (server, ana) = Server::of_ana().await;
    let garden = ana.open("garden", "closed").await;
    let account = server.member("Ben").await;
    ana.bring(&garden, &account).await;
    ana.say(&garden, "Not for everybody.").await;
    let ben = Person::signed_in(&server, &account).await;
    ben.enters("garden").await;
    ben.reads_messages(&["Not for everybody."]).await;
    ana.remove(&garden, &account).await;
    ben.reads("Ana removed you from garden.").await;
    ben.sees_no(".message, .composer").await;
    ana.say(&garden, "He is gone.").await;
    ben.presses("Close the room").await;
    ben.until("another room is open", "document.querySelector('h1')?.innerText === 'lobby'").await;
    assert_eq!(ben.finds("document.body.innerText.includes('garden')").await, false);
    ben.opens(&format!("/rooms/{garden}")).await;
    ben.reads("This door stays shut.").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_agrees_on_compression_and_reads_what_is_long_enough_for_it() {
    let (server, account) = Server::of_ana().await;
    let ana = Person::signed_in(&server, &account).await;
    ana.enters("lobby").await;
    let agreed = "const socket = new WebSocket(`ws://${location.host}/ws`, 'roomful.v1');
        await new Promise((opened) => (socket.onopen = opened));
        socket.close();
        return socket.extensions;";
    assert_eq!(
        ana.awaits(agreed).await,
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
    );
    let long = "The garden is open, and so is the gate.".repeat(50);
    account.say("lobby", &long).await;
    ana.reads_messages(&[&long]).await;
    assert_eq!(ana.complaints().await, [""; 0]);
}
