//! The stock `socket.io-client` of npm, unmodified, works against the deployment: it is what browsers and Node run.
//!
//! It runs in Node, which must be there, and is the one that a project has installed: it is looked for as Node does from the
//! current directory, or from `client-dir`. It does what `interop.rust-socketio` has its client do; cookies it keeps.

use crate::{
    catalogue::{Check, Effect, Effort, Isolation, Need, Wait, cite, stock},
    contract::Carrier,
    fault::Fault,
    probe::{Probe, Stop, Verdict},
    verdict::{Level, Row},
    wire::{Session, Transport},
};

pub const CHECK: Check = Check {
    id: "interop.socket-io-client",
    title: "The stock socket.io-client of npm works, and survives a dropped connection",
    level: Level::Must,
    row: Row::C3,
    cites: &[cite::SIO_CLIENT, cite::EIO_HANDSHAKE, cite::SIO_CONNECT],
    needs: &[Need::Connect, Need::Ping],
    requires: stock::REQUIRES,
    isolation: Isolation::Notifications,
    effects: &[Effect::Broadcasts],
    wait: Wait::None,
    meaning: "The client that your page uses does not get in, or does not come back after a loss of the network.",
    fix: "Answer as the `socket.io` package does: 200 with `ok` to a POST, the open packet to a handshake. Use the same major \
          version of `socket.io` and `socket.io-client`, and look in proxy rules and middleware for what changes answers.",
    effort: Effort::Hours,
    faults: &[Fault::PostAnswersNoContent],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    if probe.contract().client_dir().is_none() {
        return Err(Stop::Skip(
            "no socket.io-client is installed here (looked for from the current directory, as Node does; --client-dir names \
             another)"
                .into(),
        ));
    }
    let mut ways = stock::ways(probe);
    if probe.target().usable(Transport::Polling) && has_two_kinds_of_cookies(probe).await? {
        let reason =
            "by polling, socket.io-client on Node sends the cookies that the target sets in place of those given to it";
        ways.retain(|way| matches!(way, stock::Way::WebSocket));
        if ways.is_empty() {
            return Err(Stop::Skip(reason.into()));
        }
        probe.note(say!("judged on WebSocket alone: {reason}", reason));
    }
    stock::drive::<client::SocketIoClient>(probe, ways).await
}

/// Whether requests carry a cookie of the contract's, and the target sets others: Node's client, unlike a browser, sends one kind
/// of them.
async fn has_two_kinds_of_cookies(probe: &Probe) -> Result<bool, Stop> {
    let contract = probe.contract();
    let is_cookie = |name: &str| name.eq_ignore_ascii_case("cookie");
    if contract.auth.carrier != Carrier::Cookie && !contract.headers.iter().any(|(name, _)| is_cookie(name)) {
        return Ok(false);
    }
    let endpoint = probe.endpoint("cookies");
    let opened = Session::polling_handshake(&endpoint).await;
    opened.map_err(|error| Stop::Broken(say!("a session by polling: {error}", error)))?;
    Ok(endpoint.has_cookies())
}

mod client {
    use std::{process::Stdio, time::Duration};

    use serde_json::{Map, Value, json};
    use tokio::{
        io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
        process::{Child, Command},
        sync::mpsc,
        time::timeout,
    };
    use url::Host;

    use crate::{
        catalogue::stock::{self, Heard, Library, Way, nothing_within, relay::Relay},
        message::Message,
        probe::{Probe, Stop},
        wire::Carried,
    };

    /// What drives the library.
    const SCRIPT: &str = include_str!("socket_io_client.js");
    /// How long Node may take to start, however short an answer's deadline is.
    const START: Duration = Duration::from_secs(10);

    /// A process of Node's that runs the library. It ends with this.
    pub struct SocketIoClient {
        _process: Child,
        asking: mpsc::UnboundedSender<String>,
    }

    impl Library for SocketIoClient {
        const NAME: &'static str = "socket.io-client";

        async fn connect(
            probe: &Probe,
            way: Way,
            relay: Option<&Relay>,
            telling: mpsc::UnboundedSender<Heard>,
        ) -> Result<Result<Self, Message>, Stop> {
            let asked = json!({ "open": opening(probe, way, relay).await? });
            let mut process = Command::new("node")
                .args(["-e", SCRIPT])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .kill_on_drop(true)
                .spawn()
                .map_err(|error| Stop::Skip(say!("needs Node, which runs socket.io-client: {error}", error)))?;
            let (Some(mut input), Some(output)) = (process.stdin.take(), process.stdout.take()) else {
                return Err(Stop::Broken("Node has no standard input or output".into()));
            };
            let (asking, mut asks) = mpsc::unbounded_channel::<String>();
            // Both end with the process, or with who asks.
            tokio::spawn(async move {
                while let Some(line) = asks.recv().await {
                    if input.write_all(format!("{line}\n").as_bytes()).await.is_err() {
                        break;
                    }
                }
            });
            let (starting, mut started) = mpsc::channel(1);
            tokio::spawn(async move {
                let mut lines = BufReader::new(output).lines();
                while let Ok(Some(line)) = lines.next_line().await {
                    let Ok(Value::Object(said)) = serde_json::from_str(&line) else { continue };
                    if said.contains_key("version") || said.contains_key("missing") {
                        let _ = starting.try_send(said);
                    } else if let Some(heard) = heard(said)
                        && telling.send(heard).is_err()
                    {
                        break;
                    }
                }
            });
            let _ = asking.send(asked.to_string());
            let said = match timeout(START.max(probe.deadline()), started.recv()).await {
                Ok(Some(said)) => said,
                Ok(None) => return Err(Stop::Broken("Node ended before it ran socket.io-client".into())),
                Err(_) => return Err(Stop::Broken(say!("Node: {start}", start = nothing_within(START)))),
            };
            let text = |name: &str| crate::message::data(said.get(name).and_then(Value::as_str).unwrap_or_default());
            if said.contains_key("missing") {
                return Err(Stop::Skip(say!("Node does not load socket.io-client: {text}", text = text("missing"))));
            }
            probe.note(say!(
                "socket.io-client {version} on Node {node}",
                version = text("version"),
                node = text("node")
            ));
            Ok(Ok(Self { _process: process, asking }))
        }

        async fn emit(&self, event: String, args: Vec<Value>) -> Result<(), Message> {
            let asked = json!({ "emit": { "event": event, "args": args } });
            self.asking.send(asked.to_string()).map_err(|_| "Node has ended".into())
        }

        async fn leave(self) {}
    }

    fn heard(mut said: Map<String, Value>) -> Option<Heard> {
        match (said.remove("event"), said.remove("args"), said.remove("error")) {
            (Some(Value::String(event)), Some(Value::Array(args)), _) => Some(Heard::Event(event, args)),
            (_, _, Some(Value::String(error))) => Some(Heard::Error(error)),
            _ => said.contains_key("connected").then_some(Heard::Connected),
        }
    }

    /// Where the client connects, and how: what `io(url, options)` takes.
    async fn opening(probe: &Probe, way: Way, relay: Option<&Relay>) -> Result<Value, Stop> {
        let contract = probe.contract();
        let origin = &probe.target().origin;
        let mut url = origin.clone();
        url.set_path(&contract.namespace);
        let (carried, auth) = probe.tokens().part(probe.credentials(&probe.user(way.name())).await?);
        let mut headers: Map<String, Value> = Map::new();
        headers
            .extend(stock::headers(contract, carried.as_ref()).into_iter().map(|(name, value)| (name, value.into())));
        if let Some(relay) = relay {
            let unfit = |()| Stop::Broken(say!("{origin} cannot be reached through a relay", origin));
            url.set_ip_host(relay.address().ip()).map_err(unfit)?;
            url.set_port(Some(relay.address().port())).map_err(unfit)?;
            if let Some(Host::Domain(name)) = origin.host()
                && name != "localhost"
            {
                let host = origin.port().map_or_else(|| name.to_owned(), |port| format!("{name}:{port}"));
                headers.insert("host".into(), host.into());
            }
        }
        let mut query = Map::new();
        if let Some(Carried::Query(name, token)) = carried {
            query.insert(name, token.expose().into());
        }
        let transports = match way {
            Way::Polling => json!(["polling"]),
            Way::WebSocket => json!(["websocket"]),
            Way::Upgrade => json!(["polling", "websocket"]),
        };
        Ok(json!({
            "from": contract.client_dir(),
            "url": url.as_str(),
            "options": {
                "path": format!("{}/", contract.path),
                "transports": transports,
                "auth": auth,
                "query": query,
                "extraHeaders": headers,
                "withCredentials": true,
                "forceNew": true,
                "reconnectionDelay": 50,
                "reconnectionDelayMax": 1_000,
                "ca": contract.authorities,
                "rejectUnauthorized": !contract.insecure_tls,
            },
        }))
    }
}
