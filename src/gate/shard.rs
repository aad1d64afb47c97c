//! A part of the checks, for a CI matrix.

use std::{fmt, str::FromStr};

use super::fingerprint::hash;

/// One of several parts. Which part a check belongs to follows from its id alone, so that other checks, which come and
/// go, move none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Which one, counted from 1.
    pub number: u32,
    /// How many there are.
    pub count: u32,
}

impl Shard {
    /// Whether the check with this id belongs to it.
    pub fn holds(self, id: &str) -> bool {
        u64::from_be_bytes(hash(id)) % u64::from(self.count) == u64::from(self.number - 1)
    }
}

/// More than there will ever be checks.
pub(super) const MAX_SHARDS: u32 = 1_000;

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Shard, String> {
        let numbers =
            text.split_once('/').and_then(|(number, count)| Some((number.parse().ok()?, count.parse().ok()?)));
        match numbers {
            Some((_, count)) if count > MAX_SHARDS => Err(format!("at most {MAX_SHARDS} shards make sense")),
            Some((number, count)) if (1..=count).contains(&number) => Ok(Shard { number, count }),
            Some(_) => Err("the first number goes from 1 to the second; write 1/4, 2/4, 3/4, 4/4".to_owned()),
            None => Err("write 2/4 for the second of four shards".to_owned()),
        }
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.count)
    }
}
