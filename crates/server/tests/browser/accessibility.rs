//! Nobody is kept out: axe-core finds nothing in any state, in light and in dark.

use crate::person::Person;
use crate::server::Server;
use serde_json::json;
use thirtyfour::Key;

#[tokio::test(flavor = "multi_thread")]
async fn the_front_door_keeps_nobody_out() {
    let server = Server::without_owner(&["--guests", "off"]);
    let ana = Person::at_a_desk(&server).await;
    ana.opens("/").await;
    ana.reads("This house is not set up yet.").await;
    ana.passes_axe("waiting for the owner").await;
    ana.opens(server.setup_link()).await;
    ana.reads("A new house.").await;
    ana.passes_axe("set up").await;
    ana.opens("/setup#token=").await;
    ana.reloads().await;
    ana.sees("#token").await;
    ana.presses("Open the house").await;
    ana.sees(".wrong").await;
    ana.passes_axe("set up, with an error").await;

    let (server, account) = Server::of_ana().await;
    let cyd = Person::at_a_desk(&server).await;
    cyd.opens("/").await;
    cyd.reads("What should people call you?").await;
    cyd.passes_axe("guest").await;
    cyd.opens("/sign-in").await;
    cyd.sees("#password").await;
    cyd.presses_at("form .is-main").await;
    cyd.sees(".wrong").await;
    cyd.passes_axe("sign in").await;
    cyd.opens(&account.invite().await).await;
    cyd.reads("Ana asked you in").await;
    cyd.passes_axe("sign up").await;
    cyd.opens("/invite#token=rfi_nothing").await;
    cyd.reloads().await;
    cyd.reads("This link does not open the door.").await;
    cyd.passes_axe("a spent link").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_keeps_nobody_out() {
    let (server, account) = Server::of_ana().await;
    let garden = account.open("garden", "closed").await;
    let ben = server.member("Ben").await;
    account.bring(&garden, &ben).await;
    let ana = Person::signed_in(&server, &account).await;
    ana.enters("lobby").await;
    ana.reads("The door is open, the chairs are out.").await;
    ana.passes_axe("empty room").await;

    ben.say(&garden, "See https://example.org/beans").await;
    ben.say("lobby", "Good morning.").await;
    account.say("lobby", "Good morning, Ben.").await;
    ana.until("the garden is lit", "document.querySelector('.row.is-unread')").await;
    ana.passes_axe("room with messages").await;
    ana.presses_at(".message .message__text").await;
    ana.sees(".tools").await;
    ana.passes_axe("tools of a message").await;
    if ana.finds("!document.querySelector('.panel')").await == true {
        ana.presses("Room details").await;
    }
    ana.sees(".panel .person").await;
    ana.passes_axe("details").await;
    ana.writes("x").await;
    ana.devtools("Input.insertText", json!({ "text": "\u{7}" })).await;
    ana.types(Key::Enter).await;
    ana.reads("Not sent.").await;
    ana.passes_axe("failed message").await;
    ana.presses("Edit").await;
    ana.runs("document.querySelector('.composer textarea').select()").await;
    ana.types(Key::Backspace).await;
    ana.types(Key::Up).await;
    ana.sees(".edit__text:focus").await;
    ana.passes_axe("editing").await;
    ana.opens(&format!("/rooms/{}", account.id)).await;
    ana.reads("This door stays shut.").await;
    ana.passes_axe("a door that stays shut").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dialogs_and_menus_keep_nobody_out() {
    let (server, account) = Server::of_ana().await;
    account.say("lobby", "To be deleted.").await;
    server.member("Ben").await;
    let ana = Person::signed_in(&server, &account).await;
    ana.enters("lobby").await;
    ana.types(Key::Control + "k").await;
    ana.sees("dialog[open] input:focus").await;
    ana.types("b").await;
    ana.reads("Ben").await;
    ana.passes_axe("switcher").await;
    ana.closes_dialog().await;

    for (menu, item, words) in [
        ("Open or find a room", "Open a room", "Who finds it?"),
        ("Open or find a room", "Find rooms", "Go there"),
        ("More about this room", "Make an invite link", "It is shown this once."),
        ("More about this room", "Invite a member", "Ben"),
        ("Settings", "Sign out", "Sign out?"),
    ] {
        ana.presses(menu).await;
        ana.sees("[role=menu]").await;
        ana.passes_axe(menu).await;
        ana.chooses(item).await;
        ana.sees("dialog[open]").await;
        ana.reads(words).await;
        ana.passes_axe(item).await;
        ana.closes_dialog().await;
    }
    ana.presses_at(".message .message__text").await;
    ana.presses("Delete message").await;
    ana.reads("Delete this message?").await;
    ana.passes_axe("confirm delete").await;
    ana.closes_dialog().await;
    ana.types(Key::Control + "/").await;
    ana.sees("dialog .keys").await;
    ana.passes_axe("list of keys").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_and_a_lost_line_keep_nobody_out() {
    let (mut server, account) = Server::of_ana().await;
    account.say("lobby", "Good morning.").await;
    let ana = Person::on_a_phone(&server, 390, 844).await;
    ana.takes(&account).await;
    ana.opens("/").await;
    ana.sees(".sidebar a.row").await;
    ana.passes_axe("phone, list").await;
    ana.presses("lobby").await;
    ana.reads_messages(&["Good morning."]).await;
    ana.passes_axe("phone, room").await;
    ana.presses("Room details").await;
    ana.sees(".panel .person").await;
    ana.passes_axe("phone, details").await;
    ana.goes_back().await;
    ana.sees_no(".panel").await;
    server.kill();
    ana.writes("Later.").await;
    ana.presses("Send").await;
    ana.sees(".banner").await;
    ana.sees(".outbox").await;
    ana.passes_axe("no connection").await;
}

impl Person {
    async fn closes_dialog(&self) {
        self.types(Key::Escape).await;
        self.sees_no("dialog").await;
    }
}
