//! A person who is to be a user: everything that was said of them, read.

use secrecy::SecretString;

use crate::app::App;
use crate::error::Error;
use crate::flows::{CreateUser, check_names, hash_password};
use crate::ids::{CustomerId, UserId};
use crate::password_rules::KnownWords;
use crate::passwords::PasswordHash;
use crate::tenants::Tenant;
use crate::users::store::NewUser;
use crate::users::{LoginName, Metadata, PersonDetails, Phone, UserKind};

use super::fields::Fields;
use super::new_password::new_password;

/// The longest name of a person, in characters.
pub(super) const MAX_NAME: usize = 100;
/// The longest name of all a person's names, or of an organization, in characters.
pub(super) const MAX_FULL_NAME: usize = 200;
/// The longest of the other texts about a person, in characters.
pub(super) const MAX_TEXT: usize = 64;

/// The roles of a customer's user of whom none was named.
pub(super) fn default_roles() -> Vec<String> {
    vec!["USER".to_owned()]
}

/// What has been read.
#[derive(Debug, Default)]
pub(super) struct Person {
    pub(super) username: Option<(String, LoginName)>,
    pub(super) email: Option<(String, LoginName)>,
    pub(super) first_name: Option<String>,
    pub(super) last_name: Option<String>,
    pub(super) full_name: Option<String>,
    pub(super) gender: Option<String>,
    pub(super) phones: Vec<Phone>,
    pub(super) details: PersonDetails,
    pub(super) roles: Vec<String>,
    pub(super) metadata: Metadata,
    pub(super) password: Option<SecretString>,
}

impl Person {
    /// Reads the password, when all that it should not repeat has been read.
    pub(super) fn read_password(
        &mut self,
        fields: &mut Fields,
        tenant: &Tenant,
        password: Option<&SecretString>,
        matching: Option<&SecretString>,
    ) {
        let typed = |name: &Option<(String, LoginName)>| name.as_ref().map(|(typed, _)| typed.clone());
        let (username, email) = (typed(&self.username), typed(&self.email));
        let known = KnownWords {
            tenant_slug: &tenant.slug,
            tenant_name: &tenant.name,
            username: username.as_deref(),
            email: email.as_deref(),
            first_name: self.first_name.as_deref(),
            last_name: self.last_name.as_deref(),
            full_name: self.full_name.as_deref(),
        };
        self.password = new_password(fields, tenant, password, matching, &known);
    }

    /// Checks the names together, unless one is wrong already.
    pub(super) fn check_names(&self, fields: &mut Fields) {
        let name = |it: &Option<(String, LoginName)>| it.as_ref().map(|(_, name)| name.clone());
        if let Err(problem) = check_names(name(&self.username).as_ref(), name(&self.email).as_ref())
            && !fields.has("email")
            && !fields.has("username")
        {
            fields.wrong(&problem.field, problem.message);
        }
    }

    /// The hash of the password, if there is one.
    pub(super) async fn hash(&self, app: &App, tenant: &Tenant) -> Result<Option<PasswordHash>, Error> {
        match &self.password {
            Some(password) => hash_password(app, "password", tenant, password.clone()).await.map(Some),
            None => Ok(None),
        }
    }

    /// The user that this person is to be.
    pub(super) fn as_new<'a>(
        &'a self,
        id: &'a UserId,
        customer: &'a CustomerId,
        kind: UserKind,
        hash: Option<&'a PasswordHash>,
    ) -> CreateUser<'a> {
        CreateUser {
            username: self.username.as_ref().map(|(_, name)| name.clone()),
            email_name: self.email.as_ref().map(|(_, name)| name.clone()),
            user: NewUser {
                password_hash: hash,
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
                ..NewUser::new(id, customer, kind)
            },
        }
    }
}
