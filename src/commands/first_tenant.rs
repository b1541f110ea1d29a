//! `vestibule init`'s first tenant: checked before anything is written, made, and told with its secrets.

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, bail, ensure};
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use secrecy::{ExposeSecret, SecretString};

use super::files;
use super::login_call::LoginCall;
use super::start::{breached_passwords, password_options};
use crate::access_tokens::{Algorithm, TokenType};
use crate::clock::Clock;
use crate::config::{Config, Origin};
use crate::db::Database;
use crate::error::Error;
use crate::events::Actor;
use crate::flows::{CreateUser, NewTenant, create_tenant};
use crate::ids::{CustomerId, TenantId, UserId};
use crate::password_rules::{self, KnownWords};
use crate::passwords::hash_blocking;
use crate::secrets::MasterKeys;
use crate::tenants::store::insert_origin;
use crate::tenants::{Family, KeyPurpose, NewTenantKey, Profile, Settings, slug};
use crate::users::peppers::remember_peppers;
use crate::users::store::NewUser;
use crate::users::{LoginName, UserKind};

const PROFILES: [(&str, Profile); 4] = [
    ("standard", Profile::Standard),
    ("payment", Profile::Payment),
    ("compatible", Profile::Compatible),
    ("consumer", Profile::Consumer),
];
const TOKEN_TYPES: [(&str, TokenType); 2] = [("JWT", TokenType::Jwt), ("at+jwt", TokenType::AccessToken)];

/// The first tenant, if one is asked for.
#[derive(Debug, Args)]
#[command(next_help_heading = "First tenant")]
pub(super) struct FirstTenant {
    /// Make a tenant with this slug; it stands in its issuer and never changes
    #[arg(long, value_name = "SLUG", requires = "admin")]
    tenant: Option<String>,
    /// What the tenant is called [default: its slug]
    #[arg(long, value_name = "NAME", requires = "tenant")]
    tenant_name: Option<String>,
    /// The e-mail of its first staff user, with the role ADMIN
    #[arg(long, value_name = "EMAIL", requires = "tenant")]
    admin: Option<String>,
    /// A file with that user's password; asked for when left out
    #[arg(long, value_name = "PATH", requires = "tenant")]
    admin_password_file: Option<PathBuf>,
    /// A browser origin its web apps call from; may be repeated [default: none]
    #[arg(long, value_name = "URL", requires = "tenant")]
    origin: Vec<Origin>,
    /// How long its sessions live [default: standard]
    #[arg(long, requires = "tenant", value_parser = one_of(PROFILES))]
    profile: Option<Profile>,
    /// What its access tokens are signed with [default: ES256]
    #[arg(long, requires = "tenant", value_parser = one_of(Algorithm::ALL.map(|it| (it.as_str(), it))))]
    algorithm: Option<Algorithm>,
    /// The access tokens' typ; at+jwt is RFC 9068's [default: JWT]
    #[arg(long, value_name = "TYPE", requires = "tenant", value_parser = one_of(TOKEN_TYPES))]
    token_type: Option<TokenType>,
}

/// Takes one of these words, and names them all when it gets another.
pub(super) fn one_of<T, const N: usize>(words: [(&'static str, T); N]) -> impl TypedValueParser<Value = T>
where
    T: Copy + Send + Sync + 'static,
{
    PossibleValuesParser::new(words.map(|(word, _)| word)).try_map(move |given| {
        let found = words.iter().find(|(word, _)| *word == given);
        found.map(|(_, value)| *value).ok_or("an unknown word")
    })
}

/// A first tenant whose every part is good, before anything is written.
pub(super) struct Planned {
    slug: String,
    name: String,
    email: String,
    login: LoginName,
    password: SecretString,
    origins: Vec<Origin>,
    settings: Settings,
}

impl FirstTenant {
    /// Checks everything that was asked for, so that nothing is half done later.
    pub(super) fn plan(&self) -> anyhow::Result<Option<Planned>> {
        let (Some(text), Some(email)) = (&self.tenant, &self.admin) else { return Ok(None) };
        let slug = slug(text).with_context(|| {
            format!("--tenant {text:?}: must be 1 to 64 letters, digits, - or _, and not look like a UUID")
        })?;
        ensure!(slug != "system", "--tenant system: is Vestibule's own; take another");
        ensure!(
            is_email(email),
            "--admin {email:?}: is not an e-mail address; write it like ada@acme.example"
        );
        let login =
            LoginName::parse(email).map_err(|problem| anyhow::anyhow!("--admin {email:?}: {problem}"))?;
        let name = self.tenant_name.clone().unwrap_or_else(|| slug.clone());
        ensure!((1..=200).contains(&name.len()), "--tenant-name: must have 1 to 200 bytes");
        let defaults = Settings::default();
        let settings = Settings {
            profile: self.profile.unwrap_or(defaults.profile),
            algorithm: self.algorithm.unwrap_or(defaults.algorithm),
            token_type: self.token_type.unwrap_or(defaults.token_type),
            ..defaults
        };
        let password = self.password()?;
        let origins = self.origin.clone();
        let planned = Planned { slug, name, email: email.clone(), login, password, origins, settings };
        planned.check_password()?;
        Ok(Some(planned))
    }

    fn password(&self) -> anyhow::Result<SecretString> {
        if let Some(path) = &self.admin_password_file {
            return files::read_secret("--admin-password-file", path);
        }
        let ask = |prompt| {
            rpassword::prompt_password(prompt)
                .context("cannot ask for the password; use --admin-password-file")
        };
        let password = SecretString::from(ask("Password of the first staff user: ")?);
        let again = SecretString::from(ask("Again: ")?);
        if password.expose_secret() != again.expose_secret() {
            bail!("the two passwords differ");
        }
        Ok(password)
    }
}

/// Whether it looks like an address: only a message that arrives would prove more.
fn is_email(text: &str) -> bool {
    let parts: Vec<_> = text.split('@').collect();
    parts.len() == 2 && parts.iter().all(|part| !part.is_empty()) && !text.contains(char::is_whitespace)
}

/// A tenant that was made: the one moment its keys' secrets are known.
pub(super) struct Made {
    planned: Planned,
    public_url: Origin,
    tenant: TenantId,
    house: CustomerId,
    user: UserId,
    keys: [NewTenantKey; 2],
}

impl Planned {
    /// The rules of every new password.
    fn check_password(&self) -> anyhow::Result<()> {
        let known = KnownWords {
            tenant_slug: &self.slug,
            tenant_name: &self.name,
            email: Some(&self.email),
            ..KnownWords::default()
        };
        let least = self.settings.password_min_length;
        let problems = password_rules::check("the password", &self.password, least, &known);
        if problems.is_empty() { Ok(()) } else { Err(explain(Error::Validation(problems))) }
    }

    /// That the password is not in the operator's file of breached ones.
    pub(super) fn check_breached(&self, config: &Config) -> anyhow::Result<()> {
        let Some(file) = breached_passwords(config)? else { return Ok(()) };
        let found = file.check("the password", &self.password);
        let found = found.with_context(|| format!("breached_passwords_file {}", file.path().display()))?;
        found.map_or(Ok(()), |problem| Err(explain(Error::Validation(vec![problem]))))
    }

    pub(super) async fn make(
        self,
        config: &Config,
        db: &Database,
        master: &MasterKeys,
    ) -> anyhow::Result<Made> {
        let public_url = config.public_url()?.clone();
        let options = password_options(config)?;
        remember_peppers(db, &options.peppers, Clock::system().now()).await?;
        let hash = hash_blocking(&options, &self.password)?;
        let keys = [NewTenantKey::random(KeyPurpose::Login), NewTenantKey::random(KeyPurpose::Backend)];
        let (tenant, house, user) = (TenantId::random(), CustomerId::random(), UserId::random());
        let roles = ["ADMIN".to_owned()];
        let admin = CreateUser {
            username: None,
            email_name: Some(self.login.clone()),
            user: NewUser {
                password_hash: Some(&hash),
                roles: &roles,
                email: Some(&self.email),
                ..NewUser::new(&user, &house, UserKind::Staff)
            },
        };
        let new = NewTenant {
            id: tenant.clone(),
            slug: &self.slug,
            name: &self.name,
            settings: self.settings.clone(),
            keys: &keys,
            house: &house,
            customers: &[],
            users: &[admin],
            also: self.origins.iter().map(|origin| insert_origin(&tenant, origin.as_str())).collect(),
            actor: Actor::Operator(None),
            client: None,
        };
        create_tenant(db, master, new, Clock::system().now()).await.map_err(explain)?;
        Ok(Made { planned: self, public_url, tenant, house, user, keys })
    }
}

impl Made {
    pub(super) fn print(&self, out: &mut dyn Write) -> std::io::Result<()> {
        let Self { planned: Planned { slug, email, .. }, public_url, tenant, house, user, keys } = self;
        writeln!(
            out,
            "\nTenant {slug} ({tenant})\n  issuer          {public_url}/t/{slug}\n  organization    {house}\n  \
             staff           {email} ({user}), role ADMIN"
        )?;
        writeln!(out, "\nIts keys. The secrets are shown now and never again:")?;
        print_keys(keys, out)?;
        let login = LoginCall {
            base: public_url.as_str(),
            family: Family::Admin,
            tenant_slug: slug,
            tenant_id: tenant.as_str(),
            tenant_key: &keys[0].tenant_key,
            tenant_secret: "<tenantSecret>",
            email,
            password: "<password>",
            device: "device-1",
            platform: "web",
        };
        writeln!(
            out,
            "\nHow {email} logs in, once it is served; put in the password and the login key's secret:\n\n{login}"
        )
    }
}

/// Keys with their secrets, which are told here and nowhere else.
pub(super) fn print_keys(keys: &[NewTenantKey], out: &mut dyn Write) -> std::io::Result<()> {
    for key in keys {
        writeln!(
            out,
            "  {:<8}tenantKey     {}\n          tenantSecret  {}",
            key.purpose.as_str(),
            key.tenant_key,
            key.tenant_secret
        )?;
    }
    Ok(())
}

/// An API error for the terminal: what is wrong with which field.
pub(super) fn explain(error: Error) -> anyhow::Error {
    match error {
        Error::Validation(errors) => {
            let problems: Vec<_> =
                errors.iter().map(|error| format!("{} {}", error.field, error.message)).collect();
            match problems.as_slice() {
                [problem] => anyhow::anyhow!(problem.clone()),
                _ => anyhow::anyhow!("{} problems:\n  - {}", problems.len(), problems.join("\n  - ")),
            }
        }
        Error::Conflict(problem) => anyhow::anyhow!("{} {}", problem.field, problem.message),
        Error::Internal(cause) | Error::Unavailable(cause) => cause,
        other => other.into(),
    }
}
