//! The page and the files of the web client.

use crate::support::{Answer, PASSWORD, Server};
use serde_json::json;

/// The addresses in the page that the browser loads.
fn links(page: &str) -> Vec<String> {
    let parts = page.split(['"', '\'']).filter(|part| part.starts_with("/assets/"));
    parts.map(str::to_owned).collect()
}

#[tokio::test]
async fn every_place_of_the_web_client_is_the_same_page() {
    let server = Server::start().await;
    for path in
        ["/", "/rooms", "/rooms/0192f0c1-0001-7000-8000-000000000001/7", "/invite", "/setup", "/sign-in"]
    {
        let page = server.ask("GET", path).send().await;
        assert_eq!(
            (page.status.as_u16(), page.header("content-type")),
            (200, "text/html; charset=utf-8"),
            "{path}"
        );
        assert_eq!(page.header("cache-control"), "no-store");
        assert!(!page.text().contains("{{"), "{path}");
    }
}

#[tokio::test]
async fn the_page_lets_nothing_in_from_elsewhere() {
    let page = Server::start().await.ask("GET", "/").send().await;
    let policy = page.header("content-security-policy");
    for part in ["default-src 'none'", "script-src 'self';", "frame-ancestors 'none'", "trusted-types 'none'"]
    {
        assert!(policy.contains(part), "{policy}");
    }
    assert!(!policy.contains("unsafe"), "{policy}");
    assert_eq!(page.header("x-content-type-options"), "nosniff");
    assert_eq!(page.header("x-frame-options"), "DENY");
    assert_eq!(page.header("referrer-policy"), "same-origin");
    assert_eq!(page.header("cross-origin-opener-policy"), "same-origin");
    assert!(page.header("permissions-policy").contains("camera=()"));
}

#[tokio::test]
async fn the_page_knows_who_is_signed_in_and_which_colours_they_like() {
    let server = Server::start_with(|config| config.name = "R&D </script>".to_owned()).await;
    server.ben().await;
    let signed_in =
        server.ask("POST", "/api/v1/session").json(&json!({ "name": "Ben", "password": PASSWORD })).await;
    let cookie = format!("roomful_theme=dark; {}", signed_in.cookie());
    let page = server.ask("GET", "/").header("cookie", &cookie).send().await.text();
    assert!(page.contains("data-theme=\"dark\""));
    assert!(page.contains("<title>R&amp;D &lt;/script&gt;</title>"));
    let (_, session) = page.split_once("id=\"session\">").expect("the session");
    let (session, _) = session.split_once("</script>").expect("its end");
    let session: serde_json::Value = serde_json::from_str(session).expect("JSON");
    assert_eq!(session["user"]["name"], "Ben");
    assert_eq!(session["name"], "R&D </script>");
    let nonsense = server.ask("GET", "/").header("cookie", "roomful_theme=\"><script>").send().await.text();
    assert!(nonsense.contains("data-theme=\"\""));
}

#[tokio::test]
async fn every_file_the_page_names_is_there_for_ever() {
    let server = Server::start().await;
    let links = links(&server.ask("GET", "/").send().await.text());
    assert!(links.len() > 5, "{links:?}");
    for link in links {
        let file = server.ask("GET", &link).send().await;
        assert_eq!(file.status, 200, "{link}");
        assert_eq!(file.header("cache-control"), "public, max-age=31536000, immutable");
        assert_eq!(file.header("x-content-type-options"), "nosniff");
        let kind = if link.ends_with(".js") {
            "text/javascript; charset=utf-8"
        } else {
            file.header("content-type")
        };
        assert_eq!(file.header("content-type"), kind);
    }
}

#[tokio::test]
async fn files_travel_compressed_to_whoever_takes_it() {
    let server = Server::start().await;
    let build =
        server.ask("GET", "/api/v1/session").send().await.ok()["build"].as_str().expect("a build").to_owned();
    let path = format!("/assets/{build}/styles.css");
    let get = |accept: &'static str| {
        let ask = server.ask("GET", &path).header("accept-encoding", accept);
        async move { ask.send().await }
    };
    let (plain, gzip, brotli) = (get("identity").await, get("gzip, deflate").await, get("gzip, br").await);
    assert_eq!((plain.header("content-encoding"), gzip.header("content-encoding")), ("", "gzip"));
    assert_eq!(brotli.header("content-encoding"), "br");
    assert!(brotli.body.len() < gzip.body.len() && gzip.body.len() * 2 < plain.body.len());
    assert_eq!(plain.header("vary"), "accept-encoding");
    let head: Answer = server.ask("HEAD", &path).send().await;
    assert_eq!((head.status.as_u16(), head.body.len()), (200, 0));
    assert_eq!(head.header("content-length"), plain.body.len().to_string());
}

#[tokio::test]
async fn files_of_another_build_are_not_mixed_in() {
    let server = Server::start().await;
    assert_eq!(
        server.ask("GET", "/assets/0000000000000000/styles.css").send().await.refused(404),
        "not_found"
    );
    let build =
        server.ask("GET", "/api/v1/session").send().await.ok()["build"].as_str().expect("a build").to_owned();
    for path in ["test/store.test.js", "index.html", "../Cargo.toml", "..%2fCargo.toml", "", "vendor"] {
        let file = server.ask("GET", &format!("/assets/{build}/{path}")).send().await;
        assert_eq!(file.status, 404, "{path}");
    }
}
