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
    catalogue::{Check, Effect, Effort, Isolation, Need, Wait, cite, stock},
    fault::Fault,
    verdict::{Level, Row},
};

pub const CHECK: Check = Check {
    id: "interop.rust-socketio",
    title: "The stock rust_socketio client works, and survives a dropped connection",
    level: Level::Must,
    row: Row::C3,
    cites: &[cite::RUST_SOCKETIO, cite::EIO_HANDSHAKE, cite::SIO_CONNECT],
    needs: &[Need::InteropClient, Need::Connect, Need::Ping],
    requires: stock::REQUIRES,
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
    use std::{io, time::Duration};

    use futures::FutureExt;
    use rust_socketio::{
        Event, Payload, TransportType,
        asynchronous::{Client, ClientBuilder},
    };
    use rustls::pki_types::{CertificateDer, pem::PemObject};
    use serde_json::Value;
    use tokio::{runtime::Runtime, sync::mpsc, time::timeout};
    use url::Host;

    use crate::{
        catalogue::stock::{self, Heard, Library, Way, nothing_within, relay::Relay},
        message::Message,
        probe::{Probe, Stop, Verdict},
        wire::{Carried, EnginePacket, Polling, Session, Transport, WireError},
    };

    /// How often a session is asked for without its cookies: often enough for a balancer that goes by turns.
    const WITHOUT_COOKIES: usize = 4;

    /// How often is looked whether a session is known late: workers that do not know it yet are asked by chance.
    const HURRIED: usize = 8;

    pub async fn run(probe: &Probe) -> Verdict {
        if probe.contract().path.is_empty() {
            return Err(Stop::Skip("rust_socketio asks at /socket.io/ where a URL has no path".into()));
        }
        let ways = stock::ways(probe);
        let polls = probe.target().usable(Transport::Polling);
        if polls && goes_by_cookie(probe).await? {
            let reason = "rust_socketio keeps no cookies, and by polling sessions are found again by a cookie here";
            return without_polling(probe, ways, reason).await;
        }
        let verdict = stock::drive::<RustSocketio>(probe, ways.clone()).await;
        if polls && matches!(verdict, Err(Stop::Fail(_))) && is_known_late(probe).await? {
            let reason = "rust_socketio asks for a session by another connection right after the handshake, and not again \
                          where that is too early, as it is between the workers here";
            return without_polling(probe, ways, reason).await;
        }
        verdict
    }

    /// What is left to judge of a client that cannot poll here.
    async fn without_polling(probe: &Probe, mut ways: Vec<Way>, reason: &'static str) -> Verdict {
        ways.retain(|way| matches!(way, Way::WebSocket));
        if ways.is_empty() {
            return Err(Stop::Skip(reason.into()));
        }
        probe.note(say!("judged on WebSocket alone: {reason}", reason));
        stock::drive::<RustSocketio>(probe, ways).await
    }

    /// Whether a session is not known to who lacks the cookie that came with its handshake.
    async fn goes_by_cookie(probe: &Probe) -> Result<bool, Stop> {
        let endpoint = probe.endpoint("with cookies");
        let (handshake, _) = Session::polling_handshake(&endpoint).await.map_err(lost)?;
        if !endpoint.has_cookies() {
            return Ok(false);
        }
        // By then it is known wherever it will be.
        Polling::new(&endpoint, &handshake.sid).push(&[EnginePacket::Noop]).await.map_err(lost)?;
        for number in 1..=WITHOUT_COOKIES {
            let stranger = probe.endpoint(&format!("cookieless {number}")).taking_first_answers();
            let answer =
                Polling::new(&stranger, &handshake.sid).post(EnginePacket::Noop.encode()).await.map_err(lost)?;
            if !answer.is_success() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether a session is not known at first to who asks for it by another connection, as between the workers of
    /// `@socket.io/sticky`.
    async fn is_known_late(probe: &Probe) -> Result<bool, Stop> {
        for number in 1..=HURRIED {
            let endpoint = probe.endpoint(&format!("hurried {number}"));
            if endpoint.knows_sessions_late() {
                return Ok(true);
            }
            let (handshake, _) = Session::polling_handshake(&endpoint.labelled("handshake")).await.map_err(lost)?;
            Polling::new(&endpoint, &handshake.sid).post(EnginePacket::Noop.encode()).await.map_err(lost)?;
        }
        Ok(false)
    }

    fn lost(error: WireError) -> Stop {
        Stop::Broken(say!("a session by polling: {error}", error))
    }

    /// The library's client, on a runtime of its own: its tasks know no end, and go with that runtime.
    struct RustSocketio {
        client: Client,
        runtime: Workshop,
        deadline: Duration,
    }

    impl Library for RustSocketio {
        const NAME: &'static str = "rust_socketio";

        async fn connect(
            probe: &Probe,
            way: Way,
            relay: Option<&Relay>,
            telling: mpsc::UnboundedSender<Heard>,
        ) -> Result<Result<Self, Message>, Stop> {
            let builder = builder(probe, way, relay, &telling).await?;
            let runtime =
                Workshop::open().map_err(|error| Stop::Broken(say!("no runtime for rust_socketio: {error}", error)))?;
            let deadline = probe.deadline();
            Ok(runtime.run(deadline, builder.connect()).await.map(|client| Self { client, runtime, deadline }))
        }

        async fn emit(&self, event: String, args: Vec<Value>) -> Result<(), Message> {
            let client = self.client.clone();
            self.runtime.run(self.deadline, async move { client.emit(Event::Custom(event), args).await }).await
        }

        async fn leave(self) {
            let client = self.client.clone();
            let _ = self.runtime.run(self.deadline, async move { client.disconnect().await }).await;
        }
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
        ) -> Result<T, Message> {
            let runtime = self.0.as_ref().expect("it is there until the drop");
            match timeout(patience, runtime.spawn(work)).await {
                Ok(Ok(done)) => done.map_err(|error| error.to_string().into()),
                Ok(Err(panic)) => Err(panic.to_string().into()),
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
            let unfit = |()| Stop::Broken(say!("{origin} cannot be reached through a relay", origin));
            url.set_ip_host(relay.address().ip()).map_err(unfit)?;
            url.set_port(Some(relay.address().port())).map_err(unfit)?;
        }
        let (carried, auth) = probe.tokens().part(probe.credentials(&probe.user(way.name())).await?);
        if let Some(Carried::Query(name, token)) = &carried {
            url.query_pairs_mut().append_pair(name, token.expose());
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
                    tell(&other, &event, args);
                }
                async {}.boxed()
            });
        if let Some(auth) = auth {
            builder = builder.auth(auth);
        }
        for (name, value) in stock::headers(contract, carried.as_ref()) {
            builder = builder.opening_header(name, value);
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
        let unfit = |error: native_tls::Error| {
            Stop::Broken(say!("the stock client's TLS cannot be set up: {error}", error = error.to_string()))
        };
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
            Payload::Binary(data) => format!("{} bytes", data.len()),
            #[expect(deprecated, reason = "it is one of three")]
            Payload::String(text) => text,
        }
    }

    /// Tells of an event. The library takes one without arguments for a message of its own kind, whose one argument is the event's
    /// name. A failure to tell means that the check is over.
    fn tell(telling: &mpsc::UnboundedSender<Heard>, event: &Event, args: Vec<Value>) {
        match event {
            Event::Custom(name) => drop(telling.send(Heard::Event(name.clone(), args))),
            Event::Message => {
                if let [Value::String(name)] = &args[..] {
                    drop(telling.send(Heard::Event(name.clone(), Vec::new())));
                }
                drop(telling.send(Heard::Event("message".into(), args)));
            }
            _ => {}
        }
    }
}
