//! The page: one template for every place of the web client.

use super::error::Refusal;
use super::sessions;
use super::signed_in::{MaybeSignedIn, Peer, read_cookie};
use crate::app::App;
use crate::assets::INDEX;
use axum::extract::State;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_FRAME_OPTIONS};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use std::sync::Arc;

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; \
    connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; \
    require-trusted-types-for 'script'; trusted-types 'none'";

const HEADERS: [(HeaderName, HeaderValue); 5] = [
    (CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
    (CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
    (X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
    (
        HeaderName::from_static("permissions-policy"),
        HeaderValue::from_static("camera=(), microphone=(), geolocation=(), payment=(), usb=()"),
    ),
];

/// The page, with who is signed in inside it.
pub async fn get(
    State(app): State<Arc<App>>,
    Peer(peer): Peer,
    headers: HeaderMap,
    MaybeSignedIn(caller): MaybeSignedIn,
) -> Result<Response, Refusal> {
    let session = sessions::describe(&app, caller.as_ref(), &headers, peer).await?;
    // A session is made of strings and numbers: there is nothing in it that JSON could not hold.
    let session = serde_json::to_string(&session).unwrap_or_default();
    let page = fill(INDEX, |name| match name {
        "build" => Some(app.settings.build.to_owned()),
        "theme" => Some(theme(&headers).to_owned()),
        "name" => Some(escape_html(&app.settings.name)),
        "session" => Some(escape_script(&session)),
        _ => None,
    });
    Ok((HEADERS, page).into_response())
}

fn theme(headers: &HeaderMap) -> &'static str {
    match read_cookie(headers, "roomful_theme") {
        Some("light") => "light",
        Some("dark") => "dark",
        _ => "",
    }
}

/// The template with each `{{name}}` replaced. What is put in is not looked at again.
fn fill(template: &str, value: impl Fn(&str) -> Option<String>) -> String {
    let mut page = String::with_capacity(template.len() + 1024);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        page.push_str(before);
        let found = after.split_once("}}").and_then(|(name, after)| Some((value(name.trim())?, after)));
        match found {
            Some((value, after)) => {
                page.push_str(&value);
                rest = after;
            }
            None => {
                page.push_str("{{");
                rest = after;
            }
        }
    }
    page.push_str(rest);
    page
}

fn escape_html(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// JSON that cannot end the script element it stands in: `<`, `>` and `&` occur inside strings only.
fn escape_script(json: &str) -> String {
    json.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_in_is_not_looked_at_again() {
        let page = fill("a {{x}} b {{ y }} {{z}} {{", |name| match name {
            "x" => Some("{{y}}".to_owned()),
            "y" => Some("1".to_owned()),
            _ => None,
        });
        assert_eq!(page, "a {{y}} b 1 {{z}} {{");
    }

    #[test]
    fn a_name_cannot_leave_its_place_in_the_page() {
        assert_eq!(escape_html("<b>\"R&D'"), "&lt;b&gt;&quot;R&amp;D&#39;");
        assert_eq!(escape_script(r#"{"name":"</script>&"}"#), r#"{"name":"\u003c/script\u003e\u0026"}"#);
    }
}
