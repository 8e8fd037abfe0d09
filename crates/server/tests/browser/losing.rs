//! The server dies and comes back.

use crate::person::Person;
use crate::server::Server;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_while_the_server_is_dead_arrives_once_and_in_order_without_a_reload() {
    let (mut server, account) = Server::of_ana().await;
    let (ana, ben) = (Person::signed_in(&server, &account).await, Person::at_a_desk(&server).await);
    ben.takes(&server.member("Ben").await).await;
    for person in [&ana, &ben] {
        person.enters("lobby").await;
        person.runs("window.neverReloaded = true").await;
    }
    ana.says("before").await;
    ben.reads_messages(&["before"]).await;
    ana.sees(".message time").await;

    server.kill();
    ana.says("one").await;
    ana.says("two").await;
    ana.sees(".banner").await;
    ana.reads("Keep writing; it goes out when the line is back.").await;
    ana.says("three").await;
    ana.reads("3 messages waiting").await;
    ana.reads_messages(&["before", "one", "two", "three"]).await;
    ana.until("nothing claims to be sent", "document.querySelectorAll('.message time').length === 1").await;
    ana.until(
        "the third one waits",
        "[...document.querySelectorAll('.message__margin')].at(-1).innerText === 'Waiting'",
    )
    .await;
    ben.says("from Ben").await;

    server.come_back();
    // "Try now", unless they are back by themselves by now.
    for person in [&ana, &ben] {
        person.runs("document.querySelector('.banner button')?.click()").await;
    }
    let all = ["before", "one", "two", "three"];
    ana.until("everything has its time", "document.querySelectorAll('.message time').length === 5").await;
    ben.until("everything has its time", "document.querySelectorAll('.message time').length === 5").await;
    ana.sees_no(".banner, .outbox").await;
    let stored = account.texts("lobby").await;
    let from_ana: Vec<&String> = stored.iter().filter(|text| *text != "from Ben").collect();
    assert_eq!(from_ana, all);
    for person in [&ana, &ben] {
        let stored: Vec<&str> = stored.iter().map(String::as_str).collect();
        person.reads_messages(&stored).await;
        assert_eq!(person.finds("window.neverReloaded").await, true);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_one_server_follows_the_other_nobody_is_shown_a_failure() {
    const WATCH: &str = "window.shown = []; new MutationObserver(() => {
        for (const it of document.querySelectorAll('.banner, .outbox, .message__fate')) window.shown.push(it.innerText);
    }).observe(document.body, { subtree: true, childList: true, attributes: true });";
    let (mut server, account) = Server::of_ana().await;
    let (ana, ben) = (Person::signed_in(&server, &account).await, Person::at_a_desk(&server).await);
    ben.takes(&server.member("Ben").await).await;
    for person in [&ana, &ben] {
        person.enters("lobby").await;
        person.runs(WATCH).await;
    }
    let mut said = Vec::new();
    for round in 0..3 {
        let texts = [format!("before {round}"), format!("after {round}")];
        ana.says(&texts[0]).await;
        server.is_followed();
        ben.says(&texts[1]).await;
        said.extend(texts);
        for person in [&ana, &ben] {
            person.reads_messages(&said.iter().map(String::as_str).collect::<Vec<_>>()).await;
        }
    }
    ana.until("everything has its time", "document.querySelectorAll('.message time').length === 6").await;
    for person in [&ana, &ben] {
        assert_eq!(person.finds("window.shown").await, serde_json::json!([]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_kept_over_a_reload_without_a_server_is_sent_when_it_is_back() {
    let (mut server, account) = Server::of_ana().await;
    let ana = Person::signed_in(&server, &account).await;
    ana.enters("lobby").await;
    server.kill();
    ana.says("Written down first.").await;
    ana.until("it is not sent", "document.querySelector('.is-waiting, .is-unsure')").await;
    server.come_back();
    ana.reloads().await;
    ana.until("it has its time", "document.querySelectorAll('.message time').length === 1").await;
    assert_eq!(account.texts("lobby").await, ["Written down first."]);
}
