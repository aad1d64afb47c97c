//! Connection state recovery, as socket.io has it where it is switched on: every event carries an offset as its last
//! argument, and a client that comes back with its private id and its last offset gets what it missed.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    time::{Duration, Instant},
};

use super::payload::Payload;
use crate::mock::gateway::random_id;

/// How long a client may be away (socket.io's `maxDisconnectionDuration`).
const AWAY_FOR: Duration = Duration::from_secs(120);

/// How many events are kept.
const MAX_EVENTS: usize = 10_000;

/// How many clients that are away are kept; beyond that, all are forgotten.
const MAX_AWAY: usize = 10_000;

/// Whom an event is for.
#[derive(Clone, Debug)]
pub enum Audience {
    /// The socket with that id.
    Socket(String),
    Room(String),
    Everyone,
}

/// An event that was sent, with its offset as the last argument.
#[derive(Clone, Debug)]
pub struct Sent {
    pub event: &'static str,
    pub arguments: Vec<Payload>,
}

/// A client that is away.
#[derive(Clone, Debug)]
pub struct Absent {
    /// Its socket's id.
    pub id: String,
    pub user: Option<String>,
    pub rooms: BTreeMap<String, usize>,
    since: Instant,
}

impl Absent {
    pub fn new(id: String, user: Option<String>, rooms: BTreeMap<String, usize>) -> Absent {
        Absent { id, user, rooms, since: Instant::now() }
    }

    fn belongs_to(&self, audience: &Audience) -> bool {
        match audience {
            Audience::Socket(id) => *id == self.id,
            Audience::Room(room) => self.rooms.contains_key(room),
            Audience::Everyone => true,
        }
    }
}

/// What is kept for those who may come back.
#[derive(Debug, Default)]
pub struct Recovery {
    events: VecDeque<(String, Audience, Sent)>,
    absent: HashMap<String, Absent>,
}

impl Recovery {
    /// Keeps an event, and gives its arguments an offset.
    pub fn keep(&mut self, audience: Audience, event: &'static str, mut arguments: Vec<Payload>) -> Vec<Payload> {
        let offset = random_id(16);
        arguments.push(Payload::Text(offset.clone()));
        if self.events.len() >= MAX_EVENTS {
            self.events.pop_front();
        }
        self.events.push_back((offset, audience, Sent { event, arguments: arguments.clone() }));
        arguments
    }

    /// Keeps a client whose connection was lost.
    pub fn lost(&mut self, private_id: String, client: Absent) {
        if self.absent.len() >= MAX_AWAY {
            self.absent.clear();
        }
        self.absent.insert(private_id, client);
    }

    /// Whether the client with that private id is away.
    pub fn knows(&self, private_id: &str) -> bool {
        self.absent.contains_key(private_id)
    }

    /// The client with that private id, and what it missed since that offset; nothing, where either is not known any
    /// more. It is not away any longer then.
    pub fn back(&mut self, private_id: &str, offset: &str) -> Option<(Absent, Vec<Sent>)> {
        let last = self.events.iter().position(|(known, ..)| known == offset)?;
        let client = self.absent.remove(private_id).filter(|client| client.since.elapsed() < AWAY_FOR)?;
        let later = self.events.range(last + 1..);
        let missed = later.filter(|(_, audience, _)| client.belongs_to(audience)).map(|(.., sent)| sent.clone());
        let missed = missed.collect();
        Some((client, missed))
    }
}
