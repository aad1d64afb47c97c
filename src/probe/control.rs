//! The positive control: a transport was seen to answer what is lawful, so that a refusal, a silence or an absence on it
//! tells something.
//!
//! It is made once in a run for each transport, by whichever check first asks for it, and shared by all. A check that
//! passes because something was refused or did not come cannot be written without it: an end of a connection is a
//! [`Life::Closed`](super::Life::Closed) or an [`Answer::Closed`](super::Answer::Closed) only where the target had answered
//! something on that connection, or is made from a [`Served`].

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use tokio::{
    sync::{Mutex, OnceCell},
    time::{Instant, sleep},
};

use super::{Answer, Client, Life, Probe, Stop, Verdict, client::End};
use crate::message::Message;
use crate::wire::{
    Endpoint, EnginePacket, Heartbeats, HttpResponse, Polling, Session, SocketPacket, Transcript, Transport, WireError,
    response::was_starved_since,
};

/// What was asked, and answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Twin {
    /// A CONNECT to a namespace that does not exist: it can be asked again on every connection, and changes nothing there.
    Nowhere,
    /// A CONNECT to the contract's own namespace, where the target does not answer the other.
    Own,
}

/// The controls of one run.
#[derive(Debug, Default)]
pub struct Controls {
    polling: OnceCell<Result<Twin, Message>>,
    websocket: OnceCell<Result<Twin, Message>>,
    admission_by_polling: OnceCell<Result<(), Message>>,
    admission_by_websocket: OnceCell<Result<(), Message>>,
    events_by_polling: OnceCell<Result<(), Message>>,
    events_by_websocket: OnceCell<Result<(), Message>>,
    /// Whether the target went away and did not come back.
    gone: AtomicBool,
    /// Held by whoever looks at how a proxy answers a foreign upgrade.
    pub(super) foreign: Mutex<()>,
}

/// Proof that a transport was seen to serve what is lawful in this run. Only [`Probe::served`] makes it.
#[derive(Clone, Copy, Debug)]
pub struct Served {
    twin: Twin,
}

impl Served {
    /// Whether a CONNECT to a namespace that does not exist is answered, so that it can be asked on any connection.
    pub fn answers_unknown_namespaces(&self) -> bool {
        self.twin == Twin::Nowhere
    }

    /// The end of a session that was followed request by request, and on which something had been answered.
    pub fn closed(&self, how: impl Into<Message>) -> Life {
        Life::Closed(End::new(how.into()))
    }
}

/// How often a control is tried: one lost connection says nothing of the others.
const ATTEMPTS: usize = 2;
/// How long a target that went away is waited for: what a supervisor takes to start a Nuxt server again, and longer than nginx
/// leaves a server alone.
const COMES_BACK_WITHIN: Duration = Duration::from_secs(20);
/// How long until it is asked again whether it is back.
const BETWEEN_LOOKS: Duration = Duration::from_millis(250);

impl Probe {
    /// The positive control of `transport`: a handshake, and a CONNECT that was answered, by whatever answer.
    ///
    /// # Errors
    /// [`Stop::Broken`] where nothing was answered in this run: then no refusal and no silence tells anything.
    pub async fn served(&self, transport: Transport) -> Result<Served, Stop> {
        let controls = &self.setting.controls;
        let cell = match transport {
            Transport::Polling => &controls.polling,
            Transport::WebSocket => &controls.websocket,
        };
        proven(transport, self.once(cell, || self.control(transport)).await)
    }

    /// As [`Probe::served`], for requests that belong to no transport.
    ///
    /// # Errors
    /// As [`Probe::served`].
    pub async fn served_at_all(&self) -> Result<Served, Stop> {
        self.served(self.plain_transport()).await
    }

    /// The control anew, after an answer that a target which is gone would give as well: silence, or a closed connection.
    ///
    /// # Errors
    /// As [`Probe::served`].
    pub async fn serves_still(&self, transport: Transport) -> Result<Served, Stop> {
        self.served(transport).await?;
        proven(transport, self.control(transport).await)
    }

    /// As [`Probe::serves_still`], for requests that belong to no transport.
    ///
    /// # Errors
    /// As [`Probe::served`].
    pub async fn serves_at_all_still(&self) -> Result<Served, Stop> {
        self.serves_still(self.plain_transport()).await
    }

    /// Whether the target answers what is lawful now, whatever it did before.
    ///
    /// # Errors
    /// Why it does not.
    pub async fn answers_now(&self) -> Result<(), Message> {
        self.control(self.plain_transport()).await.map(drop)
    }

    /// Waits until the target answers what is lawful, as long as one takes to be started again, and gives how long that was:
    /// zero where it answers at once. A target that has not come back once is gone, and is not waited for again.
    ///
    /// # Errors
    /// Why it does not answer.
    pub async fn until_it_answers(&self) -> Result<Duration, Message> {
        let gone = &self.setting.controls.gone;
        let begun = Instant::now();
        let mut waited = Duration::ZERO;
        loop {
            let answered = self.answers_now().await;
            let is_late = gone.load(Ordering::Relaxed) || begun.elapsed() > COMES_BACK_WITHIN;
            if answered.is_ok() || is_late {
                gone.store(answered.is_err(), Ordering::Relaxed);
                return answered.map(|()| waited);
            }
            // Nothing tells when a server is there but asking it.
            sleep(BETWEEN_LOOKS).await;
            waited = begun.elapsed();
        }
    }

    /// Whether somebody is there: an answer to a handshake that comes from no proxy that misses its server.
    ///
    /// # Errors
    /// What was met instead.
    pub async fn meets_somebody(&self) -> Result<(), Message> {
        // Whatever limits requests is somebody.
        let endpoint = self.endpoint_aside().as_it_comes();
        match Session::polling_handshake(&endpoint).await {
            Ok((handshake, _)) => {
                // A session that nobody ends is the target's to look after.
                let _ = Polling::new(&endpoint, &handshake.sid).push(&[EnginePacket::Close]).await;
                Ok(())
            }
            Err(error) if error.finds_nobody() => Err(error.message()),
            Err(_) => Ok(()),
        }
    }

    /// As [`Probe::meets_somebody`], after a while where nobody is there, for as long as a target takes to be started again.
    ///
    /// # Errors
    /// What was met last.
    pub async fn until_somebody_is_there(&self) -> Result<(), Message> {
        let begun = Instant::now();
        loop {
            let met = self.meets_somebody().await;
            if met.is_ok() || begun.elapsed() > COMES_BACK_WITHIN {
                return met;
            }
            // As above.
            sleep(BETWEEN_LOOKS).await;
        }
    }

    /// Whether the page is one that Vite's development server serves; `None` where no page is answered for as long as a target
    /// takes to be started again.
    pub async fn is_served_by_vite(&self) -> Option<bool> {
        let endpoint = self.endpoint_aside();
        let page = endpoint.url(self.contract().page.as_deref().unwrap_or("/"));
        let begun = Instant::now();
        loop {
            match endpoint.get(page.clone()).await {
                Ok(response) if response.status < 500 => return Some(response.text().contains("/@vite/client")),
                _ if begun.elapsed() > COMES_BACK_WITHIN => return None,
                // As above.
                _ => sleep(BETWEEN_LOOKS).await,
            }
        }
    }

    /// The positive control of events: a connected client sent one that nobody handles, and its connection lived on. Without
    /// that, a connection that is closed for a malformed event may be closed for any.
    ///
    /// # Errors
    /// [`Stop::Broken`] where it was closed, or no client could connect.
    pub async fn takes_events(&self, transport: Transport) -> Verdict {
        let controls = &self.setting.controls;
        let cell = match transport {
            Transport::Polling => &controls.events_by_polling,
            Transport::WebSocket => &controls.events_by_websocket,
        };
        self.once(cell, || self.send_lawfully(transport)).await.map_err(|why| {
            Stop::Broken(say!(
                "over {transport}, a connection ends after a valid event as well, so its end proves nothing: {why}",
                transport,
                why
            ))
        })
    }

    /// The positive control of tokens: a valid one was accepted. Without that, one that is bad in one way only may be refused
    /// as every token is.
    ///
    /// # Errors
    /// [`Stop::Broken`] where it was not.
    pub async fn admits(&self, transport: Transport) -> Verdict {
        let controls = &self.setting.controls;
        let cell = match transport {
            Transport::Polling => &controls.admission_by_polling,
            Transport::WebSocket => &controls.admission_by_websocket,
        };
        let made = self.once(cell, || async { self.connect_lawfully(transport).await.map(drop) }).await;
        made.map_err(|why| {
            Stop::Broken(say!(
                "a valid token is not accepted over {transport} either (see auth.valid-token): {why}",
                transport,
                why
            ))
        })
    }

    async fn connect_lawfully(&self, transport: Transport) -> Result<Client, Message> {
        let mut client = self.aside(transport).await?;
        let credentials = self.credentials(&self.user("control")).await.unwrap_or_default();
        match client.connect(credentials).await {
            Ok(Answer::Connected(_)) => Ok(client),
            Ok(answer) => Err(answer.message()),
            Err(_) => Err("no client could connect".into()),
        }
    }

    async fn send_lawfully(&self, transport: Transport) -> Result<(), Message> {
        let mut client = self.connect_lawfully(transport).await?;
        client.send(&SocketPacket::event(&self.contract().namespace, &self.nonce("control"), &[]));
        match client.life().await {
            Ok(Life::Open) => Ok(()),
            Ok(life) => Err(life.message()),
            Err(_) => Err("the connection was lost".into()),
        }
    }

    fn plain_transport(&self) -> Transport {
        if self.target().usable(Transport::Polling) { Transport::Polling } else { Transport::WebSocket }
    }

    async fn control(&self, transport: Transport) -> Result<Twin, Message> {
        let mut trouble = Message::from("");
        for _ in 0..ATTEMPTS {
            match self.ask_lawfully(transport).await {
                Ok(twin) => return Ok(twin),
                Err(why) => trouble = why,
            }
        }
        Err(trouble)
    }

    async fn ask_lawfully(&self, transport: Transport) -> Result<Twin, Message> {
        let mut client = self.aside(transport).await?;
        let nowhere = match client.question(None).await {
            Ok(_) if client.is_answered() => return Ok(Twin::Nowhere),
            Ok(packet) => packet.shown().into(),
            Err(error) => error.message(),
        };
        let credentials = self.credentials(&self.user("control")).await.unwrap_or_default();
        let mut client = self.aside(transport).await?;
        let answer = client.connect(credentials).await;
        match answer {
            Ok(Answer::Connected(_) | Answer::Refused(_)) if client.is_answered() => Ok(Twin::Own),
            _ => Err(say!("CONNECT to an unknown namespace: {nowhere}", nowhere)),
        }
    }

    /// Makes a control where it is not made yet. What this process itself could not do, or what nobody was there for, is tried
    /// again by whoever asks next.
    async fn once<T: Clone, F: Future<Output = Result<T, Message>>>(
        &self,
        cell: &OnceCell<Result<T, Message>>,
        make: impl FnOnce() -> F,
    ) -> Result<T, Message> {
        let made = cell.get_or_try_init(|| async {
            let begun = Instant::now();
            match make().await {
                Err(why) if was_starved_since(begun) || self.meets_somebody().await.is_err() => Err(why),
                made => Ok(made),
            }
        });
        made.await?.clone()
    }

    /// An endpoint whose requests are in no check's transcript.
    fn endpoint_aside(&self) -> Endpoint {
        let contract = self.contract();
        let transcript = Transcript::new(self.setting.redactor.clone());
        let origin = &self.target().origin;
        Endpoint::new(self.setting.http.clone(), origin, &contract.path, contract.deadline, transcript)
            .labelled("control")
    }

    /// A session that is in no check's transcript.
    async fn aside(&self, transport: Transport) -> Result<Client, Message> {
        let opened = self.open_at(self.endpoint_aside(), transport, Heartbeats::Answered).await;
        opened.map_err(|error| error.message())
    }
}

fn proven(transport: Transport, made: Result<Twin, Message>) -> Result<Served, Stop> {
    made.map(|twin| Served { twin }).map_err(|why| {
        Stop::Broken(say!(
            "even valid requests got no answer over {transport}, so a refusal or silence proves nothing: {why}",
            transport,
            why
        ))
    })
}

impl Client {
    /// Has the target answer something on this connection, so that its end can be an answer to what comes next. Where the
    /// target answers no unknown namespace, the run's control must do.
    ///
    /// # Errors
    /// [`Stop::Broken`] where it does not answer.
    pub async fn ask(&mut self, probe: &Probe) -> Verdict {
        if self.is_answered() {
            return Ok(());
        }
        let served = probe.served(self.transport()).await?;
        if served.answers_unknown_namespaces() {
            self.question(None).await.map_err(|error| unasked(self.transport(), &error))?;
        }
        self.vouch(served);
        Ok(())
    }
}

/// A connection on which not even what is lawful was answered.
pub fn unasked(transport: Transport, error: &WireError) -> Stop {
    Stop::Broken(say!(
        "before anything was asked over {transport}, a lawful CONNECT was not answered: {error}",
        transport,
        error
    ))
}

/// Whether an answer says nothing of the request: there were too many (429), or the server, or what is behind a proxy, could
/// not deal with any (5xx, but for 501, which says that it does not know such a thing).
pub fn is_evasive(response: &HttpResponse) -> bool {
    response.status == 429 || (response.status >= 500 && response.status != 501)
}

/// Takes an answer for one to what was asked.
///
/// # Errors
/// [`Stop::Broken`] where it [is none](is_evasive).
pub fn to_the_point(what: impl Into<Message>, response: HttpResponse) -> Result<HttpResponse, Stop> {
    if is_evasive(&response) {
        return Err(Stop::Broken(say!(
            "{what}: answered {response}, which proves nothing about the request",
            what = what.into(),
            response
        )));
    }
    Ok(response)
}
