//! Setting up, inviting, signing up, being a guest.

use crate::person::Person;
use crate::server::{PASSWORD, Server};
use serde_json::json;
use thirtyfour::Key;

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_the_link_of_the_banner_owns_the_house_and_invites_somebody_to_talk_with() {
    let server = Server::without_owner(&[]);
    let ana = Person::at_a_desk(&server).await;
    let clipboard =
        json!({ "origin": server.url(""), "permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"] });
    ana.devtools("Browser.grantPermissions", clipboard).await;
    ana.opens(server.setup_link()).await;
    ana.fills("name", "Ana").await;
    ana.fills("password", PASSWORD).await;
    ana.presses("Open the house").await;

    ana.reads("The house is open.").await;
    ana.until("there is a link", "document.querySelector('.made input').value.startsWith('http')").await;
    ana.presses("Copy").await;
    ana.reads("Copied").await;
    let link = ana.awaits("return navigator.clipboard.readText();").await;
    assert_eq!(link, ana.finds("document.querySelector('.made input').value").await);
    ana.presses("Go to the lobby").await;

    let ben = Person::at_a_desk(&server).await;
    ben.opens(link.as_str().unwrap()).await;
    ben.reads("Ana asked you in").await;
    ben.fills("name", "Ben").await;
    ben.fills("password", PASSWORD).await;
    ben.presses("Make the account").await;
    ben.sees(".composer textarea").await;
    assert_eq!(ben.finds("document.querySelector('h1').innerText").await, "lobby");

    ana.says("Welcome, Ben.").await;
    ben.reads_messages(&["Welcome, Ben."]).await;
    ben.says("Good to be here.").await;
    for person in [&ana, &ben] {
        person.reads_messages(&["Welcome, Ben.", "Good to be here."]).await;
        assert_eq!(person.complaints().await, [""; 0]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_picks_a_name_and_is_in_the_lobby_at_once() {
    let (server, ana) = Server::of_ana().await;
    let cyd = Person::at_a_desk(&server).await;
    cyd.opens("/").await;
    cyd.fills("name", "Cyd").await;
    cyd.presses("Join").await;
    cyd.sees(".composer textarea:focus").await;
    assert_eq!(cyd.finds("document.querySelector('h1').innerText").await, "lobby");
    cyd.says("The door was open.").await;
    cyd.reads_messages(&["The door was open."]).await;
    cyd.sees(".message time").await;
    assert_eq!(ana.texts("lobby").await, ["The door was open."]);
    assert_eq!(cyd.complaints().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_tab_is_the_same_guest_and_another_browser_is_somebody_else() {
    let (server, _) = Server::of_ana().await;
    let cyd = Person::at_a_desk(&server).await;
    cyd.opens("/").await;
    cyd.fills("name", "Cyd").await;
    cyd.presses("Join").await;
    cyd.reads("1 person here").await;
    cyd.opens_a_tab("/").await;
    cyd.sees(".composer textarea").await;
    cyd.reads("1 person here").await;

    let dot = Person::at_a_desk(&server).await;
    dot.opens("/").await;
    dot.fills("name", "Dot").await;
    dot.presses("Join").await;
    dot.reads("2 people here").await;
    cyd.reads("2 people here").await;
    assert_eq!(cyd.finds("document.querySelector('.me__who .cut').innerText").await, "Cyd");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_was_used_up_says_so_and_offers_to_sign_in() {
    let (server, _) = Server::of_ana().await;
    let ben = Person::at_a_desk(&server).await;
    ben.opens("/invite#token=rfi_nothing").await;
    ben.reads("This link does not open the door.").await;
    ben.fills("name", "Ana").await;
    ben.fills("password", "a wrong password").await;
    ben.types(Key::Enter).await;
    ben.reads("The name or the password is wrong.").await;
    ben.runs("document.querySelector('#password').select()").await;
    ben.fills("password", PASSWORD).await;
    ben.types(Key::Enter).await;
    ben.sees(".composer textarea").await;
}
