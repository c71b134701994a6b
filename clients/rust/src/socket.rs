//! Opening the WebSocket.

use crate::{address::ServerUrl, error::ConnectError, options::ClientOptions};
use std::{io, sync::Arc};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async_with_config,
    tungstenite::{Error, protocol::WebSocketConfig},
};

pub(crate) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Connect and shake hands, within [`ClientOptions::connect_timeout`].
pub(crate) async fn open(url: &ServerUrl, options: &ClientOptions) -> Result<Socket, ConnectError> {
    let config = WebSocketConfig::default()
        .max_message_size(Some(options.max_message_bytes))
        .max_frame_size(Some(options.max_message_bytes));
    // Nagle's algorithm off: requests are gathered before they are written.
    let attempt = connect_async_with_config(url.as_str(), Some(config), true);
    match tokio::time::timeout(options.connect_timeout, attempt).await {
        Ok(Ok((socket, _))) => Ok(socket),
        Ok(Err(Error::Http(response))) => {
            Err(ConnectError::Refused { url: url.to_string(), status: response.status().as_u16() })
        }
        Ok(Err(Error::Url(cause))) => {
            Err(ConnectError::InvalidUrl { url: url.to_string(), reason: cause.to_string().to_lowercase() })
        }
        // What the system said says it better without the library's name for it.
        Ok(Err(Error::Io(cause))) => Err(unreachable(url, cause)),
        Ok(Err(cause)) => Err(unreachable(url, cause)),
        Err(_) => {
            let message = format!("no answer within {} ms", options.connect_timeout.as_millis());
            Err(unreachable(url, io::Error::new(io::ErrorKind::TimedOut, message)))
        }
    }
}

fn unreachable(url: &ServerUrl, cause: impl std::error::Error + Send + Sync + 'static) -> ConnectError {
    ConnectError::Unreachable { url: url.to_string(), cause: Arc::new(cause) }
}
