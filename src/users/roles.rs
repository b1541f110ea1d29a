//! Roles: words. What staff may do hangs on three of them; all others permit nothing here and travel in the token.

/// The most roles of one user.
pub const MAX_ROLES: usize = 20;
/// The longest role, in characters.
const MAX_ROLE: usize = 64;

/// What a role lets staff do. Other roles of staff are free words, as customers' are, and permit nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StaffRole {
    /// Manages customers, users and their credentials, and all that the others may.
    Admin,
    /// Manages users' sessions, and reads.
    Operator,
    /// Reads.
    Viewer,
}

impl StaffRole {
    pub const ALL: [Self; 3] = [Self::Admin, Self::Operator, Self::Viewer];

    /// The word in `roles`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "ADMIN",
            Self::Operator => "OPERATOR",
            Self::Viewer => "VIEWER",
        }
    }

    /// The staff role of this word, if it is one.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == word)
    }
}

/// Checks a customer's user's roles; the error says what is wrong with them. A staff role is refused: it would
/// permit nothing and look as if it did.
pub fn check_customer_roles(roles: &[String]) -> Result<(), String> {
    check_words(roles)?;
    match roles.iter().find(|role| StaffRole::parse(role).is_some()) {
        Some(role) => Err(format!("must not have {role}, which is a role of the tenant's staff")),
        None => Ok(()),
    }
}

/// Checks a member of staff's roles: at least one of those that permit something.
pub fn check_staff_roles(roles: &[String]) -> Result<(), String> {
    check_words(roles)?;
    if roles.iter().any(|role| StaffRole::parse(role).is_some()) {
        Ok(())
    } else {
        Err("must have at least one of ADMIN, OPERATOR and VIEWER".to_owned())
    }
}

fn check_words(roles: &[String]) -> Result<(), String> {
    if roles.len() > MAX_ROLES {
        return Err(format!("may be {MAX_ROLES} at most"));
    }
    let is_word = |role: &String| {
        (1..=MAX_ROLE).contains(&role.len())
            && role.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
    };
    if !roles.iter().all(is_word) {
        return Err(format!("must be words of 1 to {MAX_ROLE} letters A to Z, digits and _"));
    }
    let twice = roles.iter().enumerate().any(|(at, role)| roles[..at].contains(role));
    if twice { Err("must be named once each".to_owned()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roles(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn customers_have_free_words_and_no_staff_role() {
        check_customer_roles(&[]).unwrap();
        check_customer_roles(&roles(&["ACCOUNT_OWNER", "USER", "X9"])).unwrap();
        for role in StaffRole::ALL {
            assert!(check_customer_roles(&roles(&["USER", role.as_str()])).is_err());
        }
        for bad in ["", "admin", "A B", "A-B", "É", &"A".repeat(65)] {
            assert!(check_customer_roles(&roles(&[bad])).is_err(), "{bad:?}");
        }
        assert!(check_customer_roles(&roles(&["USER", "USER"])).is_err());
        let many: Vec<_> = (0..=MAX_ROLES).map(|number| format!("R{number}")).collect();
        assert!(check_customer_roles(&many).is_err());
        check_customer_roles(&many[1..]).unwrap();
    }

    #[test]
    fn staff_have_a_role_that_permits_something() {
        check_staff_roles(&roles(&["VIEWER", "COMPLIANCE_OFFICER"])).unwrap();
        assert!(check_staff_roles(&roles(&["COMPLIANCE_OFFICER"])).is_err());
        assert!(check_staff_roles(&[]).is_err());
    }
}
