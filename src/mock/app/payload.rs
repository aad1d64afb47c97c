//! Whatever a client sends along with a message: JSON that may hold binary data.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, MapAccess, SeqAccess, Visitor},
    ser::{SerializeMap, SerializeSeq, SerializeTuple},
};

/// A JSON value whose leaves may be binary. `serde_json::Value` would lose those.
#[derive(Clone, Debug)]
pub enum Payload {
    Null,
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Text(String),
    Binary(Vec<u8>),
    List(Vec<Payload>),
    Map(Vec<(String, Payload)>),
}

impl Payload {
    /// An object of texts.
    pub fn texts<const N: usize>(fields: [(&str, &str); N]) -> Payload {
        Payload::Map(fields.map(|(name, value)| (name.to_owned(), Payload::Text(value.to_owned()))).into())
    }
}

/// The arguments of an event, any number of them. socketioxide takes a tuple for many, and anything else for one.
pub struct Arguments<'a>(pub &'a [Payload]);

impl Serialize for Arguments<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut tuple = serializer.serialize_tuple(self.0.len())?;
        self.0.iter().try_for_each(|argument| tuple.serialize_element(argument))?;
        tuple.end()
    }
}

impl Serialize for Payload {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Payload::Null => serializer.serialize_unit(),
            Payload::Bool(value) => serializer.serialize_bool(*value),
            Payload::Unsigned(value) => serializer.serialize_u64(*value),
            Payload::Signed(value) => serializer.serialize_i64(*value),
            Payload::Float(value) => serializer.serialize_f64(*value),
            Payload::Text(value) => serializer.serialize_str(value),
            Payload::Binary(value) => serializer.serialize_bytes(value),
            Payload::List(items) => {
                let mut list = serializer.serialize_seq(Some(items.len()))?;
                items.iter().try_for_each(|item| list.serialize_element(item))?;
                list.end()
            }
            Payload::Map(fields) => {
                let mut map = serializer.serialize_map(Some(fields.len()))?;
                fields.iter().try_for_each(|(name, value)| map.serialize_entry(name, value))?;
                map.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Payload {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PayloadVisitor)
    }
}

struct PayloadVisitor;

impl<'de> Visitor<'de> for PayloadVisitor {
    type Value = Payload;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Payload, E> {
        Ok(Payload::Null)
    }

    fn visit_none<E: de::Error>(self) -> Result<Payload, E> {
        Ok(Payload::Null)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Payload, E> {
        Ok(Payload::Bool(value))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Payload, E> {
        Ok(Payload::Unsigned(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Payload, E> {
        Ok(Payload::Signed(value))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Payload, E> {
        Ok(Payload::Float(value))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Payload, E> {
        Ok(Payload::Text(value.to_owned()))
    }

    fn visit_bytes<E: de::Error>(self, value: &[u8]) -> Result<Payload, E> {
        Ok(Payload::Binary(value.to_owned()))
    }

    fn visit_byte_buf<E: de::Error>(self, value: Vec<u8>) -> Result<Payload, E> {
        Ok(Payload::Binary(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Payload, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Payload::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Payload, A::Error> {
        let mut map = Vec::new();
        while let Some(field) = fields.next_entry()? {
            map.push(field);
        }
        Ok(Payload::Map(map))
    }
}
