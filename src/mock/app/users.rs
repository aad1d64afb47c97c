//! What a forgetful application would carry from one connection of a user to the next. Only faults make use of it.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// How many users are remembered; beyond that, all are forgotten.
const MAX_USERS: usize = 10_000;

/// How many rooms are remembered of each.
const MAX_ROOMS: usize = 100;

/// The past of every user, by the token's `sub`.
#[derive(Default)]
pub struct Users(Mutex<HashMap<String, Past>>);

/// The connections of one user that have ended.
#[derive(Clone, Debug, Default)]
pub struct Past {
    /// How many the client left by a DISCONNECT packet.
    pub clean: usize,
    /// How many ended in any other way.
    pub abrupt: usize,
    /// The rooms they were in at their end.
    pub rooms: BTreeSet<String>,
}

impl Users {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Past>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The past of that user; a client without a `sub` has none.
    pub fn past(&self, user: Option<&str>) -> Past {
        user.and_then(|user| self.lock().get(user).cloned()).unwrap_or_default()
    }

    /// Remembers the end of a connection.
    pub fn remember(&self, user: &str, clean: bool, rooms: impl IntoIterator<Item = String>) {
        let mut users = self.lock();
        if users.len() >= MAX_USERS && !users.contains_key(user) {
            users.clear();
        }
        let past = users.entry(user.to_owned()).or_default();
        if clean {
            past.clean += 1;
        } else {
            past.abrupt += 1;
        }
        past.rooms.extend(rooms);
        while past.rooms.len() > MAX_ROOMS {
            past.rooms.pop_first();
        }
    }

    /// Forgets a room that the user has left.
    pub fn forget_room(&self, user: &str, room: &str) {
        if let Some(past) = self.lock().get_mut(user) {
            past.rooms.remove(room);
        }
    }
}
