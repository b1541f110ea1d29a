//! `vestibule operator`: who runs Vestibule, each by a token of their own.

use std::io::Write;

use anyhow::anyhow;
use clap::{Args, Subcommand};
use secrecy::{ExposeSecret, SecretString};

use super::Global;
use super::desk::{Desk, at_the_desk};
use super::expiry::ExpiresIn;
use super::first_tenant::explain;
use super::show::{self, Shape, instant};
use crate::error::Error;
use crate::flows::{self, Author};
use crate::ids::OperatorId;
use crate::operator_api::views::{OperatorCreated, OperatorView};
use crate::operators;

/// What `operator` takes.
#[derive(Debug, Args)]
pub(super) struct Operator {
    #[command(flatten)]
    shape: Shape,
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Make an operator and show the token, once
    #[command(after_help = "Example:\n  vestibule operator create 'Olga Operator' --expires-in 90d")]
    Create {
        /// Whose token it is
        name: String,
        /// When the token ends, like 90d, 12h or 30m from now [default: never]
        #[arg(long, value_name = "TIME")]
        expires_in: Option<ExpiresIn>,
    },
    /// List the operators, newest first; never a token
    #[command(after_help = "Example:\n  vestibule operator list --json")]
    List,
    /// Revoke an operator's token: it is refused from the next request on
    #[command(after_help = "Example:\n  vestibule operator revoke 6c1f7a7e-52c3-4d0b-8f5a-9a3be1c2d0a1")]
    Revoke {
        /// The operator's id, as `list` shows it
        id: String,
    },
}

pub(super) fn run(operator: &Operator, global: &Global, out: &mut dyn Write) -> anyhow::Result<()> {
    let json = operator.shape.json;
    at_the_desk(global, async |desk| match &operator.act {
        Act::Create { name, expires_in } => create(desk, json, name, *expires_in, out).await,
        Act::List => list(desk, json, out).await,
        Act::Revoke { id } => revoke(desk, json, id, out).await,
    })
}

async fn create(
    desk: &Desk,
    json: bool,
    name: &str,
    expires_in: Option<ExpiresIn>,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let now = desk.now();
    let end = expires_in.map(|time| time.from(now));
    let created = flows::create_operator(&desk.db, Author::TERMINAL, name, end, now).await;
    let (operator, token) = created.map_err(explain)?;
    if json {
        return show::object(out, &OperatorCreated::new(&operator, &token, now));
    }
    Ok(print_token(&operator, &token, out)?)
}

/// An operator with the token, which is told here and nowhere else.
pub(super) fn print_token(
    operator: &operators::Operator,
    token: &SecretString,
    out: &mut dyn Write,
) -> std::io::Result<()> {
    let until = operator.expires_at.map(|end| format!(", until {end}")).unwrap_or_default();
    writeln!(
        out,
        "Operator {:?} ({}){until}. The token is shown now and never again:\n  operator token  {}",
        operator.name,
        operator.id,
        token.expose_secret()
    )
}

async fn list(desk: &Desk, json: bool, out: &mut dyn Write) -> anyhow::Result<()> {
    let now = desk.now();
    let operators = flows::list_operators(&desk.db).await.map_err(explain)?;
    if json {
        return show::array(out, operators.iter().map(|operator| OperatorView::new(operator, now)));
    }
    let rows = operators.iter().map(|operator| {
        [
            operator.id.to_string(),
            operator.name.clone(),
            operator.state(now).to_owned(),
            operator.created_at.to_string(),
            instant(operator.expires_at),
            instant(operator.revoked_at),
        ]
    });
    show::table(out, ["ID", "NAME", "STATE", "CREATED", "EXPIRES", "REVOKED"], rows)
}

async fn revoke(desk: &Desk, json: bool, text: &str, out: &mut dyn Write) -> anyhow::Result<()> {
    let absent = || anyhow!("there is no operator {text:?}; `vestibule operator list` shows them");
    let (id, now) = (OperatorId::parse(text).ok_or_else(absent)?, desk.now());
    let operator = match flows::revoke_operator(&desk.db, Author::TERMINAL, &id, now).await {
        Err(Error::NotFound) => return Err(absent()),
        other => other.map_err(explain)?,
    };
    if json {
        return show::object(out, &OperatorView::new(&operator, now));
    }
    let since = instant(operator.revoked_at);
    writeln!(out, "The token of operator {:?} ({id}) is revoked since {since}.", operator.name)?;
    Ok(())
}
