//! Whatever people write is text.

use crate::person::Person;
use crate::server::Server;
use serde_json::json;

const CORPUS: [&str; 16] = [
    "<script>window.broken = 1</script>",
    "<img src=x onerror=\"window.broken = 2\">",
    "<svg onload=window.broken=3>",
    "\"><svg/onload=window.broken=4>",
    "javascript:window.broken=5",
    "[click](javascript:window.broken=6)",
    "https://example.org/\"onmouseover=\"window.broken=7",
    "https://example.org/'><img src=x onerror=window.broken=8>",
    "http://javascript:window.broken=9@example.org",
    "${window.broken = 10} {{session}} {{name}}",
    "</script><script>window.broken = 11</script>",
    "<style>*{display:none}</style>",
    "<iframe srcdoc=\"<script>parent.broken=12</script>\"></iframe>",
    "data:text/html,<script>window.broken=13</script>",
    "<a href=\"javascript:window.broken=14\">link</a>",
    "&lt;b&gt; &amp; &#60;script&#62;",
];

#[tokio::test(flavor = "multi_thread")]
async fn markup_in_messages_names_and_the_name_of_the_house_stays_text() {
    let house = "</title></script><script>broken=20</script>";
    let (server, account) = Server::of_ana_with(&["--name", house]).await;
    let lobby = account.room("lobby").await;
    for text in CORPUS {
        account.say(&lobby, text).await;
    }
    let mallory = server.member("<img src=x onerror=broken=21>").await;
    mallory.say(&lobby, "My name is markup.").await;
    account.open("<svg onload=broken=22>", "open").await;

    let ana = Person::signed_in(&server, &account).await;
    ana.enters("lobby").await;
    let expected: Vec<&str> = CORPUS.into_iter().chain(["My name is markup."]).collect();
    ana.reads_messages(&expected).await;
    ana.writes("<b>draft</b>").await;
    ana.presses("<svg onload=broken=22>").await;
    ana.reads("The door is open, the chairs are out.").await;
    ana.until("the names are there", &format!("document.title.includes({})", json!(house))).await;
    ana.opens(&format!("/rooms/{lobby}")).await;
    ana.reads("<img src=x onerror=broken=21>").await;
    ana.presses("Room details").await;

    assert_eq!(ana.finds("typeof window.broken").await, "undefined");
    assert_eq!(
        ana.finds("document.querySelectorAll('#root script, #root img, #root iframe, #root style').length")
            .await,
        0
    );
    let links = ana
        .finds("[...document.querySelectorAll('.message a')].map((one) => new URL(one.href).protocol)")
        .await;
    assert!(links.as_array().unwrap().iter().all(|link| link == "https:" || link == "http:"), "{links}");
    let attributes = "[...new Set([...document.querySelectorAll('.message a')]
        .map((one) => one.getAttributeNames().sort().join(' ') + ': ' + one.rel))]";
    assert_eq!(ana.finds(attributes).await, json!(["href rel target: noopener noreferrer nofollow"]));
    assert_eq!(ana.complaints().await, [""; 0]);
}
