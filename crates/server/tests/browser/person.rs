//! Somebody in front of a browser of their own: what they open, press and write, and what they see.

use crate::account::Account;
use crate::chromedriver::Chromedriver;
use crate::server::{PASSWORD, Server};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use thirtyfour::common::capabilities::chromium::ChromiumLikeCapabilities;
use thirtyfour::prelude::*;
use thirtyfour::{ChromeCapabilities, LoggingPrefsLogLevel, TypingData, WindowHandle};

/// How long anything may take that is to happen by itself. Long, because nothing waits for it but a failure.
const DEADLINE: Duration = Duration::from_secs(30);
const STEP: Duration = Duration::from_millis(50);
const FLAGS: [&str; 12] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    // Colours that fade would be measured half way.
    "--force-prefers-reduced-motion",
    "--window-size=1280,860",
    // Nothing leaves this machine, whatever a browser may want to ask its makers.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
];
/// Notes what a page was forbidden, from its first moment on.
const WATCH: &str = "window.forbidden = [];
    addEventListener('securitypolicyviolation', (event) =>
        window.forbidden.push(`${event.violatedDirective}: ${event.blockedURI} ${event.sample}`));";

/// A person with a browser; it closes with the test.
pub struct Person {
    driver: WebDriver,
    origin: String,
    _profile: TempDir,
    _chromedriver: Arc<Chromedriver>,
}

impl Person {
    /// Somebody at a desk, before a fresh browser.
    pub async fn at_a_desk(server: &Server) -> Self {
        Self::before(server, DesiredCapabilities::chrome()).await
    }

    /// Somebody with a phone of this size.
    pub async fn on_a_phone(server: &Server, width: u32, height: u32) -> Self {
        let mut wanted = DesiredCapabilities::chrome();
        let metrics =
            json!({ "width": width, "height": height, "pixelRatio": 2.0, "touch": true, "mobile": true });
        wanted.add_experimental_option("mobileEmulation", json!({ "deviceMetrics": metrics })).unwrap();
        Self::before(server, wanted).await
    }

    /// Somebody at a desk who is signed in.
    pub async fn signed_in(server: &Server, account: &Account) -> Self {
        let person = Self::at_a_desk(server).await;
        person.takes(account).await;
        person
    }

    async fn before(server: &Server, mut wanted: ChromeCapabilities) -> Self {
        let chromedriver = Chromedriver::shared();
        let profile = TempDir::new().unwrap();
        for flag in FLAGS {
            wanted.add_arg(flag).unwrap();
        }
        wanted.add_arg(&format!("--user-data-dir={}", profile.path().display())).unwrap();
        wanted.set_browser_log_level(LoggingPrefsLogLevel::All).unwrap();
        let driver = WebDriver::new(chromedriver.url(), wanted).await.unwrap();
        driver.set_script_timeout(DEADLINE * 2).await.unwrap();
        let person = Self { driver, origin: server.url(""), _profile: profile, _chromedriver: chromedriver };
        person.devtools("Page.addScriptToEvaluateOnNewDocument", json!({ "source": WATCH })).await;
        person
    }

    /// Carries the key of somebody who signed in elsewhere.
    pub async fn takes(&self, account: &Account) {
        let (name, value) = account.cookie.split_once('=').unwrap();
        let cookie =
            json!({ "name": name, "value": value, "url": self.origin, "httpOnly": true, "sameSite": "Lax" });
        self.devtools("Network.setCookie", cookie).await;
    }

    /// Opens a place of the client, or a whole address.
    pub async fn opens(&self, path: &str) {
        let url = if path.starts_with('/') { format!("{}{path}", self.origin) } else { path.to_owned() };
        self.driver.goto(url).await.unwrap();
    }

    /// Opens a room they are in, by its name, and waits until one can write in it.
    pub async fn enters(&self, room: &str) {
        self.opens("/").await;
        self.presses(room).await;
        self.until(
            &format!("`{room}` is open"),
            &format!("document.querySelector('h1')?.innerText === {}", json!(room)),
        )
        .await;
        self.sees(".composer textarea").await;
        self.until(
            "what was said is there",
            "document.querySelector('.timeline__beginning, .timeline .message, .empty')",
        )
        .await;
    }

    /// Signs in by the form.
    pub async fn signs_in(&self, name: &str) {
        self.opens("/sign-in").await;
        self.fills("name", name).await;
        self.fills("password", PASSWORD).await;
        self.types(Key::Enter).await;
        self.sees(".composer textarea").await;
    }

    pub async fn reloads(&self) {
        self.driver.refresh().await.unwrap();
    }

    pub async fn goes_back(&self) {
        self.driver.back().await.unwrap();
    }

    /// Opens a second tab, at a place of the client, and looks at it.
    pub async fn opens_a_tab(&self, path: &str) -> WindowHandle {
        let tab = self.driver.new_tab().await.unwrap();
        self.driver.switch_to_window(tab.clone()).await.unwrap();
        self.opens(path).await;
        tab
    }

    /// Waits for something on the screen.
    pub async fn sees(&self, css: &str) -> WebElement {
        let query = self.driver.query(By::Css(css)).ignore_errors(true).wait(DEADLINE, STEP).and_displayed();
        match query.first_opt().await {
            Ok(Some(element)) => element,
            other => self.gives_up(&format!("`{css}` is on the screen"), &format!("{other:?}")).await,
        }
    }

    /// Waits until something is nowhere on the page.
    pub async fn sees_no(&self, css: &str) {
        self.until(&format!("`{css}` is gone"), &format!("!document.querySelector({})", json!(css))).await;
    }

    /// Waits for words anywhere on the screen.
    pub async fn reads(&self, words: &str) {
        self.until(
            &format!("the page says `{words}`"),
            &format!("document.body.innerText.includes({})", json!(words)),
        )
        .await;
    }

    /// Waits until the open room's messages say exactly this, one after the other.
    pub async fn reads_messages(&self, texts: &[&str]) {
        let said =
            "JSON.stringify([...document.querySelectorAll('.message__text')].map((one) => one.innerText))";
        self.until(
            &format!("the room says {texts:?}"),
            &format!("{said} === {}", json!(json!(texts).to_string())),
        )
        .await;
    }

    /// Presses whatever has this name, with the pointer or a finger.
    pub async fn presses(&self, name: &str) {
        let name = format!("normalize-space(.)=\"{name}\" or @aria-label=\"{name}\"");
        let kinds = "self::button or self::a or @role='option'";
        self.press(By::XPath(format!("//*[{kinds}][{name} or .//*[self::b or self::span][{name}]]"))).await;
    }

    /// Chooses from the menu that is open.
    pub async fn chooses(&self, name: &str) {
        self.press(By::XPath(format!("//*[@role='menu']//button[normalize-space(span)=\"{name}\"]"))).await;
    }

    /// Presses the first thing that a selector finds.
    pub async fn presses_at(&self, css: &str) {
        self.press(By::Css(css)).await;
    }

    async fn press(&self, by: By) {
        let begun = Instant::now();
        loop {
            let query =
                self.driver.query(by.clone()).ignore_errors(true).wait(DEADLINE, STEP).and_clickable();
            let pressed = match query.first().await {
                Ok(element) => element.click().await,
                Err(error) => Err(error),
            };
            match pressed {
                Ok(()) => return,
                // What moves away between looking and pressing is looked for again.
                Err(_) if begun.elapsed() < DEADLINE => {}
                Err(error) => self.gives_up("it can be pressed", &error.to_string()).await,
            }
        }
    }

    /// Writes into the field with this id.
    pub async fn fills(&self, id: &str, text: &str) {
        self.sees(&format!("#{id}")).await.send_keys(text).await.unwrap();
    }

    /// Writes into the composer.
    pub async fn writes(&self, text: &str) {
        self.sees(".composer textarea").await.send_keys(text).await.unwrap();
    }

    /// Writes a message and sends it.
    pub async fn says(&self, text: &str) {
        self.writes(text).await;
        self.types(Key::Enter).await;
    }

    /// Presses keys, wherever the focus is.
    pub async fn types(&self, keys: impl Into<TypingData>) {
        self.driver.active_element().await.unwrap().send_keys(keys).await.unwrap();
    }

    /// Waits until a condition in the page's own language holds.
    pub async fn until(&self, what: &str, condition: &str) {
        let script: Arc<str> = format!("return Boolean({condition});").into();
        let holds = move |page: WebElement| {
            let script = Arc::clone(&script);
            async move {
                let answer = page.handle().execute(script, Vec::new()).await;
                Ok(answer.is_ok_and(|answer| answer.json().as_bool() == Some(true)))
            }
        };
        let query =
            self.driver.query(By::Css("html")).ignore_errors(true).wait(DEADLINE, STEP).with_filter(holds);
        match query.first_opt().await {
            Ok(Some(_)) => {}
            other => self.gives_up(what, &format!("{other:?}")).await,
        }
    }

    /// What an expression in the page's own language is worth.
    pub async fn finds(&self, expression: &str) -> Value {
        self.runs(&format!("return {expression};")).await
    }

    /// Runs a script in the page.
    pub async fn runs(&self, script: &str) -> Value {
        self.driver.execute(script, Vec::new()).await.unwrap().json().clone()
    }

    /// Runs a script that waits for things, and gives what it returns.
    pub async fn awaits(&self, script: &str) -> Value {
        let waiting = format!(
            "const done = arguments[0]; (async () => {{ {script} }})().then(done, (error) => done(`${{error}}`));"
        );
        self.driver.execute_async(waiting, Vec::new()).await.unwrap().json().clone()
    }

    /// Asks the browser itself for something.
    pub async fn devtools(&self, command: &str, parameters: Value) -> Value {
        self.driver.cdp().send_raw(command, parameters).await.unwrap()
    }

    /// What is on the screen, as a picture.
    pub async fn screenshot(&self) -> Vec<u8> {
        self.driver.screenshot_as_png().await.unwrap()
    }

    /// What the page was forbidden and what it complained of, since it was last asked for.
    pub async fn complaints(&self) -> Vec<String> {
        let log = self.driver.get_log("browser").await.unwrap();
        let mut complaints: Vec<String> =
            log.into_iter().filter(|one| one.level == "SEVERE").map(|one| one.message).collect();
        let forbidden = self.finds("window.forbidden.splice(0)").await;
        complaints.extend(forbidden.as_array().unwrap().iter().map(Value::to_string));
        complaints
    }

    /// Ends the test, saying what never came and what was there in its place.
    async fn gives_up(&self, what: &str, why: &str) -> ! {
        let page =
            self.driver.execute("return `${location.href}\n${document.body.innerText}`;", Vec::new()).await;
        let page = page.map_or_else(
            |error| error.to_string(),
            |page| page.json().as_str().unwrap_or_default().to_owned(),
        );
        let log = self.driver.get_log("browser").await.unwrap_or_default();
        let log: Vec<String> = log.into_iter().map(|one| one.message).collect();
        panic!("never came: {what} ({why})\n--- the page\n{page}\n--- its console\n{}", log.join("\n"));
    }
}
