//! Reading a body's fields: all that is wrong with them is told at once.

use std::net::IpAddr;

use crate::clock::{Timestamp, is_day_gone_by};
use crate::error::{Error, FieldError};
use crate::users::{LoginName, MAX_PHONES, Metadata, PHONE_TYPES, Phone, e164, is_unfit};

/// What has been found wrong so far.
#[derive(Debug, Default)]
pub(super) struct Fields(Vec<FieldError>);

impl Fields {
    pub(super) fn wrong(&mut self, field: &str, message: impl Into<String>) {
        self.0.push(FieldError::new(field, message));
    }

    /// Notes what is wrong with a field, if anything is.
    pub(super) fn check(&mut self, field: &str, outcome: Result<(), impl Into<String>>) {
        if let Err(problem) = outcome {
            self.wrong(field, problem);
        }
    }

    /// Whether something is wrong with the field.
    pub(super) fn has(&self, field: &str) -> bool {
        self.0.iter().any(|error| error.field == field)
    }

    /// Whether something is wrong with any field.
    pub(super) fn any(&self) -> bool {
        !self.0.is_empty()
    }

    /// Nothing was wrong, or everything that was.
    pub(super) fn finish(self) -> Result<(), Error> {
        if self.0.is_empty() { Ok(()) } else { Err(Error::Validation(self.0)) }
    }

    /// A free text of `most` characters, without blanks around it. Empty is absent.
    pub(super) fn text(&mut self, field: &str, value: Option<&str>, most: usize) -> Option<String> {
        let text = value?.trim();
        if text.chars().any(is_unfit) {
            self.wrong(field, "must not have control, formatting or invisible characters");
        } else if text.chars().count() > most {
            self.wrong(field, format!("may have {most} characters at most"));
        }
        (!text.is_empty()).then(|| text.to_owned())
    }

    /// The same where it must be there.
    pub(super) fn required(&mut self, field: &str, value: Option<&str>, most: usize) -> Option<String> {
        let text = self.text(field, value, most);
        if text.is_none() {
            self.wrong(field, "is required");
        }
        text
    }

    /// An e-mail address as typed, with the name that it is to log in by.
    pub(super) fn email(&mut self, field: &str, value: Option<&str>) -> Option<(String, LoginName)> {
        let typed = value.map(str::trim).filter(|text| !text.is_empty())?;
        match LoginName::parse_email(typed) {
            Ok(name) => Some((typed.to_owned(), name)),
            Err(problem) => {
                self.wrong(field, problem);
                None
            }
        }
    }

    /// A username as typed, with the name that it is to log in by.
    pub(super) fn username(&mut self, value: Option<&str>) -> Option<(String, LoginName)> {
        let typed = value.filter(|text| !text.is_empty())?;
        match LoginName::parse(typed) {
            Ok(name) => Some((typed.to_owned(), name)),
            Err(problem) => {
                self.wrong("username", problem);
                None
            }
        }
    }

    /// A day of birth.
    pub(super) fn day(&mut self, field: &str, value: Option<&str>, now: Timestamp) -> Option<String> {
        let day = value.map(str::trim).filter(|text| !text.is_empty())?;
        if !is_day_gone_by(day, now) {
            self.wrong(field, "must be a day that is over or today, written like 1990-12-31");
        }
        Some(day.to_owned())
    }

    /// A telephone number.
    pub(super) fn number(&mut self, field: &str, value: Option<&str>) -> Option<String> {
        let typed = value.map(str::trim).filter(|text| !text.is_empty())?;
        let number = e164(typed);
        if number.is_none() {
            self.wrong(field, "must be a number in E.164, like +37060000000");
        }
        number
    }

    /// One of some words, by their spelling in the API.
    pub(super) fn word<T: Copy, const N: usize>(
        &mut self,
        field: &str,
        value: Option<&str>,
        words: [T; N],
        spelling: impl Fn(T) -> &'static str,
    ) -> Option<T> {
        let value = value?;
        let found = words.into_iter().find(|word| spelling(*word) == value);
        if found.is_none() {
            self.wrong(field, format!("must be one of {}", words.map(spelling).join(", ")));
        }
        found
    }

    /// An id.
    pub(super) fn id<T>(
        &mut self,
        field: &str,
        value: Option<&str>,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        let id = parse(value?);
        if id.is_none() {
            self.wrong(field, "must be 1 to 64 letters, digits, - or _");
        }
        id
    }

    /// An instant.
    pub(super) fn instant(&mut self, field: &str, value: Option<&str>) -> Option<Timestamp> {
        let instant = Timestamp::parse(value?);
        if instant.is_none() {
            self.wrong(field, "must be an instant as RFC 3339 has it, like 2027-01-31T00:00:00Z");
        }
        instant
    }

    /// An IP address, as sessions have it.
    pub(super) fn address(&mut self, field: &str, value: Option<&str>) -> Option<String> {
        let address = value?.parse::<IpAddr>().ok();
        if address.is_none() {
            self.wrong(field, "must be a whole IPv4 or IPv6 address, like 203.0.113.7");
        }
        address.map(|address| address.to_canonical().to_string())
    }

    /// Numbers with what each is.
    pub(super) fn phones(&mut self, given: &[(Option<&str>, Option<&str>)]) -> Vec<Phone> {
        if given.len() > MAX_PHONES {
            self.wrong("phones", format!("may be {MAX_PHONES} at most"));
            return Vec::new();
        }
        let mut phones: Vec<Phone> = Vec::new();
        for (at, (kind, number)) in given.iter().enumerate() {
            let kind = kind.unwrap_or(PHONE_TYPES[0]);
            if !PHONE_TYPES.contains(&kind) {
                self.wrong(
                    &format!("phones[{at}].phoneType"),
                    format!("must be one of {}", PHONE_TYPES.join(", ")),
                );
            }
            let field = format!("phones[{at}].number");
            match self.number(&field, *number) {
                Some(number) => phones.push(Phone::new(kind, number)),
                None if number.is_none_or(|number| number.trim().is_empty()) => {
                    self.wrong(&field, "is required");
                }
                None => (),
            }
        }
        phones
    }

    /// Metadata within its bounds.
    pub(super) fn metadata(&mut self, metadata: Option<&Metadata>) {
        self.check("metadata", metadata.map_or(Ok(()), Metadata::check));
    }
}
