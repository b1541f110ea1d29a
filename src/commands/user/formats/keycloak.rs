//! Keycloak's exports: a realm with its `users`, or a file of a directory export, which has little beside them.

use std::fmt;
use std::io::BufReader;

use anyhow::bail;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserializer, de};
use serde_json::Value;

use super::super::source::{Budget, Source, too_long};
use super::Take;
use crate::imports::parse_keycloak;

pub(super) fn read(source: &mut Source, done: u64, take: &mut Take<'_>) -> anyhow::Result<()> {
    let mut state = State { budget: source.budget(), done, take, number: None, twice: false, over: false };
    let reader = BufReader::with_capacity(16 * 1024, source);
    let outcome = Realm(&mut state).deserialize(&mut serde_json::Deserializer::from_reader(reader));
    match (outcome, state.number) {
        _ if state.over => Ok(()),
        (Ok(()), Some(_)) => Ok(()),
        _ if state.twice => bail!("it has two lists of users; leave one of them"),
        (Ok(()), None) => {
            bail!("it has no users; export the realm with them: kc.sh export --users realm_file")
        }
        // What serde has to say would repeat what it found.
        (Err(error), number) => {
            let place = format!("line {}, column {}", error.line(), error.column());
            let behind = number.map_or_else(String::new, |number| format!(", behind user {number}"));
            let problem =
                if error.is_io() { too_long() } else { "is not an export of Keycloak's".to_owned() };
            bail!("{place}{behind}: {problem}")
        }
    }
}

struct State<'a, 'b> {
    budget: Budget,
    done: u64,
    take: &'a mut Take<'b>,
    /// How many users have been read, once there is a list of them.
    number: Option<u64>,
    /// There is a second list of them, whose numbers would be the first one's.
    twice: bool,
    /// Nobody wants more.
    over: bool,
}

struct Realm<'s, 'a, 'b>(&'s mut State<'a, 'b>);
struct Users<'s, 'a, 'b>(&'s mut State<'a, 'b>);

impl<'de> DeserializeSeed<'de> for Realm<'_, '_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Realm<'_, '_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a realm")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        while let Some(key) = entries.next_key::<String>()? {
            if key == "users" && self.0.number.is_some() {
                self.0.twice = true;
                return Err(de::Error::custom("a second list"));
            }
            if key == "users" {
                entries.next_value_seed(Users(&mut *self.0))?;
            } else {
                entries.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Users<'_, '_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Users<'_, '_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of users")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut users: A) -> Result<(), A::Error> {
        let Self(state) = self;
        let mut number = 0;
        loop {
            state.number = Some(number);
            state.budget.begin_entry();
            let user = users.next_element::<Value>()?;
            state.budget.end_entry();
            let Some(user) = user else { return Ok(()) };
            number += 1;
            if number > state.done && !(state.take)(number, parse_keycloak(user)) {
                state.over = true;
                return Err(de::Error::custom("nobody wants more"));
            }
        }
    }
}
