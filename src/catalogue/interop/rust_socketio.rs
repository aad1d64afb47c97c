//! The stock `rust_socketio` client, unmodified, works against the deployment.
//!
//! siospec's probe shares no code with any Socket.IO library, and so may share no mistake with the server. This client
//! is a second opinion: it has its own idea of the protocol, and differs from a browser's in lawful ways, such as a
//! WebSocket handshake without the query parameter `t`. By each transport, and by the upgrade that is its default, it
//!
//! - connects with a valid token in the CONNECT payload,
//! - gets a pong to its ping,
//! - joins a room and receives a message that another client sends there,
//! - receives the notification of a REST call,
//! - and, its connection cut by a TCP relay on this machine, connects again with its token and gets another pong.
//!
//! What the contract does not declare is left out; so is the cut over https, which the relay cannot stand in for. How
//! often anything arrives is judged by other checks. Needs a build of siospec with the feature `interop`.

use crate::{
    catalogue::{Check, Effect, Effort, Isolation, Need, Wait, cite},
    mock::Fault,
    verdict::{Level, Row},
};

pub const CHECK: Check = Check {
    id: "interop.rust-socketio",
    title: "The stock rust_socketio client works, and survives a dropped connection",
    level: Level::Must,
    row: Row::C3,
    cites: &[cite::RUST_SOCKETIO, cite::EIO_HANDSHAKE, cite::SIO_CONNECT],
    needs: &[Need::InteropClient, Need::Connect, Need::Ping],
    requires: &[
        "transport.open-packet",
        "transport.upgrade",
        "auth.valid-token",
        "events.ping-pong",
        "events.ping-pong-private",
        "reconnect.parallel-clients",
        "events.immediate-emit",
        "rooms.member-receives",
        "rooms.cross-transport",
        "rest.response",
        "rest.emit-once",
        "rest.emit-all",
        "deploy.sticky-sessions",
    ],
    isolation: Isolation::Notifications,
    effects: &[Effect::Broadcasts],
    wait: Wait::None,
    meaning: "Clients other than the browser's (a mobile app, a service, a device) do not get in, or do not come back \
              after a loss of the network.",
    fix: "Ask for no more than the protocol does: `EIO=4` and `transport`, with or without `t`, and the token in \
          `socket.handshake.auth.token`. Look in Nitro's middleware, `allowRequest` and proxy rules for conditions \
          that only the browser's client meets.",
    effort: Effort::Hours,
    faults: &[Fault::RequiresCacheBuster, Fault::PostAnswersNoContent],
    run: |probe| Box::pin(client::run(probe)),
};

#[cfg(not(feature = "interop"))]
mod client {
    use crate::probe::{Probe, Stop, Verdict};

    pub async fn run(_: &Probe) -> Verdict {
        Err(Stop::Skip("this build of siospec lacks the rust_socketio client".into()))
    }
}

#[cfg(feature = "interop")]
mod client {
    use std::{fmt, io, time::Duration};

    use futures::FutureExt;
    use rust_socketio::{
        Event, Payload, TransportType,
        asynchronous::{Client, ClientBuilder},
    };
    use rustls::pki_types::{CertificateDer, pem::PemObject};
    use serde_json::Value;
    use tokio::{
        runtime::Runtime,
        sync::mpsc,
        time::{Instant, timeout, timeout_at},
    };
    use url::Host;

    use crate::{
        catalogue::{interop::relay::Relay, rest, rooms},
        contract::{Emit, Expect, Rest, Rooms, Vars},
        probe::{Finding, Probe, Stop, Verdict, fail, in_order, on_wire, seen_twice},
        wire::{EnginePacket, Polling, Session, Transport, WireError, round},
    };

    /// How often a session is asked for without its cookies: often enough for a balancer that goes by turns.
    const WITHOUT_COOKIES: usize = 4;

    /// How the client connects.
    #[derive(Clone, Copy)]
    enum Way {
        Polling,
        WebSocket,
        Upgrade,
    }

    impl Way {
        fn name(self) -> &'static str {
            match self {
                Way::Polling => "polling",
                Way::WebSocket => "websocket",
                Way::Upgrade => "upgrade",
            }
        }
    }

    impl fmt::Display for Way {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(match self {
                Way::Polling => "polling",
                Way::WebSocket => "WebSocket",
                Way::Upgrade => "its default, polling and then an upgrade",
            })
        }
    }

    pub async fn run(probe: &Probe) -> Verdict {
        if probe.contract().path.is_empty() {
            return Err(Stop::Skip("rust_socketio asks at /socket.io/ where a URL has no path".into()));
        }
        let mut ways = Vec::new();
        for transport in probe.transports() {
            ways.push(match transport {
                Transport::Polling => Way::Polling,
                Transport::WebSocket => Way::WebSocket,
            });
        }
        if ways.len() == 2 {
            ways.push(Way::Upgrade);
        }
        if probe.target().usable(Transport::Polling) && goes_by_cookie(probe).await? {
            let reason = "rust_socketio keeps no cookies, and by polling sessions are found again by a cookie here";
            ways.retain(|way| matches!(way, Way::WebSocket));
            if ways.is_empty() {
                return Err(Stop::Skip(reason.into()));
            }
            probe.note(format!("judged on WebSocket alone: {reason}"));
        }
        in_order(ways.into_iter().map(|way| seen_twice(probe, move || exchange(probe, way)))).await.map(drop)
    }

    /// Whether a session is not known to who lacks the cookie that came with its handshake.
    async fn goes_by_cookie(probe: &Probe) -> Result<bool, Stop> {
        let lost = |error: WireError| Stop::Broken(format!("a session by polling: {error}"));
        let endpoint = probe.endpoint("with cookies");
        let (handshake, _) = Session::polling_handshake(&endpoint).await.map_err(lost)?;
        if !endpoint.has_cookies() {
            return Ok(false);
        }
        for number in 1..=WITHOUT_COOKIES {
            let stranger = probe.endpoint(&format!("without cookies {number}"));
            let answer =
                Polling::new(&stranger, &handshake.sid).post(EnginePacket::Noop.encode()).await.map_err(lost)?;
            if !answer.is_success() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// All that the client does, connected in one way.
    async fn exchange(probe: &Probe, way: Way) -> Verdict {
        let relay = relay(probe).await?;
        let mut client = Stock::connect(probe, way, relay.as_ref()).await?;
        client.ping(probe, "").await?;
        match &probe.contract().rooms {
            Some(declared) if declared.send.carries_message() => client.hear_room(probe, declared).await?,
            Some(_) => probe.note("rooms were left out: the contract's messages carry no text of ours"),
            None => probe.note("rooms were left out: the contract declares none (rooms.enabled)"),
        }
        match &probe.contract().rest {
            Some(declared) => client.hear_notification(probe, declared).await?,
            None => probe.note("the REST trigger was left out: the contract declares none (rest.enabled)"),
        }
        match &relay {
            Some(relay) => client.survive(probe, relay).await?,
            None => probe.note("the dropped connection was left out: the relay that cuts it does not speak TLS"),
        }
        client.leave().await;
        Ok(())
    }

    /// A relay to the target, where that is possible.
    async fn relay(probe: &Probe) -> Result<Option<Relay>, Stop> {
        let origin = &probe.target().origin;
        let host = match (origin.scheme(), origin.host()) {
            ("http", Some(Host::Domain(name))) => name.to_owned(),
            ("http", Some(Host::Ipv4(address))) => address.to_string(),
            ("http", Some(Host::Ipv6(address))) => address.to_string(),
            _ => return Ok(None),
        };
        let relay = Relay::start(host, origin.port_or_known_default().unwrap_or(80)).await;
        relay.map(Some).map_err(|error| Stop::Broken(format!("no relay on 127.0.0.1: {error}")))
    }

    /// What the library tells of.
    enum Heard {
        Connected,
        Error(String),
        Event(Event, Vec<Value>),
    }

    /// The library's client, on a runtime of its own: its tasks know no end, and go with that runtime.
    struct Stock {
        way: Way,
        client: Client,
        heard: mpsc::UnboundedReceiver<Heard>,
        /// What it said of errors since it was last connected, for a finding.
        errors: Vec<String>,
        runtime: Workshop,
        deadline: Duration,
    }

    /// A runtime that goes, with every task on it, when this is dropped.
    struct Workshop(Option<Runtime>);

    impl Workshop {
        fn open() -> io::Result<Workshop> {
            let mut builder = tokio::runtime::Builder::new_multi_thread();
            builder.worker_threads(1).thread_name("rust_socketio").enable_all().build().map(Some).map(Workshop)
        }

        /// Runs something of the library where its connections live.
        async fn run<T: Send + 'static>(
            &self,
            patience: Duration,
            work: impl Future<Output = Result<T, rust_socketio::Error>> + Send + 'static,
        ) -> Result<T, String> {
            let runtime = self.0.as_ref().expect("it is there until the drop");
            match timeout(patience, runtime.spawn(work)).await {
                Ok(Ok(done)) => done.map_err(|error| error.to_string()),
                Ok(Err(panic)) => Err(panic.to_string()),
                Err(_) => Err(nothing_within(patience)),
            }
        }
    }

    impl Drop for Workshop {
        fn drop(&mut self) {
            if let Some(runtime) = self.0.take() {
                // Without waiting for anything: this is called on another runtime, which must not be blocked.
                runtime.shutdown_background();
            }
        }
    }

    impl Stock {
        /// Connects and waits for the CONNECT reply.
        async fn connect(probe: &Probe, way: Way, relay: Option<&Relay>) -> Result<Stock, Stop> {
            let (telling, heard) = mpsc::unbounded_channel();
            let builder = builder(probe, way, relay, &telling).await?;
            let runtime =
                Workshop::open().map_err(|error| Stop::Broken(format!("no runtime for rust_socketio: {error}")))?;
            let refused = |how: String| {
                fail(format!("rust_socketio does not connect by {way}"))
                    .sent("the client's own handshake, then CONNECT with a valid token")
                    .received(how)
                    .expected("a CONNECT reply")
            };
            let deadline = probe.deadline();
            let client = match runtime.run(deadline, builder.connect()).await {
                Ok(client) => client,
                Err(how) => return refused(how).stop(),
            };
            let mut stock = Stock { way, client, heard, errors: Vec::new(), runtime, deadline };
            match stock.connected(deadline).await {
                Ok(()) => Ok(stock),
                Err(how) => refused(how).stop(),
            }
        }

        /// Waits for a CONNECT reply; else tells what came instead.
        async fn connected(&mut self, patience: Duration) -> Result<(), String> {
            let end = Instant::now() + patience;
            loop {
                match timeout_at(end, self.heard.recv()).await {
                    Ok(Some(Heard::Connected)) => return Ok(()),
                    Ok(Some(Heard::Error(error))) => self.errors.push(error),
                    Ok(Some(Heard::Event(..))) => {}
                    Ok(None) | Err(_) => return Err(self.silence(patience)),
                }
            }
        }

        /// Waits for an event that `wanted` holds for.
        async fn hear(&mut self, until: Instant, wanted: impl Fn(&Event, &[Value]) -> bool) -> bool {
            loop {
                match timeout_at(until, self.heard.recv()).await {
                    Ok(Some(Heard::Event(event, args))) if wanted(&event, &args) => return true,
                    Ok(Some(Heard::Error(error))) => self.errors.push(error),
                    Ok(Some(_)) => {}
                    Ok(None) | Err(_) => return false,
                }
            }
        }

        fn silence(&self, patience: Duration) -> String {
            match self.errors.last() {
                Some(error) => format!("{}; the client says: {error}", nothing_within(patience)),
                None => nothing_within(patience),
            }
        }

        /// Sends a declared event.
        async fn emit(&self, probe: &Probe, emit: &Emit, vars: &Vars) -> Result<(), Finding> {
            let (event, args) = emit.render(vars);
            let client = self.client.clone();
            let sending = async move { client.emit(Event::Custom(event), args).await };
            let Err(how) = self.runtime.run(self.deadline, sending).await else { return Ok(()) };
            Err(fail(format!("rust_socketio cannot send over {}", self.way))
                .sent(on_wire(&probe.contract().namespace, emit, vars))
                .received(how)
                .expected("a message that is taken"))
        }

        /// One ping, one pong or more.
        async fn ping(&mut self, probe: &Probe, when: &str) -> Verdict {
            let ping = probe.ping()?;
            let nothing = Vars::new();
            self.emit(probe, &ping.emit, &nothing).await.or_else(Finding::stop)?;
            if self.hear(probe.in_time(), |event, args| named(event, args, &ping.reply).is_some()).await {
                return Ok(());
            }
            fail(format!("rust_socketio gets no `{}` to its ping{when}, by {}", ping.reply, self.way))
                .sent(on_wire(&probe.contract().namespace, &ping.emit, &nothing))
                .received(self.silence(self.deadline))
                .expected(format!("`{}`", ping.reply))
                .stop()
        }

        /// Joins a room and hears what another member sends there.
        async fn hear_room(&mut self, probe: &Probe, declared: &Rooms) -> Verdict {
            let room = Vars::new().room(probe.nonce("room"));
            let mut sender = probe.client(&format!("sender to {}", self.way.name()), probe.transport()).await?;
            rooms::join(probe, &mut sender, room.get("room").unwrap_or_default()).await?;
            self.emit(probe, &declared.join, &room).await.or_else(Finding::stop)?;
            // Nothing tells when the join has taken effect, so that more than one message may be needed.
            let end = probe.in_time();
            let mut patience = probe.target().quiet_window();
            let mut sent = Vec::new();
            while Instant::now() < end {
                let message = room.clone().message(probe.nonce("message"));
                sender.emit(&declared.send, &message);
                sent.push(message);
                let until = end.min(Instant::now() + patience);
                let ours = |event: &Event, args: &[Value]| {
                    sent.iter().any(|message| matches(event, args, &declared.receive, message))
                };
                if self.hear(until, ours).await {
                    return Ok(());
                }
                patience *= 2;
            }
            fail(format!("rust_socketio hears nothing of the room that it joined, by {}", self.way))
                .sent(format!(
                    "{}, then messages to the room by another member",
                    on_wire(&probe.contract().namespace, &declared.join, &room)
                ))
                .received(self.silence(self.deadline))
                .expected(format!("`{}`", declared.receive.event))
                .stop()
        }

        /// Hears the notification of a REST call.
        async fn hear_notification(&mut self, probe: &Probe, declared: &Rest) -> Verdict {
            let (message, vars) = rest::message(probe)?;
            probe.notify(&message).await?;
            if self.hear(probe.in_time(), |event, args| matches(event, args, &declared.event, &vars)).await {
                return Ok(());
            }
            fail(format!("rust_socketio gets no `{}`, by {}", declared.event.event, self.way))
                .sent(format!("{} {}", declared.method, declared.path))
                .received(self.silence(self.deadline))
                .expected(format!("`{}`", declared.event.event))
                .stop()
        }

        /// Loses its connection and comes back by itself.
        async fn survive(&mut self, probe: &Probe, relay: &Relay) -> Verdict {
            self.errors.clear();
            // Between two polls that have a connection each there is none to cut, and the client notices nothing.
            let mut back = Err(String::new());
            for patience in [self.deadline / 4, self.deadline / 4, self.deadline] {
                relay.cut().await;
                back = self.connected(patience).await;
                if back.is_ok() {
                    break;
                }
            }
            if let Err(how) = back {
                return fail(format!("rust_socketio does not come back after a dropped connection, by {}", self.way))
                    .sent("its TCP connections were cut; then its own handshake and CONNECT with the same token")
                    .received(how)
                    .expected("a CONNECT reply")
                    .doubtful()
                    .stop();
            }
            self.ping(probe, " after it came back").await
        }

        /// Says goodbye; that it can is of no interest here.
        async fn leave(self) {
            let client = self.client.clone();
            let _ = self.runtime.run(self.deadline, async move { client.disconnect().await }).await;
        }
    }

    /// The client as its documentation has it, with all that it hears going to `telling`.
    async fn builder(
        probe: &Probe,
        way: Way,
        relay: Option<&Relay>,
        telling: &mpsc::UnboundedSender<Heard>,
    ) -> Result<ClientBuilder, Stop> {
        let contract = probe.contract();
        let origin = &probe.target().origin;
        let mut url = origin.clone();
        // It wants the final slash.
        url.set_path(&format!("{}/", contract.path));
        if let Some(relay) = relay {
            let unfit = |()| Stop::Broken(format!("{origin} cannot be reached through a relay"));
            url.set_ip_host(relay.address().ip()).map_err(unfit)?;
            url.set_port(Some(relay.address().port())).map_err(unfit)?;
        }
        let transport = match way {
            Way::Polling => TransportType::Polling,
            Way::WebSocket => TransportType::Websocket,
            Way::Upgrade => TransportType::Any,
        };
        let (connected, failed, other) = (telling.clone(), telling.clone(), telling.clone());
        // A failure to tell means that the check is over.
        let mut builder = ClientBuilder::new(url)
            .namespace(contract.namespace.as_str())
            .transport_type(transport)
            .reconnect_delay(50, 1_000)
            .on(Event::Connect, move |_, _| {
                let _ = connected.send(Heard::Connected);
                async {}.boxed()
            })
            .on(Event::Error, move |payload, _| {
                let _ = failed.send(Heard::Error(text(payload)));
                async {}.boxed()
            })
            .on_any(move |event, payload, _| {
                if let Payload::Text(args) = payload {
                    let _ = other.send(Heard::Event(event, args));
                }
                async {}.boxed()
            });
        if let Some(auth) = probe.credentials(&probe.user(way.name())).await? {
            builder = builder.auth(auth);
        }
        for (name, value) in &contract.headers {
            builder = builder.opening_header(name.as_str(), value.expose());
        }
        if let Some(connector) = tls(contract)? {
            builder = builder.tls_config(connector);
        }
        if let (Some(_), Some(Host::Domain(name))) = (relay, origin.host())
            && name != "localhost"
        {
            // Through the relay, too, the target must know which of its names is meant.
            let host = origin.port().map_or_else(|| name.to_owned(), |port| format!("{name}:{port}"));
            builder = builder.opening_header("Host", host);
        }
        Ok(builder)
    }

    /// What the client must be told of TLS, where the contract says anything.
    fn tls(contract: &crate::contract::Contract) -> Result<Option<native_tls::TlsConnector>, Stop> {
        if contract.authorities.is_none() && !contract.insecure_tls {
            return Ok(None);
        }
        let unfit =
            |error: native_tls::Error| Stop::Broken(format!("the stock client's TLS cannot be set up: {error}"));
        let mut builder = native_tls::TlsConnector::builder();
        builder.danger_accept_invalid_certs(contract.insecure_tls);
        let authorities = contract.authorities.as_deref().unwrap_or_default();
        for certificate in CertificateDer::pem_slice_iter(authorities.as_bytes()).flatten() {
            builder.add_root_certificate(native_tls::Certificate::from_der(&certificate).map_err(unfit)?);
        }
        builder.build().map(Some).map_err(unfit)
    }

    fn text(payload: Payload) -> String {
        match payload {
            Payload::Text(values) => values.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
            other => format!("{other:?}"),
        }
    }

    fn nothing_within(patience: Duration) -> String {
        format!("nothing within {}", humantime::format_duration(round(patience)))
    }

    /// The arguments, where this is the named event. The library takes an event without arguments for a message of its
    /// own kind, whose one argument is the event's name.
    fn named<'a>(event: &Event, args: &'a [Value], name: &str) -> Option<&'a [Value]> {
        match event {
            Event::Custom(event) if event == name => Some(args),
            Event::Message if args.len() == 1 && args[0] == name => Some(&[]),
            Event::Message if name.eq_ignore_ascii_case("message") => Some(args),
            _ => None,
        }
    }

    fn matches(event: &Event, args: &[Value], expect: &Expect, vars: &Vars) -> bool {
        named(event, args, &expect.event).is_some_and(|args| expect.check(args, vars).is_ok())
    }
}
