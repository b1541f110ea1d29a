//! Judging an entry's fields: all that is wrong with them is told at once.

use crate::clock::{Timestamp, is_day_gone_by};
use crate::customers::{CustomerKind, CustomerStatus};
use crate::error::FieldError;
use crate::users::{LoginName, MAX_PHONES, PHONE_TYPES, Phone, UserKind, UserStatus, e164, is_unfit};

use super::entry::PhoneEntry;

/// A clock elsewhere may be so far ahead of ours.
const AHEAD_SECONDS: i64 = 24 * 3_600;

/// What has been found wrong so far.
#[derive(Debug)]
pub(super) struct Fields {
    now: Timestamp,
    wrong: Vec<FieldError>,
}

impl Fields {
    pub(super) const fn new(now: Timestamp) -> Self {
        Self { now, wrong: Vec::new() }
    }

    pub(super) fn wrong(&mut self, field: &str, message: impl Into<String>) {
        self.wrong.push(FieldError::new(field, message));
    }

    /// Notes problems that somebody else found.
    pub(super) fn extend(&mut self, problems: Vec<FieldError>) {
        self.wrong.extend(problems);
    }

    /// Notes what is wrong with a field, if anything is; else what it holds.
    pub(super) fn check<T, E: Into<String>>(&mut self, field: &str, outcome: Result<T, E>) -> Option<T> {
        outcome.map_err(|problem| self.wrong(field, problem)).ok()
    }

    /// Nothing was wrong, or everything that was.
    pub(super) fn finish<T>(self, good: T) -> Result<T, Vec<FieldError>> {
        if self.wrong.is_empty() { Ok(good) } else { Err(self.wrong) }
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

    /// A name to log in by, as typed and as it is looked up.
    pub(super) fn name(
        &mut self,
        field: &str,
        value: Option<&str>,
        parse: impl Fn(&str) -> Result<LoginName, &'static str>,
    ) -> Option<(String, LoginName)> {
        let typed = value.map(str::trim).filter(|text| !text.is_empty())?;
        let name = self.check(field, parse(typed))?;
        Some((typed.to_owned(), name))
    }

    /// An id from elsewhere.
    pub(super) fn id<T>(
        &mut self,
        field: &str,
        value: Option<&str>,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        let text = value.map(str::trim).filter(|text| !text.is_empty())?;
        let id = parse(text);
        if id.is_none() {
            self.wrong(field, "must be 1 to 64 letters A to Z or a to z, digits, - or _");
        }
        id
    }

    /// A day of birth.
    pub(super) fn day(&mut self, field: &str, value: Option<&str>) -> Option<String> {
        let day = value.map(str::trim).filter(|text| !text.is_empty())?;
        if !is_day_gone_by(day, self.now) {
            self.wrong(field, "must be a day that is over or today, written like 1990-12-31");
        }
        Some(day.to_owned())
    }

    /// An instant that is over.
    pub(super) fn instant(&mut self, field: &str, value: Option<&str>) -> Option<Timestamp> {
        let text = value.map(str::trim).filter(|text| !text.is_empty())?;
        let newest = self.now.plus_seconds(AHEAD_SECONDS);
        let at = Timestamp::parse(text).filter(|at| (Timestamp::from_millis(0)..=newest).contains(at));
        if at.is_none() {
            self.wrong(
                field,
                "must be an instant since 1970 that is over, written like 2026-03-16T20:49:32.000Z",
            );
        }
        at
    }

    /// One of these words, in any case: as the directory's answers spell it or as the database does.
    fn word<T: Copy>(&mut self, field: &str, value: Option<&str>, words: &[(T, &str, &str)]) -> Option<T> {
        let text = value.map(str::trim).filter(|text| !text.is_empty())?;
        let is = |word: &str| word.eq_ignore_ascii_case(text);
        let found = words.iter().find(|(_, shown, stored)| is(shown) || is(stored));
        if found.is_none() {
            let shown: Vec<_> = words.iter().map(|(_, shown, _)| *shown).collect();
            self.wrong(field, format!("must be one of {}", shown.join(", ")));
        }
        found.map(|(word, ..)| *word)
    }

    pub(super) fn user_kind(&mut self, field: &str, value: Option<&str>) -> Option<UserKind> {
        let words = [UserKind::Customer, UserKind::Staff].map(|kind| (kind, kind.as_str(), kind.as_str()));
        self.word(field, value, &words)
    }

    pub(super) fn user_status(&mut self, field: &str, value: Option<&str>) -> Option<UserStatus> {
        self.word(field, value, &UserStatus::ALL.map(|status| (status, status.documented(), status.as_str())))
    }

    pub(super) fn customer_kind(&mut self, field: &str, value: Option<&str>) -> Option<CustomerKind> {
        let kinds = [CustomerKind::Individual, CustomerKind::Organization];
        self.word(field, value, &kinds.map(|kind| (kind, kind.as_str(), kind.documented())))
    }

    pub(super) fn customer_status(&mut self, field: &str, value: Option<&str>) -> Option<CustomerStatus> {
        let words = CustomerStatus::ALL.map(|status| (status, status.documented(), status.as_str()));
        self.word(field, value, &words)
    }

    /// Telephone numbers, each once.
    pub(super) fn phones(&mut self, given: &[PhoneEntry]) -> Vec<Phone> {
        if given.len() > MAX_PHONES {
            self.wrong("phones", format!("may be {MAX_PHONES} at most"));
            return Vec::new();
        }
        let mut phones: Vec<Phone> = Vec::new();
        for (at, PhoneEntry { phone_type, encoding, number }) in given.iter().enumerate() {
            let kind = phone_type.as_deref().unwrap_or(PHONE_TYPES[0]);
            if !PHONE_TYPES.contains(&kind) {
                let words = PHONE_TYPES.join(", ");
                self.wrong(&format!("phones[{at}].phoneType"), format!("must be one of {words}"));
            }
            if encoding.as_deref().is_some_and(|encoding| encoding != "E164") {
                self.wrong(&format!("phones[{at}].encoding"), "must be E164");
            }
            match number.as_deref().map(str::trim).and_then(e164) {
                Some(number) => phones.push(Phone::new(kind, number)),
                None => self
                    .wrong(&format!("phones[{at}].number"), "must be a number in E.164, like +37060000000"),
            }
        }
        phones
    }
}
