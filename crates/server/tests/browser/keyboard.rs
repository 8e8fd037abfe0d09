//! Without a mouse.

use crate::person::Person;
use crate::server::{PASSWORD, Server};
use thirtyfour::Key;

impl Person {
    /// Presses Tab until the focus is on something, and sees on the way that it never gets lost.
    async fn tabs_to(&self, css: &str) {
        for _ in 0..40 {
            if self.finds(&format!("document.activeElement.matches({})", serde_json::json!(css))).await == true {
                return;
            }
            self.types(Key::Tab).await;
        }
        panic!("Tab never reaches `{css}`");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_goes_without_a_mouse() {
    let (server, account) = Server::of_ana().await;
    account.open("garden", "closed").await;
    let ana = Person::at_a_desk(&server).await;
    ana.opens("/sign-in").await;
    ana.sees("#name:focus").await;
    ana.types("Ana").await;
    ana.types(Key::Tab).await;
    ana.types(PASSWORD).await;
    ana.types(Key::Enter).await;
    ana.until("one can write", "document.activeElement.matches('.composer textarea')").await;
    assert_eq!(ana.finds("document.querySelector('h1').innerText").await, "lobby");
    ana.types(Key::Control + "k").await;
    ana.sees("dialog[open] input:focus").await;
    ana.types("gard").await;
    ana.until("the garden is chosen", "document.querySelector('[role=option][aria-selected=true]')?.innerText.includes('garden')").await;
    ana.types(Key::Enter).await;
    ana.until("one can write in the garden", "document.activeElement.matches('[aria-label=\"Write to garden\"]')").await;

    ana.types("Helo").await;
    ana.types(Key::Enter).await;
    ana.reads_messages(&["Helo"]).await;
    ana.sees_no(".is-sending").await;
    ana.types(Key::Up).await;
    ana.sees(".edit__text:focus").await;
    ana.types(Key::Control + "a").await;
    ana.types("Hello").await;
    ana.types(Key::Enter).await;
    ana.reads_messages(&["Hello"]).await;
    ana.until("the message has the focus", "document.activeElement.matches('[data-key]')").await;
    ana.types(Key::Delete).await;
    ana.sees("dialog[open] .is-plain:focus").await;
    ana.types(Key::Tab).await;
    ana.types(Key::Enter).await;
    ana.reads_messages(&["This message was deleted."]).await;
    ana.sees_no("dialog").await;
    assert_ne!(ana.finds("document.activeElement.localName").await, "body", "the focus is lost after the dialog");

    ana.tabs_to(".me .tool").await;
    ana.types(Key::Enter).await;
    ana.sees("[role=menu] :focus").await;
    ana.types(Key::Up).await;
    ana.types(Key::Enter).await;
    ana.sees("dialog[open] .is-plain:focus").await;
    ana.types(Key::Tab).await;
    ana.types(Key::Enter).await;
    ana.sees(".entry input:focus").await;
    assert_eq!(ana.complaints().await, [""; 0]);
}
