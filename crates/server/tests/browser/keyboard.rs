//! Without a mouse.

use crate::person::Person;
use crate::server::{PASSWORD, Server};
use thirtyfour::Key;

impl Person {
    /// Presses Tab until the focus is there.
    async fn tabs_to(&self, css: &str) {
        let there = format!("document.activeElement.matches({})", serde_json::json!(css));
        for _ in 0..40 {
            if self.finds(&there).await == true {
                return;
            }
            self.types(Key::Tab).await;
        }
        panic!("Tab never reaches `{css}`");
    }

    async fn signs_in_by_keys(&self, name: &str) {
        self.opens("/sign-in").await;
        self.sees("#name:focus").await;
        self.types(name).await;
        self.types(Key::Tab).await;
        self.types(PASSWORD).await;
        self.types(Key::Enter).await;
        self.sees(".composer textarea:focus").await;
    }

    async fn jumps_by_keys(&self, letters: &str, room: &str) {
        self.types(Key::Control + "k").await;
        self.sees("dialog[open] input:focus").await;
        self.types(letters).await;
        let chosen = "document.querySelector('[role=option][aria-selected=true]')?.innerText";
        self.until("the room is chosen", &format!("{chosen}.includes('{room}')")).await;
        self.types(Key::Enter).await;
        self.sees(&format!("[aria-label=\"Write to {room}\"]:focus")).await;
    }

    async fn signs_out_by_keys(&self) {
        self.tabs_to(".me .tool").await;
        self.types(Key::Enter).await;
        self.sees("[role=menu] :focus").await;
        self.types(Key::Up).await;
        self.types(Key::Enter).await;
        self.sees("dialog[open] .is-plain:focus").await;
        self.types(Key::Tab).await;
        self.types(Key::Enter).await;
        self.sees(".entry input:focus").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_goes_without_a_mouse() {
    let (server, account) = Server::of_ana().await;
    account.open("garden", "closed").await;
    let ana = Person::at_a_desk(&server).await;
    ana.signs_in_by_keys("Ana").await;
    assert_eq!(ana.finds("document.querySelector('h1').innerText").await, "lobby");
    ana.jumps_by_keys("gard", "garden").await;

    ana.types("Helo").await;
    ana.types(Key::Enter).await;
    ana.reads_messages(&["Helo"]).await;
    ana.sees(".message time").await;
    ana.types(Key::Up).await;
    ana.sees(".edit__text:focus").await;
    ana.types(Key::Control + "a").await;
    ana.types("Hello").await;
    ana.types(Key::Enter).await;
    ana.reads_messages(&["Hello"]).await;
    ana.sees("[data-key]:focus").await;
    ana.types(Key::Delete).await;
    ana.sees("dialog[open] .is-plain:focus").await;
    ana.types(Key::Tab).await;
    ana.types(Key::Enter).await;
    ana.reads_messages(&["This message was deleted."]).await;
    ana.sees_no("dialog").await;
    assert_ne!(ana.finds("document.activeElement.localName").await, "body", "the focus is lost");

    ana.signs_out_by_keys().await;
    assert_eq!(ana.complaints().await, [""; 0]);
}
