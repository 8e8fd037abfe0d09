//! The scenarios that the timelines in Rust and JavaScript both run are well formed and of one cast.

use crate::fixtures::folder;
use protocol::frame::{MessagePage, Posted, Reset};
use protocol::{Error, Nonce, ServerFrame, UserId};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scenario {
    name: String,
    about: String,
    start: Start,
    me: UserId,
    steps: Vec<Value>,
    expect: Expect,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Start {
    last: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expect {
    last: u64,
    gap: Option<Value>,
    list: Vec<Value>,
}

fn is<T: DeserializeOwned>(value: &Value) -> bool {
    serde_json::from_value::<T>(value.clone()).is_ok()
}

fn well_formed(step: &Value) -> bool {
    let Some((kind, body)) = step.as_object().and_then(|step| step.iter().next()) else { return false };
    match kind.as_str() {
        "event" => matches!(
            ServerFrame::decode(&body.to_string()),
            Ok(ServerFrame::Event(_))
                | Ok(ServerFrame::Unknown(protocol::Unknown { room: Some(_), seq: Some(_) }))
        ),
        "page" => {
            let request = body["request"].as_str();
            matches!(request, Some("newest" | "older" | "newer" | "around"))
                && is::<MessagePage>(&body["page"])
        }
        "reset" => is::<Reset>(body),
        "pending" => is::<Nonce>(&body["nonce"]) && body["text"].is_string(),
        "posted" => is::<Posted>(body),
        "failed" => is::<Nonce>(&body["nonce"]) && is::<Error>(&body["error"]),
        _ => false,
    }
}

#[test]
fn every_scenario_is_well_formed() {
    let mut count = 0;
    for entry in std::fs::read_dir(folder().join("timelines")).expect("the scenarios' folder") {
        let path = entry.expect("an entry").path();
        let shown = path.display();
        let text = std::fs::read_to_string(&path).expect("a readable scenario");
        let scenario: Scenario = serde_json::from_str(&text).expect("a scenario");
        assert_eq!(path.file_stem().and_then(|stem| stem.to_str()), Some(&*scenario.name.replace(' ', "_")));
        assert!(scenario.about.ends_with('.'), "{shown}: `about` is a sentence");
        assert!(scenario.me.to_string().ends_with('a'), "{shown}: the scenario is told by Ana");
        assert!(scenario.start.last <= scenario.expect.last, "{shown}: `last` went back");
        for step in &scenario.steps {
            assert!(well_formed(step), "{shown}: {step}");
        }
        for row in &scenario.expect.list {
            let settled = row["seq"].is_u64() && row["rev"].is_u64() && row["deleted"].is_boolean();
            let pending = row["nonce"].is_string() && row["state"].is_string();
            assert!(row["text"].is_string() && settled != pending, "{shown}: {row}");
        }
        assert!(scenario.expect.gap.is_none_or(|gap| gap["after"].is_u64()), "{shown}: the gap");
        count += 1;
    }
    assert!(count >= 29, "only {count} scenarios");
}
