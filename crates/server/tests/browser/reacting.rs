//! Reacting to messages, and seeing who did.

use crate::person::Person;
use crate::server::Server;
use thirtyfour::Key;

impl Person {
    /// Waits until the reactions on the screen are named exactly so, one after the other.
    async fn reads_reactions(&self, names: &[&str]) {
        let all = "[...document.querySelectorAll('.reaction[aria-pressed]')]";
        let said = format!("JSON.stringify({all}.map((one) => one.getAttribute('aria-label')))");
        let wanted = serde_json::json!(serde_json::json!(names).to_string());
        self.until(&format!("the reactions are {names:?}"), &format!("{said} === {wanted}")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reaction_is_seen_by_everybody_at_once_counted_and_taken_back() {
    let (server, account) = Server::of_ana().await;
    account.say("lobby", "Tea?").await;
    let (ana, ben) = (Person::signed_in(&server, &account).await, Person::at_a_desk(&server).await);
    ben.takes(&server.member("Ben").await).await;
    ana.enters("lobby").await;
    ben.enters("lobby").await;

    ana.presses_at(".message .message__text").await;
    ana.presses("Add a reaction").await;
    ana.presses("Thumbs up").await;
    ana.reads_reactions(&["Thumbs up, 1 person, you too"]).await;
    ben.reads_reactions(&["Thumbs up, 1 person"]).await;
    ben.presses_at(".reaction[aria-pressed=false]").await;
    ben.reads_reactions(&["Thumbs up, 2 people, you too"]).await;
    ana.reads_reactions(&["Thumbs up, 2 people, you too"]).await;
    // A focus that follows a key is shown, and what is shown to it is read.
    ana.types(Key::Tab).await;
    ana.runs("document.querySelector('.reaction').focus()").await;
    ana.until("it says who reacted", "document.querySelector('.reactions__who').innerText === 'You and Ben'")
        .await;

    ben.reloads().await;
    ben.reads_reactions(&["Thumbs up, 2 people, you too"]).await;
    ana.presses_at(".reaction[aria-pressed=true]").await;
    ana.reads_reactions(&["Thumbs up, 1 person"]).await;
    ben.reads_reactions(&["Thumbs up, 1 person, you too"]).await;
    ben.presses_at(".reaction[aria-pressed=true]").await;
    for person in [&ana, &ben] {
        person.reads_reactions(&[]).await;
        assert_eq!(person.complaints().await, [""; 0]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_reacts_without_a_mouse_and_keeps_the_focus() {
    let (server, account) = Server::of_ana().await;
    account.say("lobby", "Tea?").await;
    let ana = Person::signed_in(&server, &account).await;
    ana.enters("lobby").await;
    ana.runs("document.querySelector('.message').focus()").await;
    ana.types("+").await;
    ana.sees("[role=menu] :focus").await;
    ana.types("e").await;
    ana.types(Key::Enter).await;
    ana.reads_reactions(&["Eyes, 1 person, you too"]).await;
    ana.sees(".message:focus").await;
    ana.types(Key::Tab).await;
    ana.sees(".reaction:focus").await;
    ana.types(Key::Space).await;
    ana.reads_reactions(&[]).await;
    assert_ne!(ana.finds("document.activeElement.localName").await, "body", "the focus is lost");
    assert_eq!(ana.complaints().await, [""; 0]);
}
