//! Numbers for docs/performance.md: printed; only those that noise cannot touch are asserted.

use crate::person::Person;
use crate::server::Server;
use serde_json::Value;
use std::io::Write;

/// What the first view of a room asked for, the WebSocket included, which the browser does not list.
const REQUESTS: &str = "const all = [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')];
    const scripts = all.filter((one) => one.name.endsWith('.js'));
    const sum = (some, key) => some.reduce((total, one) => total + one[key], 0);
    return { requests: all.length + 1, foreign: all.filter((one) => !one.name.startsWith(location.origin)).map((one) => one.name),
        scripts: scripts.length, scriptBytes: sum(scripts, 'encodedBodySize'), allBytes: sum(all, 'encodedBodySize'),
        names: all.map((one) => new URL(one.name).pathname) };";

/// Sends one message after the other, and measures from the key to the frame that shows it, and to its answer.
const SEND: &str = "
    const field = document.querySelector('.composer textarea');
    const frame = () => new Promise(requestAnimationFrame);
    const painted = [], answered = [];
    for (let turn = 0; turn < 70; turn++) {
        const text = `message ${turn} ${Math.random()}`;
        field.value = text;
        field.dispatchEvent(new InputEvent('input', { bubbles: true }));
        await frame();
        const start = performance.now();
        const row = new Promise((found) => {
            const watch = new MutationObserver(() => {
                const row = [...document.querySelectorAll('.message')].at(-1);
                if (!row?.innerText.includes(text)) return;
                watch.disconnect();
                found(row);
            });
            watch.observe(document.querySelector('.pane'), { childList: true, subtree: true });
        });
        field.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true, cancelable: true }));
        await row;
        await frame();
        painted.push(performance.now() - start);
        while (![...document.querySelectorAll('.message')].at(-1).querySelector('time')) await frame();
        answered.push(performance.now() - start);
    }
    const of = (all, part) => all.toSorted((a, b) => a - b)[Math.floor(all.length * part)];
    const warm = (all) => all.slice(10);
    return { n: warm(painted).length, painted50: of(warm(painted), 0.5), painted95: of(warm(painted), 0.95),
        answered50: of(warm(answered), 0.5), answered95: of(warm(answered), 0.95) };";

/// Straight to the terminal: what a passing test prints is kept back.
fn tell(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_view_of_a_room_is_small_and_asks_nobody_else() {
    let (server, account) = Server::of_ana().await;
    account.say("lobby", "Good morning.").await;
    let ana = Person::signed_in(&server, &account).await;
    ana.opens("/").await;
    ana.reads_messages(&["Good morning."]).await;
    let seen = ana.runs(REQUESTS).await;
    tell(&format!(
        "first room view: {} requests, {} scripts of {} bytes, {} bytes in all, compressed",
        seen["requests"], seen["scripts"], seen["scriptBytes"], seen["allBytes"]
    ));
    assert_eq!(seen["foreign"], serde_json::json!([]));
    assert!(seen["requests"].as_u64().unwrap() <= 25, "{seen}");
    assert!(seen["scriptBytes"].as_u64().unwrap() <= 90_000, "{seen}");
    assert!(seen["scriptBytes"].as_u64().unwrap() > 10_000, "{seen}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ones_own_message_is_on_the_screen_before_the_server_has_answered() {
    let (server, account) = Server::of_ana().await;
    account.say("lobby", "Good morning.").await;
    let ana = Person::signed_in(&server, &account).await;
    ana.enters("lobby").await;
    let seen = ana.awaits(SEND).await;
    let ms = |name: &str| seen[name].as_f64().unwrap_or_else(|| panic!("{seen}"));
    tell(&format!(
        "Enter to one's own message painted: p50 {:.1} ms, p95 {:.1} ms over {} sends",
        ms("painted50"),
        ms("painted95"),
        seen["n"]
    ));
    tell(&format!(
        "Enter to its answer painted: p50 {:.1} ms, p95 {:.1} ms",
        ms("answered50"),
        ms("answered95")
    ));
    assert_eq!(seen["n"], Value::from(60));
    assert_eq!(account.texts("lobby").await.len(), account.messages("lobby").await.len());
}
