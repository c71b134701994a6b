//! WebSocket close codes as this protocol uses them (RFC 6455, section 7.4; SockJS adds its own 3000s).

/// Why a server ends a WebSocket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseCode {
    /// 1000: the client asked for it, or all is done.
    Normal,
    /// 1001: the server goes away; connect again.
    GoingAway,
    /// 1002: what came is not WebSocket framing.
    ProtocolError,
    /// 1007: a text frame that is not UTF-8.
    InvalidText,
    /// 1008: a limit or a rule forbids this connection.
    PolicyViolation,
    /// 1009: a message over the size limit.
    TooBig,
    /// 1011: a fault of the server.
    Internal,
    /// 1013: overloaded, or the client reads too slowly; connect again later.
    TryAgainLater,
}

impl CloseCode {
    /// The number on the wire.
    pub const fn number(self) -> u16 {
        match self {
            Self::Normal => 1000,
            Self::GoingAway => 1001,
            Self::ProtocolError => 1002,
            Self::InvalidText => 1007,
            Self::PolicyViolation => 1008,
            Self::TooBig => 1009,
            Self::Internal => 1011,
            Self::TryAgainLater => 1013,
        }
    }
}

impl From<CloseCode> for u16 {
    fn from(code: CloseCode) -> Self {
        code.number()
    }
}
