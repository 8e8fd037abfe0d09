//! The picture in the README: a house people live in. Not a test of anything, so it is drawn only when asked for.

use crate::person::Person;
use crate::server::Server;
use serde_json::json;
use std::path::Path;
use thirtyfour::Key;

/// What is said in the lobby: how many minutes after nine, by whom, what.
const TALK: [(u32, &str, &str); 11] = [
    (2, "Dot", "Backup of last night: 214 MB, checked, all good."),
    (12, "Ana", "Morning. The seedlings came, forty trays. They are in the shade behind the shed."),
    (13, "Ana", "Please water them before eleven, it will be hot."),
    (31, "Cyd", "Hello, I found the link on the notice board. Is the open day still on Saturday?"),
    (
        33,
        "Ana",
        "Welcome, Cyd. Yes, from two. Ben shows people around, there is cake, and nobody has to know about plants.",
    ),
    (34, "Cyd", "I bring my father then. He knows everything about plants."),
    (35, "Ben", "He is hired."),
    (
        38,
        "Ben",
        "The plan of the beds is here: https://garden.example.org/beds\nBeans along the fence, pumpkins where the compost was.",
    ),
    (49, "Ana", "Put the pumpkins one row further in. Last year they walked into the neighbours'."),
    (52, "Ben", "They sent a thank-you card."),
    (53, "Ana", "They sent a pumpkin."),
];

/// A day of its own: what the server says was said in one second was said over a morning.
const CLOCK: &str = "
    const minutes = MINUTES;
    const parse = JSON.parse;
    JSON.parse = (text, reviver) => {
        const frame = parse(text, reviver);
        for (const message of frame?.ok?.messages ?? []) {
            message.at = new Date().setHours(9, minutes[(message.n - 1) % minutes.length], 0, 0);
        }
        return frame;
    };";

#[tokio::test(flavor = "multi_thread")]
#[ignore = "draws docs/roomful.png"]
async fn the_picture_of_the_readme() {
    let (server, ana) = Server::of_ana_with(&["--name", "Riverside Garden"]).await;
    let (ben, dot) = (server.member("Ben").await, server.member("Dot").await);
    let cyd = server.guest("Cyd").await;
    for (name, kind, news) in [
        ("garden", "open", Some("Slugs again. Third bed.")),
        ("keys and tools", "closed", None),
        ("open day", "open", Some("Who brings the long table?")),
        ("recipes", "open", None),
        ("treasurer", "closed", None),
    ] {
        let room = ana.open(name, kind).await;
        ana.bring(&room, &ben).await;
        ana.say(&room, "This is where it belongs.").await;
        if let Some(news) = news {
            ben.say(&room, news).await;
        }
    }
    for (_, name, text) in TALK {
        let account = match name {
            "Ana" => &ana,
            "Ben" => &ben,
            "Cyd" => &cyd,
            _ => &dot,
        };
        account.say("lobby", text).await;
    }
    let mut others = Vec::new();
    for account in [&ben, &cyd, &dot] {
        let other = Person::signed_in(&server, account).await;
        other.enters("lobby").await;
        others.push(other);
    }

    let painter = Person::signed_in(&server, &ana).await;
    let metrics = json!({ "width": 1440, "height": 900, "deviceScaleFactor": 1, "mobile": false });
    painter.devtools("Emulation.setDeviceMetricsOverride", metrics).await;
    let minutes: Vec<u32> = TALK.iter().map(|(minute, _, _)| *minute).collect();
    let clock = CLOCK.replace("MINUTES", &json!(minutes).to_string());
    painter.devtools("Page.addScriptToEvaluateOnNewDocument", json!({ "source": clock })).await;
    painter.enters("lobby").await;
    painter.reads("4 people here").await;
    painter.types(Key::Escape).await;
    painter.until("the font is there", "document.fonts.status === 'loaded'").await;
    painter
        .until("what is in the lobby was read", "document.querySelectorAll('.row.is-unread').length === 2")
        .await;
    painter.runs("document.activeElement.blur()").await;
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/roomful.png");
    std::fs::write(path, painter.screenshot().await).unwrap();
}
