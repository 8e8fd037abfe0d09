//! Light and dark.

use crate::person::Person;
use crate::server::Server;
use serde_json::json;

/// Notes how the page looks when the first frame is drawn.
const FIRST_FRAME: &str = "requestAnimationFrame(function look() {
    if (!document.body) return requestAnimationFrame(look);
    window.firstFrame = `${document.documentElement.dataset.theme} ${getComputedStyle(document.body).backgroundColor}`;
});";

#[tokio::test(flavor = "multi_thread")]
async fn a_chosen_theme_is_in_the_first_byte_and_the_first_frame_of_every_later_page() {
    let (server, account) = Server::of_ana().await;
    let ana = Person::signed_in(&server, &account).await;
    ana.enters("lobby").await;
    ana.presses("Settings").await;
    ana.presses_at(".menu__themes [role=menuitemradio]:nth-child(2)").await;
    ana.until("it is dark", "getComputedStyle(document.body).backgroundColor === 'rgb(15, 21, 23)'").await;

    let cookie = ana.finds("document.cookie").await;
    assert_eq!(cookie, "roomful_theme=dark");
    assert!(server.page("/", cookie.as_str().unwrap()).await.contains("data-theme=\"dark\""));
    assert!(server.page("/", "").await.contains("data-theme=\"\""));
    ana.devtools("Page.addScriptToEvaluateOnNewDocument", json!({ "source": FIRST_FRAME })).await;
    ana.reloads().await;
    ana.until("a frame was drawn", "window.firstFrame").await;
    assert_eq!(ana.finds("window.firstFrame").await, "dark rgb(15, 21, 23)");
    assert_eq!(ana.complaints().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_choice_the_page_follows_the_system() {
    let (server, account) = Server::of_ana().await;
    let ana = Person::signed_in(&server, &account).await;
    ana.enters("lobby").await;
    for (scheme, wall) in [("dark", "rgb(15, 21, 23)"), ("light", "rgb(233, 231, 224)")] {
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        ana.devtools("Emulation.setEmulatedMedia", features).await;
        ana.until(scheme, &format!("getComputedStyle(document.body).backgroundColor === '{wall}'")).await;
    }
}
