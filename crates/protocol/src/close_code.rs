//! Why a connection ended.

/// The close codes the server sends (RFC 6455 §7.4; 4000–4999 are ours).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CloseCode {
    /// 1002: the peer broke the WebSocket protocol.
    Protocol,
    /// 1007: text that is not UTF-8.
    NotUtf8,
    /// 1008: a limit was passed; the reason holds `{"retry_after_ms":…}`.
    Limit,
    /// 1009: a frame or message larger than the server reads.
    TooLarge,
    /// 1012: the server restarts.
    Restart,
    /// 1013: the connection could not keep up, or the server is busy.
    Lagging,
    /// 4401: the session ended.
    SessionEnded,
    /// 4403: this connection is not allowed.
    NotAllowed,
}

impl CloseCode {
    /// The number on the wire.
    pub const fn number(self) -> u16 {
        match self {
            Self::Protocol => 1002,
            Self::NotUtf8 => 1007,
            Self::Limit => 1008,
            Self::TooLarge => 1009,
            Self::Restart => 1012,
            Self::Lagging => 1013,
            Self::SessionEnded => 4401,
            Self::NotAllowed => 4403,
        }
    }

    /// Whether a client comes back after `number`. Every code outside the stay-away list, and none at all, means
    /// come back and resume.
    pub const fn comes_back(number: u16) -> bool {
        number != Self::SessionEnded.number() && number != Self::NotAllowed.number()
    }
}
