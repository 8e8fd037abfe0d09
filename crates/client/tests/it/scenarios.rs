//! The scenarios that JavaScript runs too.

use crate::peer::{LOBBY, hello};
use client::{State, Timeline, Window};
use protocol::frame::Posted;
use protocol::{Nonce, RoomId, ServerFrame};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::path::Path;

fn read<T: DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).expect("a part of a scenario")
}

fn lobby() -> RoomId {
    LOBBY.parse().expect("an id")
}

fn started(scenario: &Value) -> State {
    let mut state = State::default();
    let mut hello = hello(scenario["start"]["last"].as_u64().expect("a start"));
    hello["user"]["id"] = scenario["me"].clone();
    hear(&mut state, &hello);
    state
}

fn hear(state: &mut State, frame: &Value) {
    let frame = ServerFrame::decode(&frame.to_string()).expect("a frame");
    // What to ask because of it: here the scenario knows what is answered.
    let _ = state.hear(&frame);
}

fn take(state: &mut State, step: &Value) {
    let (kind, body) = step.as_object().and_then(|step| step.iter().next()).expect("a step");
    let nonce = || read::<Nonce>(&body["nonce"]);
    match kind.as_str() {
        "event" => hear(state, body),
        "reset" => {
            let mut frame = body.clone();
            frame["type"] = json!("reset");
            hear(state, &frame);
        }
        "page" => {
            let timeline = &state.timelines[&lobby()];
            let wanted = match body["request"].as_str() {
                Some("newest") => Window::Newest,
                Some("older") => timeline.older(),
                Some("newer") => timeline.newer(),
                Some("around") => {
                    Window::Around(body["page"]["messages"][0]["seq"].as_u64().expect("a message"))
                }
                other => unreachable!("no such request: {other:?}"),
            };
            state.page(lobby(), wanted, &read(&body["page"]));
        }
        "pending" => state.outbox.add(lobby(), body["text"].as_str().expect("a text"), &nonce()),
        "posted" => state.posted(&read::<Posted>(body)),
        "failed" => {
            state.outbox.refused(&nonce(), &read(&body["error"]));
        }
        other => unreachable!("no such step: {other}"),
    }
}

fn list(state: &State) -> Vec<Value> {
    let messages = state.timelines[&lobby()].messages().map(|message| {
        let edited = message.edited_at.is_some();
        let mut row = json!({"seq": message.seq, "text": message.body.text, "rev": message.rev,
            "deleted": message.deleted, "edited": edited});
        if !message.beside.reactions.is_empty() {
            row["reactions"] =
                message.beside.reactions.iter().map(|one| json!([one.emoji, one.count])).collect();
        }
        row
    });
    let pending = state
        .outbox
        .pending()
        .iter()
        .map(|draft| json!({"nonce": draft.nonce, "text": draft.text, "state": draft.state.name()}));
    messages.chain(pending).collect()
}

#[test]
fn every_scenario_ends_as_expected() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../protocol/fixtures/timelines");
    let mut failed = Vec::new();
    let mut count = 0;
    for entry in std::fs::read_dir(folder).expect("the scenarios") {
        let text = std::fs::read_to_string(entry.expect("an entry").path()).expect("a scenario");
        let scenario: Value = serde_json::from_str(&text).expect("a scenario");
        let mut state = started(&scenario);
        for step in scenario["steps"].as_array().expect("steps") {
            take(&mut state, step);
        }
        let timeline: &Timeline = &state.timelines[&lobby()];
        let gap = timeline.gap().map(|after| json!({"after": after}));
        let ended = json!({"last": timeline.last(), "gap": gap, "list": list(&state)});
        if ended != scenario["expect"] {
            failed.push(format!("{}: expected {}, got {ended}", scenario["name"], scenario["expect"]));
        }
        count += 1;
    }
    assert!(failed.is_empty() && count > 0, "{}", failed.join("\n"));
}

#[test]
fn a_seq_at_the_edge_of_what_a_number_holds_does_no_harm() {
    let mut state =
        started(&json!({"start": {"last": u64::MAX}, "me": "0192f0c1-0000-7000-8000-00000000000a"}));
    let mut event = crate::peer::posted(12, "x");
    for seq in [0, 1, u64::MAX] {
        event["seq"] = json!(seq);
        hear(&mut state, &event);
    }
    let page = json!({"as_of": 0, "messages": [], "more_before": true, "more_after": true});
    for wanted in [Window::Newest, Window::Before(0), Window::After(u64::MAX), Window::Around(0)] {
        state.page(lobby(), wanted, &read(&page));
    }
    assert_eq!(state.timelines[&lobby()].last(), u64::MAX);
}
