//! An entry that is good: a user who can be let in.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use crate::clock::Timestamp;
use crate::customers::moved::MovedCustomer;
use crate::customers::{Category, CustomerDetails, CustomerKind, CustomerStatus, Organization};
use crate::error::FieldError;
use crate::ids::{CustomerId, UserId};
use crate::password_rules::{self, BreachedPasswords, KnownWords};
use crate::passwords::{Cost, PasswordHash, Peppers, floor_for, imports};
use crate::users::moved::MovedUser;
use crate::users::store::NewUser;
use crate::users::{
    LoginName, Metadata, PersonDetails, Phone, UserKind, UserStatus, check_customer_roles, check_staff_roles,
};

use super::entry::{CategoryEntry, CustomerEntry, Entry, OrganizationEntry};
use super::fields::Fields;

/// The longest first or last name, in characters; as in the directory's API.
const MAX_NAME: usize = 100;
/// The longest name of all a person's names, or of an organization, in characters.
const MAX_FULL_NAME: usize = 200;
/// The longest of the other texts, in characters.
const MAX_TEXT: usize = 64;

/// What entries are judged by, beside themselves.
#[derive(Debug)]
pub struct Premises {
    pub now: Timestamp,
    /// The tenant's own organization: its users are staff, and nobody else.
    pub house: CustomerId,
    pub tenant_slug: String,
    pub tenant_name: String,
    /// What a hash of ours costs.
    pub hash_cost: Cost,
    /// The lines of the pepper file: a hash under another one would match nobody.
    pub peppers: Peppers,
    /// The tenant's, in code points.
    pub password_min_length: usize,
    /// The operator's file, if there is one.
    pub breached: Option<BreachedPasswords>,
}

/// A user who can be let in, unless somebody has the id or a name.
#[derive(Debug)]
pub struct Arrival {
    pub id: UserId,
    pub belongs: Belongs,
    pub kind: UserKind,
    pub status: UserStatus,
    /// As typed, and as it is looked up.
    pub username: Option<(String, LoginName)>,
    pub email: Option<(String, LoginName)>,
    first_name: Option<String>,
    last_name: Option<String>,
    full_name: Option<String>,
    gender: Option<String>,
    pub phones: Vec<Phone>,
    roles: Vec<String>,
    details: PersonDetails,
    metadata: Metadata,
    pub credential: Credential,
    password_changed_at: Option<Timestamp>,
    last_login_at: Option<Timestamp>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

/// Whose user it is.
#[derive(Debug)]
pub enum Belongs {
    /// The tenant's own.
    House(CustomerId),
    /// A customer's that is there, or stands in an earlier entry.
    To(CustomerId),
    /// A customer's that comes with the entry. One whose id stood there may be there already.
    With(Box<MovedCustomer>),
}

impl Belongs {
    #[must_use]
    pub fn customer_id(&self) -> &CustomerId {
        match self {
            Self::House(id) | Self::To(id) => id,
            Self::With(customer) => &customer.id,
        }
    }
}

/// What the user will log in with.
#[derive(Debug)]
pub enum Credential {
    /// Nothing, until they are given a password.
    None,
    /// A hash, and how long a failed login must take while there are such hashes (R004).
    Hash(PasswordHash, Duration),
    /// A password that keeps the rules, still to be hashed.
    Clear(SecretString),
}

impl Arrival {
    /// Judges an entry: a user who can be let in, or all that is wrong.
    pub fn read(entry: Entry, premises: &Premises) -> Result<Box<Self>, Vec<FieldError>> {
        let mut fields = Fields::new(premises.now);
        let id = fields.id("id", entry.id.as_deref(), UserId::parse);
        let kind = fields.user_kind("kind", entry.kind.as_deref()).unwrap_or(UserKind::Customer);
        let status = fields.user_status("status", entry.status.as_deref()).unwrap_or(UserStatus::Active);
        let (username, email) = read_names(&mut fields, &entry);
        let first_name = fields.text("firstName", entry.first_name.as_deref(), MAX_NAME);
        let last_name = fields.text("lastName", entry.last_name.as_deref(), MAX_NAME);
        let full_name = fields.text("fullName", entry.full_name.as_deref(), MAX_FULL_NAME);
        let gender = fields.text("gender", entry.gender.as_deref(), MAX_TEXT);
        let phones = fields.phones(entry.phones.as_deref().unwrap_or_default());
        let details = PersonDetails {
            date_of_birth: fields.day("dateOfBirth", entry.date_of_birth.as_deref()),
            nationality: fields.text("nationality", entry.nationality.as_deref(), MAX_TEXT),
            place_of_birth: fields.text("placeOfBirth", entry.place_of_birth.as_deref(), MAX_NAME),
            pincode: fields.text("pincode", entry.pincode.as_deref(), MAX_TEXT),
        };
        let metadata = entry.metadata.clone().unwrap_or_default();
        fields.check("metadata", metadata.check());
        let roles = read_roles(&mut fields, kind, &entry);
        let created_at = fields.instant("createdAt", entry.created_at.as_deref()).unwrap_or(premises.now);
        let updated_at = fields.instant("updatedAt", entry.updated_at.as_deref());
        let last_login_at = fields.instant("lastLogin", entry.last_login.as_deref());
        let changed_at = fields.instant("passwordChangedAt", entry.password_changed_at.as_deref());
        let called = [
            full_name.clone(),
            join(first_name.as_deref(), last_name.as_deref()),
            username.as_ref().map(|(typed, _)| typed.clone()),
            email.as_ref().map(|(typed, _)| typed.clone()),
        ];
        let called = called.into_iter().flatten().next().unwrap_or_default();
        let belongs = read_customer(&mut fields, kind, &entry, premises, called);
        let words = KnownWords {
            tenant_slug: &premises.tenant_slug,
            tenant_name: &premises.tenant_name,
            username: username.as_ref().map(|(typed, _)| typed.as_str()),
            email: email.as_ref().map(|(typed, _)| typed.as_str()),
            first_name: first_name.as_deref(),
            last_name: last_name.as_deref(),
            full_name: full_name.as_deref(),
        };
        let credential = read_credential(&mut fields, entry, &words, premises);
        let now_changed = matches!(credential, Credential::Clear(_)).then_some(premises.now);
        let arrival = Self {
            id: id.unwrap_or_else(|| UserId::at(premises.now)),
            belongs,
            kind,
            status,
            username,
            email,
            first_name,
            last_name,
            full_name,
            gender,
            phones,
            roles,
            details,
            metadata,
            credential,
            password_changed_at: changed_at.or(now_changed),
            last_login_at,
            created_at,
            updated_at: updated_at.unwrap_or(premises.now),
        };
        fields.finish(Box::new(arrival))
    }

    /// The row that the user is to be.
    #[must_use]
    pub fn as_moved(&self) -> MovedUser<'_> {
        let user = NewUser {
            password_hash: match &self.credential {
                Credential::Hash(hash, _) => Some(hash),
                Credential::None | Credential::Clear(_) => None,
            },
            roles: &self.roles,
            username: self.username.as_ref().map(|(typed, _)| typed.as_str()),
            email: self.email.as_ref().map(|(typed, _)| typed.as_str()),
            first_name: self.first_name.as_deref(),
            last_name: self.last_name.as_deref(),
            full_name: self.full_name.as_deref(),
            gender: self.gender.as_deref(),
            phones: &self.phones,
            details: Some(&self.details),
            metadata: Some(&self.metadata),
            ..NewUser::new(&self.id, self.belongs.customer_id(), self.kind)
        };
        MovedUser {
            user,
            // Until the next login replaces it, the hash has a floor of its own.
            password_imported: matches!(self.credential, Credential::Hash(_, floor) if !floor.is_zero()),
            status: self.status,
            password_changed_at: self.password_changed_at,
            last_login_at: self.last_login_at,
            created_at: self.created_at,
            updated_at: self.updated_at,
        }
    }
}

type Name = Option<(String, LoginName)>;

/// What the user logs in by: something, and no username that might be another's e-mail.
fn read_names(fields: &mut Fields, entry: &Entry) -> (Name, Name) {
    let username = fields.name("username", entry.username.as_deref(), LoginName::parse);
    let email = fields.name("email", entry.email.as_deref(), LoginName::parse_email);
    let is_given = |value: &Option<String>| value.as_deref().is_some_and(|text| !text.trim().is_empty());
    if !is_given(&entry.username) && !is_given(&entry.email) {
        fields.wrong("email", "is required where there is no username");
    }
    if let Some((_, name)) = &username
        && name.as_str().contains('@')
        && email.as_ref().is_none_or(|(_, email)| email != name)
        && (email.is_some() || !is_given(&entry.email))
    {
        fields.wrong("username", "must have no @, or be the e-mail itself");
    }
    (username, email)
}

fn read_roles(fields: &mut Fields, kind: UserKind, entry: &Entry) -> Vec<String> {
    let roles = match (kind, &entry.roles) {
        (_, Some(roles)) => roles.clone(),
        (UserKind::Customer, None) => vec!["USER".to_owned()],
        (UserKind::Staff, None) => Vec::new(),
    };
    let checked = match kind {
        UserKind::Customer => check_customer_roles(&roles),
        UserKind::Staff => check_staff_roles(&roles),
    };
    fields.check("roles", checked);
    roles
}

fn join(first: Option<&str>, last: Option<&str>) -> Option<String> {
    let parts: Vec<_> = [first, last].into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(" "))
}

fn read_customer(
    fields: &mut Fields,
    kind: UserKind,
    entry: &Entry,
    premises: &Premises,
    called: String,
) -> Belongs {
    let house = || Belongs::House(premises.house.clone());
    let named = fields.id("customerId", entry.customer_id.as_deref(), CustomerId::parse);
    if kind == UserKind::Staff {
        if named.is_some_and(|id| id != premises.house) || entry.customer.is_some() {
            let field = if entry.customer.is_some() { "customer" } else { "customerId" };
            fields.wrong(field, "must be left out: staff belong to the tenant's own organization");
        }
        return house();
    }
    let given = entry.customer.is_some();
    let belongs = match (named, &entry.customer) {
        (Some(_), Some(_)) => {
            fields.wrong("customerId", "must be left out where there is a customer: its id stands there");
            house()
        }
        (Some(id), None) => Belongs::To(id),
        (None, Some(customer)) => read_new_customer(fields, customer, premises, called),
        (None, None) => read_new_customer(fields, &CustomerEntry::default(), premises, called),
    };
    if matches!(&belongs, Belongs::To(id) if *id == premises.house)
        || matches!(&belongs, Belongs::With(customer) if customer.id == premises.house)
    {
        let field = if given { "customer.id" } else { "customerId" };
        fields.wrong(field, "is the tenant's own organization, whose users are staff: add kind staff");
    }
    belongs
}

fn read_new_customer(
    fields: &mut Fields,
    entry: &CustomerEntry,
    premises: &Premises,
    called: String,
) -> Belongs {
    let id = fields.id("customer.id", entry.id.as_deref(), CustomerId::parse);
    let kind = fields.customer_kind("customer.kind", entry.kind.as_deref());
    let kind = kind.unwrap_or(CustomerKind::Individual);
    let status = fields.customer_status("customer.status", entry.status.as_deref());
    let before = fields.customer_status("customer.statusBefore", entry.status_before.as_deref());
    let name = fields.text("customer.name", entry.name.as_deref(), MAX_FULL_NAME);
    if name.is_none() && kind == CustomerKind::Organization {
        fields.wrong("customer.name", "is required of an organization");
    }
    let created_at = fields.instant("customer.createdAt", entry.created_at.as_deref());
    let updated_at = fields.instant("customer.updatedAt", entry.updated_at.as_deref());
    let category = entry.category.as_ref().map(|CategoryEntry { id, name }| Category {
        id: fields.text("customer.category.id", id.as_deref(), MAX_TEXT),
        name: fields.text("customer.category.name", name.as_deref(), MAX_FULL_NAME),
    });
    if entry.organization.is_some() && kind == CustomerKind::Individual {
        fields.wrong("customer.organization", "must be left out of an individual");
    }
    let organization = entry.organization.as_ref().map(|it| {
        let OrganizationEntry { legal_name, trading_name, registration_number, tax_id } = it;
        let mut text = |field: &str, value: &Option<String>, most| {
            fields.text(&format!("customer.organization.{field}"), value.as_deref(), most)
        };
        Organization {
            legal_name: text("legalName", legal_name, MAX_FULL_NAME),
            trading_name: text("tradingName", trading_name, MAX_FULL_NAME),
            registration_number: text("registrationNumber", registration_number, MAX_TEXT),
            tax_id: text("taxId", tax_id, MAX_TEXT),
        }
    });
    let status = status.unwrap_or(CustomerStatus::Active);
    let customer = MovedCustomer {
        named: id.is_some(),
        id: id.unwrap_or_else(|| CustomerId::at(premises.now)),
        kind,
        status,
        status_before: before.filter(|_| status == CustomerStatus::Suspended),
        name: name.unwrap_or(called),
        details: CustomerDetails { category, organization },
        created_at: created_at.unwrap_or(premises.now),
        updated_at: updated_at.unwrap_or(premises.now),
    };
    Belongs::With(Box::new(customer))
}

fn read_credential(
    fields: &mut Fields,
    entry: Entry,
    words: &KnownWords<'_>,
    premises: &Premises,
) -> Credential {
    let is_given = |secret: &SecretString| !secret.expose_secret().is_empty();
    let text = entry.password_hash.filter(is_given);
    let clear = entry.password.filter(is_given);
    if clear.is_some() && (text.is_some() || entry.read_hash.is_some()) {
        fields.wrong("password", "must be left out where there is a hash of it");
        return Credential::None;
    }
    let read = entry.read_hash.or_else(|| text.map(|text| imports::hash(text.expose_secret())));
    if let Some(hash) = read {
        let Some(hash) = fields.check("passwordHash", hash.map_err(|problem| format!("is {problem}"))) else {
            return Credential::None;
        };
        if hash.pepper().is_some_and(|line| !premises.peppers.has(line)) {
            fields.wrong(
                "passwordHash",
                "was made under a line that the pepper_file does not have; add it there",
            );
            return Credential::None;
        }
        return match fields.check(
            "passwordHash",
            floor_for(&hash, premises.hash_cost).map_err(|_| "cannot be computed here"),
        ) {
            Some(floor) => Credential::Hash(hash, floor),
            None => Credential::None,
        };
    }
    match clear {
        Some(password) => {
            fields.extend(password_problems(&password, words, premises));
            Credential::Clear(password)
        }
        None => Credential::None,
    }
}

/// What is wrong with a password in clear, by the rules of every new one (R030–R033).
fn password_problems(
    password: &SecretString,
    words: &KnownWords<'_>,
    premises: &Premises,
) -> Vec<FieldError> {
    let problems = password_rules::check("password", password, premises.password_min_length, words);
    let Some(file) = premises.breached.as_ref().filter(|_| problems.is_empty()) else { return problems };
    // What the file cannot answer is never a yes.
    let unknown = |_| Some(FieldError::new("password", "cannot be looked up in breached_passwords_file"));
    file.check("password", password).unwrap_or_else(unknown).into_iter().collect()
}
