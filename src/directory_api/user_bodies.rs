//! The bodies that make and change a user: all that is wrong with them is told at once.

use secrecy::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::clock::Timestamp;
use crate::error::Error;
use crate::tenants::Tenant;
use crate::users::directory::UserRecord;
use crate::users::{Metadata, PersonDetails, Phone, UserKind, check_customer_roles, check_staff_roles};

use super::fields::Fields;
use super::patch::{Patch, patch};
use super::person::{MAX_FULL_NAME, MAX_NAME, MAX_TEXT, Person, default_roles};

/// A telephone number.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct PhoneInput {
    /// `MOBILE` (when left out), `HOME` or `WORK`.
    phone_type: Option<String>,
    /// `E164`, or left out.
    encoding: Option<String>,
    /// In E.164; spaces, dashes, dots and brackets are taken out.
    #[schema(max_length = 64)]
    number: Option<String>,
}

fn read_phones(fields: &mut Fields, phones: &[PhoneInput]) -> Vec<Phone> {
    if phones.iter().any(|phone| phone.encoding.as_ref().is_some_and(|encoding| encoding != "E164")) {
        fields.wrong("phones", "may have the encoding E164 only");
    }
    let given: Vec<_> =
        phones.iter().map(|phone| (phone.phone_type.as_deref(), phone.number.as_deref())).collect();
    fields.phones(&given)
}

/// A user who is to be added. Null and empty count as absent.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct AddUser {
    /// Unique within the tenant. Required where there is no username.
    #[schema(max_length = 254)]
    email: Option<String>,
    /// A name to log in by beside the e-mail; without `@`.
    #[schema(max_length = 256)]
    username: Option<String>,
    #[schema(max_length = 100)]
    first_name: Option<String>,
    #[schema(max_length = 100)]
    last_name: Option<String>,
    /// First and last name joined, when left out.
    #[schema(max_length = 200)]
    full_name: Option<String>,
    #[schema(max_length = 64)]
    gender: Option<String>,
    /// A day that is over, `1990-12-31`.
    #[schema(max_length = 10)]
    date_of_birth: Option<String>,
    #[schema(max_length = 64)]
    nationality: Option<String>,
    #[schema(max_length = 64)]
    place_of_birth: Option<String>,
    /// The postal code.
    #[schema(max_length = 64)]
    pincode: Option<String>,
    /// The first is the one that sessions show as the number.
    #[schema(max_items = 10)]
    phones: Option<Vec<PhoneInput>>,
    /// Words that travel in the token. Of staff at least one of `ADMIN`, `OPERATOR` and `VIEWER`; of a customer's user
    /// none of them, and `USER` when left out.
    #[schema(max_items = 20)]
    roles: Option<Vec<String>>,
    /// What the tenant wants to keep of the user: 4 KiB, 50 keys and 3 levels at most.
    #[schema(value_type = Object, required = false)]
    metadata: Option<Metadata>,
    /// Without one the user cannot log in until one is set.
    #[schema(value_type = Option<String>, max_length = 1024)]
    password: Option<SecretString>,
    /// The password again.
    #[schema(value_type = Option<String>, max_length = 1024)]
    matching_password: Option<SecretString>,
}

impl AddUser {
    /// Reads the person, who is to be of this kind.
    pub(super) fn read(&self, kind: UserKind, tenant: &Tenant, now: Timestamp) -> Result<Person, Error> {
        let fields = &mut Fields::default();
        let mut person = Person {
            email: fields.email("email", self.email.as_deref()),
            username: fields.username(self.username.as_deref()),
            first_name: fields.text("firstName", self.first_name.as_deref(), MAX_NAME),
            last_name: fields.text("lastName", self.last_name.as_deref(), MAX_NAME),
            full_name: fields.text("fullName", self.full_name.as_deref(), MAX_FULL_NAME),
            gender: fields.text("gender", self.gender.as_deref(), MAX_TEXT),
            phones: read_phones(fields, self.phones.as_deref().unwrap_or_default()),
            details: PersonDetails {
                date_of_birth: fields.day("dateOfBirth", self.date_of_birth.as_deref(), now),
                nationality: fields.text("nationality", self.nationality.as_deref(), MAX_TEXT),
                place_of_birth: fields.text("placeOfBirth", self.place_of_birth.as_deref(), MAX_TEXT),
                pincode: fields.text("pincode", self.pincode.as_deref(), MAX_TEXT),
            },
            roles: self.roles.clone().unwrap_or_else(|| match kind {
                UserKind::Customer => default_roles(),
                UserKind::Staff => Vec::new(),
            }),
            metadata: self.metadata.clone().unwrap_or_default(),
            password: None,
        };
        person.check_names(fields);
        fields.check(
            "roles",
            match kind {
                UserKind::Customer => check_customer_roles(&person.roles),
                UserKind::Staff => check_staff_roles(&person.roles),
            },
        );
        fields.metadata(self.metadata.as_ref());
        person.read_password(fields, tenant, self.password.as_ref(), self.matching_password.as_ref());
        std::mem::take(fields).finish()?;
        Ok(person)
    }
}

/// What may be changed of a user: what is left out stays as it is, null takes away.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct ChangeUser {
    #[serde(default, deserialize_with = "patch")]
    #[schema(value_type = Option<String>, max_length = 254)]
    email: Patch<String>,
    #[serde(default, deserialize_with = "patch")]
    #[schema(value_type = Option<String>, max_length = 256)]
    username: Patch<String>,
    #[serde(default, deserialize_with = "patch")]
    #[schema(value_type = Option<String>, max_length = 100)]
    first_name: Patch<String>,
    #[serde(default, deserialize_with = "patch")]
    #[schema(value_type = Option<String>, max_length = 100)]
    last_name: Patch<String>,
    #[serde(default, deserialize_with = "patch")]
    #[schema(value_type = Option<String>, max_length = 200)]
    full_name: Patch<String>,
    #[serde(default, deserialize_with = "patch")]
    #[schema(value_type = Option<String>, max_length = 64)]
    gender: Patch<String>,
    /// A day that is over, `1990-12-31`.
    #[serde(default, deserialize_with = "patch")]
    #[schema(value_type = Option<String>, max_length = 10)]
    date_of_birth: Patch<String>,
    #[serde(default, deserialize_with = "patch")]
    #[schema(value_type = Option<String>, max_length = 64)]
    nationality: Patch<String>,
    #[serde(default, deserialize_with = "patch")]
    #[schema(value_type = Option<String>, max_length = 64)]
    place_of_birth: Patch<String>,
    /// The postal code.
    #[serde(default, deserialize_with = "patch")]
    #[schema(value_type = Option<String>, max_length = 64)]
    pincode: Patch<String>,
    /// All of them, in the place of those that are there.
    #[serde(default, deserialize_with = "patch")]
    #[schema(value_type = Option<Vec<PhoneInput>>, max_items = 10)]
    phones: Patch<Vec<PhoneInput>>,
    /// All of them, in the place of those that are there.
    #[serde(default, deserialize_with = "patch")]
    #[schema(value_type = Option<Vec<String>>, max_items = 20)]
    roles: Patch<Vec<String>>,
    /// The whole object, in the place of the one that is there.
    #[serde(default, deserialize_with = "patch")]
    #[schema(value_type = Option<Object>)]
    metadata: Patch<Metadata>,
}

/// A change that has been read.
#[derive(Debug)]
pub(super) struct UserChange {
    email: Patch<String>,
    username: Patch<String>,
    first_name: Patch<String>,
    last_name: Patch<String>,
    full_name: Patch<String>,
    gender: Patch<String>,
    date_of_birth: Patch<String>,
    nationality: Patch<String>,
    place_of_birth: Patch<String>,
    pincode: Patch<String>,
    phones: Option<Vec<Phone>>,
    roles: Option<Vec<String>>,
    metadata: Option<Metadata>,
}

impl ChangeUser {
    /// Reads the change as far as it can be judged without the user.
    pub(super) fn read(&self, now: Timestamp) -> Result<UserChange, Error> {
        let fields = &mut Fields::default();
        let mut text = |field: &str, value: &Patch<String>, most| -> Patch<String> {
            value.as_ref().map(|value| fields.text(field, value.as_deref(), most))
        };
        let change = UserChange {
            first_name: text("firstName", &self.first_name, MAX_NAME),
            last_name: text("lastName", &self.last_name, MAX_NAME),
            full_name: text("fullName", &self.full_name, MAX_FULL_NAME),
            gender: text("gender", &self.gender, MAX_TEXT),
            nationality: text("nationality", &self.nationality, MAX_TEXT),
            place_of_birth: text("placeOfBirth", &self.place_of_birth, MAX_TEXT),
            pincode: text("pincode", &self.pincode, MAX_TEXT),
            email: self
                .email
                .as_ref()
                .map(|value| fields.email("email", value.as_deref()).map(|(typed, _)| typed)),
            username: self
                .username
                .as_ref()
                .map(|value| fields.username(value.as_deref()).map(|(typed, _)| typed)),
            date_of_birth: self
                .date_of_birth
                .as_ref()
                .map(|value| fields.day("dateOfBirth", value.as_deref(), now)),
            phones: self
                .phones
                .as_ref()
                .map(|phones| read_phones(fields, phones.as_deref().unwrap_or_default())),
            roles: self.roles.clone().map(Option::unwrap_or_default),
            metadata: self.metadata.clone().map(Option::unwrap_or_default),
        };
        fields.metadata(change.metadata.as_ref());
        std::mem::take(fields).finish()?;
        Ok(change)
    }
}

impl UserChange {
    /// Does the change to a record.
    pub(super) fn apply(&self, user: &mut UserRecord) {
        put(&mut user.email, self.email.as_ref());
        put(&mut user.username, self.username.as_ref());
        put(&mut user.first_name, self.first_name.as_ref());
        put(&mut user.last_name, self.last_name.as_ref());
        put(&mut user.full_name, self.full_name.as_ref());
        put(&mut user.gender, self.gender.as_ref());
        put(&mut user.details.date_of_birth, self.date_of_birth.as_ref());
        put(&mut user.details.nationality, self.nationality.as_ref());
        put(&mut user.details.place_of_birth, self.place_of_birth.as_ref());
        put(&mut user.details.pincode, self.pincode.as_ref());
        put(&mut user.phones, self.phones.as_ref());
        put(&mut user.roles, self.roles.as_ref());
        put(&mut user.metadata, self.metadata.as_ref());
    }
}

fn put<T: Clone>(place: &mut T, value: Option<&T>) {
    if let Some(value) = value {
        place.clone_from(value);
    }
}
