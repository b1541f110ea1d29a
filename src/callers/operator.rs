//! Who runs Vestibule, by operator token.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use crate::app::SharedApp;
use crate::client::Client;
use crate::error::{Error, TokenProblem};
use crate::events::Actor;
use crate::flows::{Author, KeyGuess};
use crate::http::headers;
use crate::operators::{self, Operator};

/// An operator with a token that is good now. Only the operator's listener has routes that take one (R058).
#[derive(Debug)]
pub struct OperatorCaller {
    pub operator: Operator,
    pub client: Client,
}

impl OperatorCaller {
    /// For events.
    #[must_use]
    pub const fn actor(&self) -> Actor<'_> {
        Actor::Operator(Some(&self.operator.id))
    }

    /// For what flows write down.
    #[must_use]
    pub const fn author(&self) -> Author<'_> {
        Author { actor: self.actor(), client: Some(&self.client) }
    }
}

impl FromRequestParts<SharedApp> for OperatorCaller {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &SharedApp) -> Result<Self, Error> {
        let client = headers::client(parts, app)?;
        let token = headers::bearer(&parts.headers).ok_or(Error::Token(TokenProblem::Missing))?;
        let rows = app.db.fetch(operators::store::find_by_token(token)).await?;
        let operator = rows.first().map(Operator::from_row).transpose()?;
        let good = operator.filter(|operator| operator.is_good(app.clock.now()));
        let Some(operator) = good else {
            // Whoever has a good one is let in from wherever others guess: 256 bits are not guessed.
            let guess = KeyGuess::at_operator_token(app, &client);
            guess.check(app)?;
            guess.count(app)?;
            return Err(Error::Token(TokenProblem::Invalid));
        };
        Ok(Self { operator, client })
    }
}
