//! What the two protocols' own test suites look at, in our words: `siospec serve --profile protocol` must hold all of
//! it. Plain HTTP and WebSocket, no code of ours on the client's side.

use std::time::Duration;

use bytes::Bytes;
use futures::{SinkExt, StreamExt, future::join};
use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};
use siospec::mock::{Options, Profile, ReferenceServer};
use tokio::{
    net::TcpStream,
    process::Command,
    time::{sleep, timeout},
};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Error, Message},
};

use crate::harness::{TestResult, process::Service};

/// How long anything may take that has to come.
const PATIENCE: Duration = Duration::from_secs(10);

/// Longer than any of these tests.
const NO_HEARTBEAT: Duration = Duration::from_secs(60);

/// A server of the profile, and how to reach one of its two endpoints.
struct Suite {
    server: ReferenceServer,
    http: reqwest::Client,
    endpoint: &'static str,
}

async fn start(endpoint: &'static str, options: Options) -> Suite {
    let server = ReferenceServer::start(options).await.expect("a free port");
    let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().expect("a client");
    Suite { server, http, endpoint }
}

/// Without heartbeats that would come in between.
async fn quiet(endpoint: &'static str) -> Suite {
    start(endpoint, profile().with_ping_interval(NO_HEARTBEAT)).await
}

fn profile() -> Options {
    Options::default().with_profile(Profile::Protocol)
}

impl Suite {
    async fn request(&self, method: Method, query: &str, body: &str) -> (u16, String) {
        let url = format!("{}/{}/?{query}", self.server.url(), self.endpoint);
        let response = self.http.request(method, url).body(body.to_owned()).send().await.expect("an answer");
        (response.status().as_u16(), response.text().await.expect("a text"))
    }

    async fn poll(&self, sid: &str) -> (u16, String) {
        self.request(Method::GET, &format!("EIO=4&transport=polling&sid={sid}"), "").await
    }

    async fn post(&self, sid: &str, body: &str) -> (u16, String) {
        self.request(Method::POST, &format!("EIO=4&transport=polling&sid={sid}"), body).await
    }

    async fn polling_session(&self) -> String {
        let (status, body) = self.request(Method::GET, "EIO=4&transport=polling", "").await;
        assert_eq!(status, 200, "{body}");
        sid(&open_packet(&body))
    }

    async fn websocket(&self, query: &str) -> Result<Socket, Error> {
        let stream = TcpStream::connect(self.server.address()).await?;
        let url = format!("ws://{}/{}/?{query}", self.server.address(), self.endpoint);
        Ok(Socket(client_async(url, stream).await?.0))
    }

    async fn websocket_session(&self) -> Socket {
        let mut socket = self.websocket("EIO=4&transport=websocket").await.expect("a WebSocket");
        open_packet(&socket.text().await);
        socket
    }

    /// A session that began by polling and goes on by WebSocket.
    async fn upgraded(&self) -> (String, Socket) {
        let sid = self.polling_session().await;
        let mut socket = self.websocket(&format!("EIO=4&transport=websocket&sid={sid}")).await.expect("a WebSocket");
        socket.send("2probe").await;
        assert_eq!(socket.text().await, "3probe");
        socket.send("5").await;
        (sid, socket)
    }

    /// A WebSocket that is connected to a namespace, after the events that this brings.
    async fn connected(&self) -> Socket {
        let mut socket = self.websocket_session().await;
        socket.send("40").await;
        assert!(socket.text().await.starts_with("40{"));
        assert_eq!(socket.text().await, r#"42["auth",{}]"#);
        socket
    }
}

/// The client's end of a WebSocket.
struct Socket(WebSocketStream<TcpStream>);

impl Socket {
    async fn send(&mut self, text: &str) {
        self.0.send(Message::text(text)).await.expect("the connection is open");
    }

    async fn send_binary(&mut self, data: &'static [u8]) {
        self.0.send(Message::binary(data)).await.expect("the connection is open");
    }

    async fn message(&mut self) -> Option<Message> {
        match timeout(PATIENCE, self.0.next()).await.expect("something in time") {
            Some(Ok(Message::Close(_)) | Err(_)) | None => None,
            Some(Ok(message)) => Some(message),
        }
    }

    async fn text(&mut self) -> String {
        match self.message().await {
            Some(Message::Text(text)) => text.to_string(),
            other => panic!("not a text: {other:?}"),
        }
    }

    async fn binary(&mut self) -> Bytes {
        match self.message().await {
            Some(Message::Binary(data)) => data,
            other => panic!("not binary: {other:?}"),
        }
    }

    /// Waits for the end, before which nothing comes.
    async fn closes(&mut self) {
        if let Some(message) = self.message().await {
            panic!("not closed: {message:?}");
        }
    }
}

#[rstest]
#[test]
async fn the_program_serves_it() -> TestResult {
    let mut command = Command::new(env!("CARGO_BIN_EXE_siospec"));
    let mut service = Service::start(command.args([
        "serve",
        "--profile",
        "protocol",
        "--listen",
        "127.0.0.1:0",
        "--ping-timeout",
        "3s",
    ]))?;
    let url = service.word_after("listening on ", PATIENCE).await?;
    let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build()?;
    for endpoint in ["engine.io", "socket.io"] {
        let response = http.get(format!("{url}/{endpoint}/?EIO=4&transport=polling")).send().await?;
        let open = open_packet(&response.text().await?);
        assert_eq!((open["pingInterval"].as_u64(), open["pingTimeout"].as_u64()), (Some(300), Some(3_000)));
    }
    Ok(())
}

fn open_packet(packet: &str) -> Value {
    serde_json::from_str(packet.strip_prefix('0').expect("an open packet")).expect("its JSON")
}

fn sid(open: &Value) -> String {
    open["sid"].as_str().expect("a text").to_owned()
}

mod engine_io {
    use super::*;

    /// Both endpoints: Socket.IO is Engine.IO with something in it.
    const ENGINE: &str = "engine.io";
    const SOCKET: &str = "socket.io";

    #[rstest]
    #[test]
    async fn a_session_opens(#[values(ENGINE, SOCKET)] endpoint: &'static str) -> TestResult {
        let suite = start(endpoint, profile()).await;
        let (status, body) = suite.request(Method::GET, "EIO=4&transport=polling", "").await;
        assert_eq!(status, 200);
        let mut websocket = suite.websocket("EIO=4&transport=websocket").await?;
        for (open, upgrades) in
            [(open_packet(&body), json!(["websocket"])), (open_packet(&websocket.text().await), json!([]))]
        {
            assert!(!sid(&open).is_empty());
            assert_eq!(open["upgrades"], upgrades);
            assert_eq!(open["pingInterval"], 300);
            assert_eq!(open["pingTimeout"], 200);
            assert_eq!(open["maxPayload"], 1_000_000);
        }
        Ok(())
    }

    #[rstest]
    #[case::no_version("transport=polling")]
    #[case::an_unknown_version("EIO=abc&transport=polling")]
    #[case::no_transport("EIO=4")]
    #[case::an_unknown_transport("EIO=4&transport=abc")]
    #[test]
    async fn a_wrong_polling_handshake_is_refused(
        #[values(ENGINE, SOCKET)] endpoint: &'static str,
        #[case] query: &str,
    ) -> TestResult {
        let suite = quiet(endpoint).await;
        assert_eq!(suite.request(Method::GET, query, "").await.0, 400);
        Ok(())
    }

    #[rstest]
    #[test]
    async fn a_handshake_by_another_method_is_refused(
        #[values(ENGINE, SOCKET)] endpoint: &'static str,
        #[values(Method::POST, Method::PUT)] method: Method,
    ) -> TestResult {
        let suite = quiet(endpoint).await;
        assert_eq!(suite.request(method, "EIO=4&transport=polling", "").await.0, 400);
        Ok(())
    }

    #[rstest]
    #[case::no_version("transport=websocket")]
    #[case::an_unknown_version("EIO=abc&transport=websocket")]
    #[case::no_transport("EIO=4")]
    #[case::an_unknown_transport("EIO=4&transport=abc")]
    #[test]
    async fn a_wrong_websocket_handshake_is_refused(
        #[values(ENGINE, SOCKET)] endpoint: &'static str,
        #[case] query: &str,
    ) -> TestResult {
        let suite = quiet(endpoint).await;
        match suite.websocket(query).await {
            Err(Error::Http(response)) => assert_eq!(response.status(), 400),
            Err(other) => panic!("{other}"),
            Ok(_) => panic!("it was accepted"),
        }
        Ok(())
    }

    #[rstest]
    #[case::one_packet("4hello")]
    #[case::several_packets("4one\u{1e}4two\u{1e}4three")]
    #[case::text_and_binary("4hello\u{1e}bAQIDBA==")]
    #[test]
    async fn a_payload_comes_back_by_polling(#[case] payload: &str) -> TestResult {
        let suite = quiet(ENGINE).await;
        let sid = suite.polling_session().await;
        assert_eq!(suite.post(&sid, payload).await, (200, "ok".to_owned()));
        assert_eq!(suite.poll(&sid).await, (200, payload.to_owned()));
        Ok(())
    }

    #[rstest]
    #[test]
    async fn messages_come_back_by_websocket() -> TestResult {
        let suite = quiet(ENGINE).await;
        let mut socket = suite.websocket_session().await;
        socket.send("4hello").await;
        assert_eq!(socket.text().await, "4hello");
        socket.send_binary(&[1, 2, 3, 4]).await;
        assert_eq!(socket.binary().await, &[1, 2, 3, 4][..]);
        Ok(())
    }

    #[rstest]
    #[test]
    async fn an_invalid_packet_ends_the_session(#[values("abc", "", "7")] packet: &str) -> TestResult {
        let suite = quiet(ENGINE).await;
        let sid = suite.polling_session().await;
        suite.post(&sid, packet).await;
        assert_eq!(suite.poll(&sid).await.0, 400);

        let mut socket = suite.websocket_session().await;
        socket.send(packet).await;
        socket.closes().await;
        Ok(())
    }

    #[rstest]
    #[test]
    async fn two_polls_at_once_end_the_session() -> TestResult {
        let suite = quiet(ENGINE).await;
        let sid = suite.polling_session().await;
        let later = async {
            // Nothing tells that the first one has arrived.
            sleep(Duration::from_millis(200)).await;
            suite.poll(&sid).await
        };
        let (first, second) = join(suite.poll(&sid), later).await;
        assert_eq!(first, (200, "1".to_owned()));
        assert_eq!(second.0, 400);
        assert_eq!(suite.poll(&sid).await.0, 400);
        Ok(())
    }

    #[rstest]
    #[test]
    async fn a_cancelled_poll_ends_the_session() -> TestResult {
        let suite = quiet(ENGINE).await;
        let sid = suite.polling_session().await;
        let cancelled = timeout(Duration::from_millis(200), suite.poll(&sid)).await;
        assert!(cancelled.is_err(), "{cancelled:?}");
        // The server hears of it in its own time; a POST does not disturb.
        timeout(PATIENCE, async { while suite.post(&sid, "3").await.0 != 400 {} }).await?;
        assert_eq!(suite.poll(&sid).await.0, 400);
        Ok(())
    }

    #[rstest]
    #[test]
    async fn heartbeats_keep_a_session(#[values(ENGINE, SOCKET)] endpoint: &'static str) -> TestResult {
        let suite = start(endpoint, profile().with_ping_timeout(PATIENCE)).await;
        let polling = async {
            let sid = suite.polling_session().await;
            for _ in 0..3 {
                assert_eq!(suite.poll(&sid).await, (200, "2".to_owned()));
                assert_eq!(suite.post(&sid, "3").await.0, 200);
            }
        };
        let websocket = async {
            let mut socket = suite.websocket_session().await;
            for _ in 0..3 {
                assert_eq!(socket.text().await, "2");
                socket.send("3").await;
            }
        };
        join(polling, websocket).await;
        Ok(())
    }

    #[rstest]
    #[test]
    async fn a_heartbeat_without_answer_ends_a_session(#[values(ENGINE, SOCKET)] endpoint: &'static str) -> TestResult {
        let suite = start(endpoint, profile()).await;
        let sid = suite.polling_session().await;
        let mut socket = suite.websocket_session().await;
        assert_eq!(socket.text().await, "2");
        socket.closes().await;
        sleep(Duration::from_millis(500)).await;
        assert_eq!(suite.poll(&sid).await.0, 400);
        Ok(())
    }

    #[rstest]
    #[test]
    async fn a_client_can_close(#[values(ENGINE, SOCKET)] endpoint: &'static str) -> TestResult {
        let suite = quiet(endpoint).await;
        let sid = suite.polling_session().await;
        let later = async {
            // As above.
            sleep(Duration::from_millis(200)).await;
            suite.post(&sid, "1").await
        };
        let (poll, post) = join(suite.poll(&sid), later).await;
        assert_eq!((poll, post.0), ((200, "6".to_owned()), 200));
        assert_eq!(suite.poll(&sid).await.0, 400);

        let mut socket = suite.websocket_session().await;
        socket.send("1").await;
        socket.closes().await;
        Ok(())
    }

    #[rstest]
    #[test]
    async fn polling_can_be_upgraded() -> TestResult {
        let suite = quiet(ENGINE).await;
        let (_, mut socket) = suite.upgraded().await;
        socket.send("4hello").await;
        assert_eq!(socket.text().await, "4hello");
        Ok(())
    }

    #[rstest]
    #[test]
    async fn a_pending_poll_is_released_by_an_upgrade(#[values(ENGINE, SOCKET)] endpoint: &'static str) -> TestResult {
        let suite = quiet(endpoint).await;
        let sid = suite.polling_session().await;
        let upgrade = async {
            let mut socket = suite.websocket(&format!("EIO=4&transport=websocket&sid={sid}")).await?;
            socket.send("2probe").await;
            assert_eq!(socket.text().await, "3probe");
            Ok::<_, Error>(socket)
        };
        let (poll, socket) = join(suite.poll(&sid), upgrade).await;
        assert_eq!(poll, (200, "6".to_owned()));
        socket?.send("5").await;
        Ok(())
    }

    #[rstest]
    #[test]
    async fn after_an_upgrade_nothing_else_counts(#[values(ENGINE, SOCKET)] endpoint: &'static str) -> TestResult {
        let suite = quiet(endpoint).await;
        let (sid, mut socket) = suite.upgraded().await;
        // The upgrade has no answer of its own; the next message's shows that it is done.
        socket.send(if endpoint == ENGINE { "4done" } else { "40" }).await;
        socket.text().await;
        assert_eq!(suite.poll(&sid).await.0, 400);
        assert_eq!(suite.post(&sid, "4hello").await.0, 400);
        if let Ok(mut second) = suite.websocket(&format!("EIO=4&transport=websocket&sid={sid}")).await {
            second.closes().await;
        }
        if endpoint == SOCKET {
            assert_eq!(socket.text().await, r#"42["auth",{}]"#);
        }
        socket.send(if endpoint == ENGINE { "4hello" } else { r#"42["message","hello"]"# }).await;
        let back = socket.text().await;
        assert_eq!(back, if endpoint == ENGINE { "4hello" } else { r#"42["message-back","hello"]"# });
        Ok(())
    }
}

mod socket_io {
    use super::*;

    const SOCKET: &str = "socket.io";

    #[rstest]
    #[case::main("40", "40", r#"42["auth",{}]"#)]
    #[case::main_with_a_payload(r#"40{"token":"123"}"#, "40", r#"42["auth",{"token":"123"}]"#)]
    #[case::custom("40/custom,", "40/custom,", r#"42/custom,["auth",{}]"#)]
    #[case::custom_with_a_payload(
        r#"40/custom,{"token":"abc"}"#,
        "40/custom,",
        r#"42/custom,["auth",{"token":"abc"}]"#
    )]
    #[test]
    async fn a_namespace_can_be_connected_to(
        #[case] connect: &str,
        #[case] reply: &str,
        #[case] auth: &str,
    ) -> TestResult {
        let suite = quiet(SOCKET).await;
        let mut socket = suite.websocket_session().await;
        socket.send(connect).await;
        let answer = socket.text().await;
        let payload: Value = serde_json::from_str(answer.strip_prefix(reply).expect("a CONNECT reply"))?;
        assert!(!sid(&payload).is_empty());
        assert_eq!(socket.text().await, auth);
        Ok(())
    }

    #[rstest]
    #[test]
    async fn an_unknown_namespace_is_refused() -> TestResult {
        let suite = quiet(SOCKET).await;
        let mut socket = suite.websocket_session().await;
        socket.send("40/random").await;
        assert_eq!(socket.text().await, r#"44/random,{"message":"Invalid namespace"}"#);
        Ok(())
    }

    #[rstest]
    #[case::not_json("4abc")]
    #[case::broken_json("40{")]
    #[case::a_string(r#"40"text""#)]
    #[case::an_array("40[]")]
    #[case::an_event_first(r#"42["message"]"#)]
    #[test]
    async fn an_invalid_connect_closes(#[case] packet: &str) -> TestResult {
        let suite = quiet(SOCKET).await;
        let mut socket = suite.websocket_session().await;
        socket.send(packet).await;
        socket.closes().await;
        Ok(())
    }

    #[rstest]
    #[test]
    async fn who_never_connects_is_closed() -> TestResult {
        let options = profile().with_ping_interval(NO_HEARTBEAT).with_connect_timeout(Duration::from_millis(500));
        let suite = start(SOCKET, options).await;
        suite.websocket_session().await.closes().await;
        Ok(())
    }

    #[rstest]
    #[test]
    async fn a_connection_outlives_its_namespace() -> TestResult {
        let suite = start(SOCKET, profile().with_ping_timeout(PATIENCE)).await;
        let mut socket = suite.connected().await;
        socket.send("41").await;
        assert_eq!(socket.text().await, "2");
        Ok(())
    }

    #[rstest]
    #[test]
    async fn namespaces_are_left_one_by_one() -> TestResult {
        let suite = quiet(SOCKET).await;
        let mut socket = suite.connected().await;
        socket.send("40/custom").await;
        assert!(socket.text().await.starts_with("40/custom,{"));
        assert_eq!(socket.text().await, r#"42/custom,["auth",{}]"#);
        socket.send("41/custom").await;
        socket.send(r#"42["message","to the main namespace"]"#).await;
        assert_eq!(socket.text().await, r#"42["message-back","to the main namespace"]"#);
        Ok(())
    }

    #[rstest]
    #[case::event(r#"42["message",1,"2",{"3":[true]}]"#, r#"42["message-back",1,"2",{"3":[true]}]"#)]
    #[case::without_arguments(r#"42["message"]"#, r#"42["message-back"]"#)]
    #[case::ack(r#"42456["message-with-ack",1,"2",{"3":[false]}]"#, r#"43456[1,"2",{"3":[false]}]"#)]
    #[test]
    async fn an_event_comes_back(#[case] event: &str, #[case] back: &str) -> TestResult {
        let suite = quiet(SOCKET).await;
        let mut socket = suite.connected().await;
        socket.send(event).await;
        assert_eq!(socket.text().await, back);
        Ok(())
    }

    #[rstest]
    #[case::event(r#"452-["message",{},{}]"#, r#"452-["message-back",{},{}]"#)]
    #[case::ack(r#"452-789["message-with-ack",{},{}]"#, "462-789[{},{}]")]
    #[test]
    async fn binary_data_comes_back(#[case] event: &str, #[case] back: &str) -> TestResult {
        let placeholders = [0, 1].map(|number| format!(r#"{{"_placeholder":true,"num":{number}}}"#));
        let filled =
            |packet: &str| placeholders.iter().fold(packet.to_owned(), |packet, it| packet.replacen("{}", it, 1));
        let suite = quiet(SOCKET).await;
        let mut socket = suite.connected().await;
        socket.send(&filled(event)).await;
        socket.send_binary(&[1, 2, 3]).await;
        socket.send_binary(&[4, 5, 6]).await;
        assert_eq!(socket.text().await, filled(back));
        assert_eq!(socket.binary().await, &[1, 2, 3][..]);
        assert_eq!(socket.binary().await, &[4, 5, 6][..]);
        Ok(())
    }

    #[rstest]
    #[test]
    async fn binary_data_comes_back_by_polling_and_in_the_other_namespace() -> TestResult {
        let suite = quiet(SOCKET).await;
        let sid = suite.polling_session().await;
        suite.post(&sid, "40/custom,").await;
        let mut heard = String::new();
        let event = "451-/custom,[\"message\",{\"_placeholder\":true,\"num\":0}]\u{1e}bAQID";
        while !heard.contains("auth") {
            heard += &suite.poll(&sid).await.1;
        }
        assert_eq!(suite.post(&sid, event).await.0, 200);
        let back = suite.poll(&sid).await.1;
        assert_eq!(back, event.replace("message", "message-back"));
        Ok(())
    }

    #[rstest]
    #[case::an_unknown_type("4abc")]
    #[case::not_an_array("42{}")]
    #[case::without_a_name("42[]")]
    #[case::a_wrong_ack_id(r#"42abc["message-with-ack",1,"2",{"3":[false]}]"#)]
    #[case::a_second_connect("40")]
    #[case::an_attachment_that_nobody_announced("b")]
    #[test]
    async fn an_invalid_packet_closes(#[case] packet: &str) -> TestResult {
        let suite = quiet(SOCKET).await;
        let mut socket = suite.connected().await;
        match packet {
            "b" => socket.send_binary(&[1, 2, 3]).await,
            text => socket.send(text).await,
        }
        socket.closes().await;
        Ok(())
    }
}
