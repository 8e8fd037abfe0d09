//! The HTTP interface: one small JSON request per connection.

use crate::address::Address;
use protocol::http::{ComeIn, ErrorBody, Session, SetUp, SignIn, SignUp, SignedIn};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// The largest response read, in bytes.
const LARGEST: u64 = 16 * 1024 * 1024;

/// How long a request may take from connecting to the last byte.
const PATIENCE: Duration = Duration::from_secs(30);

/// The address of a server, and the token to ask with.
#[derive(Debug, Clone)]
pub struct Api {
    address: Address,
    token: Option<String>,
}

/// A response as it came.
#[derive(Debug, Clone)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// The header fields in order, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, without its transfer encoding.
    pub body: Vec<u8>,
}

/// Why a request brought no result.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The server does not answer, or its answer broke off. A write may have been done.
    #[error("the server cannot be reached: {0}")]
    Unreachable(#[from] std::io::Error),
    /// No whole answer in time. A write may have been done.
    #[error("the server did not answer in time")]
    Late,
    /// The server refused, in its own words.
    #[error("refused with {status}: {}", body.error)]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The error that it sent.
        body: Box<ErrorBody>,
    },
    /// Not HTTP, or not the body that was expected.
    #[error("cannot read the answer: {0}")]
    Unreadable(String),
}

impl Api {
    /// Asks the server at `address` without a token.
    pub fn new(address: impl Into<Address>) -> Self {
        Self { address: address.into(), token: None }
    }

    /// The same server, asked with a bearer token.
    #[must_use]
    pub fn with_token(&self, token: impl Into<String>) -> Self {
        Self { address: self.address.clone(), token: Some(token.into()) }
    }

    /// Who is signed in, and what the front door offers.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn session(&self) -> Result<Session, ApiError> {
        self.get("/api/v1/session").await
    }

    /// Signs in; the answer carries a bearer token.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn sign_in(&self, name: &str, password: &str) -> Result<SignedIn, ApiError> {
        self.post("/api/v1/session", &SignIn { name: name.into(), password: password.into(), token: true })
            .await
    }

    /// Comes in as a guest; the answer carries a bearer token.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn come_in(&self, name: &str) -> Result<SignedIn, ApiError> {
        self.post("/api/v1/guests", &ComeIn { name: name.into(), token: true }).await
    }

    /// Makes an account with an invite's token; the answer carries a bearer token.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn sign_up(&self, invite: &str, name: &str, password: &str) -> Result<SignedIn, ApiError> {
        let body =
            SignUp { invite: invite.into(), name: name.into(), password: password.into(), token: true };
        self.post("/api/v1/users", &body).await
    }

    /// Makes the first owner with the token the server printed. The answer carries no bearer token: sign in next.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn set_up(&self, token: &str, name: &str, password: &str) -> Result<SignedIn, ApiError> {
        let body = SetUp { token: token.into(), name: name.into(), password: password.into() };
        self.post("/api/v1/setup", &body).await
    }

    /// `GET` of a JSON body.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ApiError> {
        self.request("GET", path, None).await?.json()
    }

    /// `POST` of a JSON body.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, ApiError> {
        self.request("POST", path, Some(text(body)?)).await?.json()
    }

    /// `PUT` of a JSON body.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn put<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, ApiError> {
        self.request("PUT", path, Some(text(body)?)).await?.json()
    }

    /// `PATCH` of a JSON body.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn patch<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, ApiError> {
        self.request("PATCH", path, Some(text(body)?)).await?.json()
    }

    /// `DELETE`.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn delete<T: DeserializeOwned>(&self, path: &str) -> Result<T, ApiError> {
        self.request("DELETE", path, None).await?.json()
    }

    /// Any request, and the response whatever its status.
    ///
    /// # Errors
    /// [`ApiError`], but never `Refused`.
    pub async fn request(
        &self,
        method: &str,
        path: &str,
        body: Option<String>,
    ) -> Result<Response, ApiError> {
        self.request_with(method, path, &[], body).await
    }

    /// Any request with further header fields, and the response whatever its status.
    ///
    /// # Errors
    /// [`ApiError`], but never `Refused`.
    pub async fn request_with(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<String>,
    ) -> Result<Response, ApiError> {
        let mut head =
            format!("{method} {path} HTTP/1.1\r\nConnection: close\r\nAccept: application/json\r\n");
        let mut field = |name: &str, value: &str| {
            head.push_str(&format!("{name}: {value}\r\n"));
        };
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            field("Host", self.address.authority());
        }
        if let Some(token) = &self.token {
            field("Authorization", &format!("Bearer {token}"));
        }
        if let Some(body) = &body {
            field("Content-Type", "application/json");
            field("Content-Length", &body.len().to_string());
        }
        headers.iter().for_each(|(name, value)| field(name, value));
        head.push_str("\r\n");
        head.push_str(&body.unwrap_or_default());
        let exchange = tokio::time::timeout(PATIENCE, self.exchange(head.as_bytes()));
        Response::parse(&exchange.await.map_err(|_| ApiError::Late)??)
    }

    async fn exchange(&self, request: &[u8]) -> Result<Vec<u8>, ApiError> {
        let mut stream = self.address.connect().await?;
        stream.write_all(request).await?;
        let mut response = Vec::new();
        stream.take(LARGEST).read_to_end(&mut response).await?;
        Ok(response)
    }
}

impl Response {
    /// The value of the first header field of this name, given in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The body as a `T` when the status is a success.
    ///
    /// # Errors
    /// `Refused` for every other status, `Unreadable` when the body is no `T`. An empty body is read as `{}`.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, ApiError> {
        let body: &[u8] = if self.body.is_empty() { b"{}" } else { &self.body };
        if (200..300).contains(&self.status) {
            return serde_json::from_slice(body).map_err(|error| self.unreadable(&error.to_string()));
        }
        match serde_json::from_slice(body) {
            Ok(body) => Err(ApiError::Refused { status: self.status, body: Box::new(body) }),
            Err(error) => Err(self.unreadable(&error.to_string())),
        }
    }

    fn unreadable(&self, why: &str) -> ApiError {
        let shown: String = String::from_utf8_lossy(&self.body).chars().take(200).collect();
        ApiError::Unreadable(format!("status {}, {why}: {shown}", self.status))
    }

    fn parse(bytes: &[u8]) -> Result<Self, ApiError> {
        let no_http = || ApiError::Unreadable("this is not HTTP/1.1".into());
        let (head, body) = split_once(bytes, b"\r\n\r\n").ok_or_else(no_http)?;
        let head = std::str::from_utf8(head).map_err(|_| no_http())?;
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.strip_prefix("HTTP/1.1 "));
        let status = status.and_then(|line| line.get(..3)?.parse().ok()).ok_or_else(no_http)?;
        let headers = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let mut response = Self { status, headers, body: Vec::new() };
        response.body =
            response.framed(body).ok_or_else(|| ApiError::Unreadable("the answer broke off".into()))?;
        Ok(response)
    }

    /// The body without its framing; none when its end is missing.
    fn framed(&self, body: &[u8]) -> Option<Vec<u8>> {
        if self.header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked")) {
            return unchunk(body);
        }
        match self.header("content-length") {
            Some(length) => body.get(..length.parse().ok()?).map(<[u8]>::to_vec),
            None => Some(body.to_vec()),
        }
    }
}

fn text(body: &impl Serialize) -> Result<String, ApiError> {
    serde_json::to_string(body).map_err(|error| ApiError::Unreadable(error.to_string()))
}

fn unchunk(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let (size, after) = split_once(rest, b"\r\n")?;
        let size = std::str::from_utf8(size).ok()?.split(';').next()?.trim();
        let size = usize::from_str_radix(size, 16).ok()?;
        if size == 0 {
            return Some(body);
        }
        body.extend_from_slice(after.get(..size)?);
        rest = after.get(size..)?.strip_prefix(b"\r\n")?;
    }
}

fn split_once<'a>(bytes: &'a [u8], mark: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = bytes.windows(mark.len()).position(|window| window == mark)?;
    Some((&bytes[..at], &bytes[at + mark.len()..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Response, ApiError> {
        Response::parse(text.as_bytes())
    }

    #[test]
    fn a_chunked_body_is_put_together() {
        let response =
            parse("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n1;x=y\r\n \r\n0\r\n\r\n");
        assert_eq!(response.expect("a response").body, b"{} ");
    }

    #[test]
    fn an_answer_that_broke_off_is_no_answer() {
        for text in [
            "",
            "HTTP/1.1 200 OK\r\n",
            "HTTP/1.1 20",
            "SSH-2.0-x\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}",
            "HTTP/1.1 200 OK\r\nContent-Length: -3\r\n\r\n{}",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{}",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n{}\r\n",
        ] {
            assert!(matches!(parse(text), Err(ApiError::Unreadable(_))), "{text:?}");
        }
    }

    #[test]
    fn a_refusal_comes_in_the_servers_words() {
        let body = r#"{"code":"not_found","params":{},"message":"There is no such room.","request_id":"r"}"#;
        let text = format!("HTTP/1.1 404 Not Found\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        let refused = parse(&text).expect("a response").json::<Session>();
        assert_eq!(
            refused.err().map(|e| e.to_string()).as_deref(),
            Some("refused with 404: There is no such room.")
        );
    }
}
