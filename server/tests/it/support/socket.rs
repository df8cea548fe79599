//! Somebody who watches.

use super::PATIENCE;
use app::{
    model::{KnownEvent, Position},
    protocol::SUBPROTOCOL,
};
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{self, Message, client::IntoClientRequest, http::HeaderValue},
};

pub struct Socket {
    ws: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// What the hello frame said.
    pub hello: Value,
}

/// How a socket ended.
pub type Ended = Option<(u16, String)>;

impl Socket {
    /// With an access token in the header, or as a visitor.
    pub async fn connect(base: &str, token: Option<&str>) -> Result<Self, u16> {
        let bearer = token.map(|t| ("authorization", format!("Bearer {t}")));
        Self::connect_with(base, SUBPROTOCOL, bearer.iter().map(|(n, v)| (*n, v.as_str()))).await
    }

    /// `Err`: the status that the handshake was refused with.
    pub async fn connect_with<'h>(
        base: &str,
        protocols: &str,
        headers: impl IntoIterator<Item = (&'static str, &'h str)>,
    ) -> Result<Self, u16> {
        let mut request = format!("{}/ws", base.replacen("http", "ws", 1)).into_client_request().unwrap();
        request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_str(protocols).unwrap());
        for (name, value) in headers {
            request.headers_mut().insert(name, HeaderValue::from_str(value).unwrap());
        }
        match timeout(PATIENCE, connect_async(request)).await.expect("the handshake ends") {
            Ok((ws, response)) => {
                assert_eq!(response.headers()["sec-websocket-protocol"], SUBPROTOCOL);
                let mut socket = Self { ws, hello: Value::Null };
                socket.hello = socket.next().await.expect("a hello");
                assert_eq!(socket.hello["type"], "hello");
                Ok(socket)
            }
            Err(tungstenite::Error::Http(response)) => Err(response.status().as_u16()),
            Err(e) => panic!("the handshake broke: {e}"),
        }
    }

    pub async fn send(&mut self, frame: Value) {
        self.ws.send(Message::text(frame.to_string())).await.unwrap();
    }

    pub async fn send_text(&mut self, text: &str) {
        self.ws.send(Message::text(text)).await.unwrap();
    }

    /// The next frame, or how it ended. Frames about who is here come when they come, and are passed over.
    pub async fn next(&mut self) -> Result<Value, Ended> {
        loop {
            let frame = self.any().await?;
            if !is_about_presence(&frame["type"]) {
                return Ok(frame);
            }
        }
    }

    /// The next frame, whatever it is about.
    pub async fn next_with_presence(&mut self) -> Value {
        self.any().await.expect("the connection stays")
    }

    async fn any(&mut self) -> Result<Value, Ended> {
        loop {
            return match timeout(PATIENCE, self.ws.next()).await.expect("a frame comes in time") {
                Some(Ok(Message::Text(text))) => Ok(serde_json::from_str(&text).expect("frames are JSON")),
                Some(Ok(Message::Close(frame))) => Err(frame.map(|f| (f.code.into(), f.reason.as_str().to_owned()))),
                Some(Ok(_)) => continue,
                Some(Err(_)) | None => Err(None),
            };
        }
    }

    /// The next frame as it came: for those who hear very many.
    pub async fn next_text(&mut self) -> String {
        loop {
            match timeout(PATIENCE, self.ws.next()).await.expect("a frame comes in time") {
                Some(Ok(Message::Text(text))) if text.starts_with(r#"{"type":"presen"#) => {}
                Some(Ok(Message::Text(text))) => return text.as_str().to_owned(),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// The next frame of a type; others are passed over.
    pub async fn next_of(&mut self, kind: &str) -> Value {
        loop {
            let frame = self.next().await.unwrap_or_else(|end| panic!("closed ({end:?}) before a {kind}"));
            if frame["type"] == kind {
                return frame;
            }
        }
    }

    /// How the connection ends; frames before that are passed over.
    pub async fn end(&mut self) -> Ended {
        loop {
            if let Err(end) = self.next().await {
                return end;
            }
        }
    }

    /// Subscribes and returns the answer, `subscribed` or whatever came instead.
    pub async fn subscribe(&mut self, room: &str, since: Option<Position>) -> Value {
        self.send(json!({ "type": "subscribe", "room": room, "since": since })).await;
        loop {
            let frame = self.next().await.expect("the connection stays");
            if matches!(frame["type"].as_str(), Some("subscribed" | "resync" | "error")) && frame["room"] == room {
                return frame;
            }
        }
    }

    /// The next posted message: its body, where it is, and where the event before it was, or before those others that came
    /// between without a hole: somebody who joined, for example.
    pub async fn posted(&mut self) -> (String, Position, Option<Position>) {
        let mut passed_over: Option<(Position, Option<Position>)> = None;
        loop {
            let frame = self.next_of("event").await;
            let at: Position = serde_json::from_value(frame["at"].clone()).unwrap();
            let prev: Option<Position> = serde_json::from_value(frame["prev"].clone()).unwrap();
            let prev = passed_over.filter(|(at, _)| prev == Some(*at)).map_or(prev, |(_, before)| before);
            passed_over = Some((at, prev));
            if let Ok(KnownEvent::MessagePosted { message }) = serde_json::from_value(frame["event"].clone()) {
                assert_eq!(message.at, at);
                return (message.body, at, prev);
            }
        }
    }
}

fn is_about_presence(kind: &Value) -> bool {
    matches!(kind.as_str(), Some("presence" | "present"))
}
