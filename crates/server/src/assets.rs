//! The web client's files: inside the binary, compressed when it was built, named by their build.

use axum::body::Body;
use axum::extract::Path;
use axum::http::header::{ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, VARY};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};

use crate::http::error::Refusal;

include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// The page, with its placeholders.
pub const INDEX: &str = include_str!(concat!(env!("OUT_DIR"), "/index.html"));

/// A path with a build in it never changes its contents, so that a browser need not ask for it twice.
const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
const A_DAY: HeaderValue = HeaderValue::from_static("public, max-age=86400");

/// A file of the web client.
struct Asset {
    path: &'static str,
    kind: &'static str,
    plain: &'static [u8],
    brotli: Option<&'static [u8]>,
    gzip: Option<&'static [u8]>,
}

/// `GET /assets/{build}/{*path}`. Another build's files are not here: an old page must reload, not mix.
pub async fn get(
    Path((build, path)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let asset = find(&path).filter(|_| build == BUILD).ok_or_else(|| Refusal::not_found("file"))?;
    Ok(asset.answer(&headers, FOR_EVER))
}

/// `GET /favicon.ico`: browsers ask for it without being told to.
pub async fn favicon(headers: HeaderMap) -> Result<Response, Refusal> {
    let asset = find("favicon.svg").ok_or_else(|| Refusal::not_found("file"))?;
    Ok(asset.answer(&headers, A_DAY))
}

fn find(path: &str) -> Option<&'static Asset> {
    FILES.binary_search_by(|asset| asset.path.cmp(path)).ok().map(|at| &FILES[at])
}

impl Asset {
    fn answer(&self, request: &HeaderMap, cache: HeaderValue) -> Response {
        let (body, encoding) = match (self.brotli, self.gzip) {
            (Some(brotli), _) if accepts(request, "br") => (brotli, Some("br")),
            (_, Some(gzip)) if accepts(request, "gzip") => (gzip, Some("gzip")),
            _ => (self.plain, None),
        };
        let mut response = Body::from(body).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.kind));
        headers.insert(CACHE_CONTROL, cache);
        if self.brotli.is_some() || self.gzip.is_some() {
            headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
        }
        if let Some(encoding) = encoding {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
        }
        response
    }
}

/// Whether the request accepts an encoding; `q=0` means it does not.
fn accepts(headers: &HeaderMap, encoding: &str) -> bool {
    let values = headers.get_all(ACCEPT_ENCODING).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|offer| {
        let mut parts = offer.split(';').map(str::trim);
        let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(encoding));
        let refused = parts.any(|part| part.strip_prefix("q=").and_then(|q| q.parse().ok()) == Some(0.0));
        named && !refused
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_found_by_binary_search() {
        assert!(FILES.is_sorted_by_key(|asset| asset.path));
        assert!(find("styles.css").is_some());
        assert!(find("../Cargo.toml").is_none());
    }

    #[test]
    fn an_encoding_refused_by_name_is_not_used() {
        let offer =
            |text: &'static str| HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_static(text))]);
        assert!(accepts(&offer("gzip, deflate, br;q=0.5"), "br"));
        assert!(!accepts(&offer("gzip, br; q=0"), "br"));
        assert!(!accepts(&offer("brotli"), "br"));
        assert!(!accepts(&HeaderMap::new(), "br"));
    }
}
