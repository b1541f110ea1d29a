//! What a stranger can know of an account: its tenant, its names, and ours.

use secrecy::zeroize::Zeroizing;

use super::{fold, without_replacements};

/// The least code points of a word that counts.
const LEAST: usize = 4;

/// The words that a password must not lean on. What is not known is left out.
#[derive(Clone, Copy, Default, Debug)]
pub struct KnownWords<'a> {
    pub tenant_slug: &'a str,
    pub tenant_name: &'a str,
    pub username: Option<&'a str>,
    pub email: Option<&'a str>,
    pub first_name: Option<&'a str>,
    pub last_name: Option<&'a str>,
    pub full_name: Option<&'a str>,
}

impl KnownWords<'_> {
    /// What is wrong with a password that contains some of them and is too short without.
    pub(super) fn problem(&self, folded: &str, min_length: usize) -> Option<String> {
        let mut words = self.words();
        // The longest first, so that a word within a word leaves nothing behind.
        words.sort_by_key(|(word, _)| std::cmp::Reverse(word.len()));
        let spellings = [None, Some('i'), Some('l')];
        let least = spellings
            .into_iter()
            .filter_map(|one| match one {
                None => remainder(&bare(folded), &words),
                Some(one) => remainder(&bare(&without_replacements(folded, one)), &words),
            })
            .min_by_key(|(remains, _)| *remains);
        let (remains, found) = least.filter(|(remains, _)| *remains < min_length)?;
        Some(format!(
            "contains {}; without that it has {remains} letters and digits and must have {min_length}",
            found.join(" and ")
        ))
    }

    /// Each word bare, with what it is.
    fn words(&self) -> Vec<(Zeroizing<String>, &'static str)> {
        const TENANT: &str = "the tenant's name";
        const USERNAME: &str = "the username";
        const EMAIL: &str = "the e-mail address";
        const NAME: &str = "the user's name";
        let mut words = vec![("vestibule", "this service's name"), (self.tenant_slug, TENANT)];
        words.push((self.tenant_name, TENANT));
        words.extend(self.username.into_iter().flat_map(parts_of_address).map(|part| (part, USERNAME)));
        words.extend(self.email.into_iter().flat_map(parts_of_address).map(|part| (part, EMAIL)));
        for name in [self.first_name, self.last_name, self.full_name].into_iter().flatten() {
            words.push((name, NAME));
            words.extend(name.split_whitespace().map(|part| (part, NAME)));
        }
        let words = words.into_iter().map(|(word, what)| (bare(&fold(word)), what));
        words.filter(|(word, _)| word.chars().count() >= LEAST).collect()
    }
}

/// A name before an @ whole and in its parts, and the labels of the domain after it but the last.
fn parts_of_address(text: &str) -> impl Iterator<Item = &str> {
    let (local, domain) = text.rsplit_once('@').unwrap_or((text, ""));
    let labels = domain.rsplit('.').skip(1);
    std::iter::once(local).chain(local.split(['.', '_', '-', '+'])).chain(labels)
}

/// Letters and digits alone, so that no space, dot or dash hides a word.
fn bare(text: &str) -> Zeroizing<String> {
    let mut bare = Zeroizing::new(String::with_capacity(text.len()));
    bare.extend(text.chars().filter(|character| character.is_alphanumeric()));
    bare
}

/// How many characters are left without the words, and which those were; `None` where there are none.
fn remainder(bare: &str, words: &[(Zeroizing<String>, &'static str)]) -> Option<(usize, Vec<&'static str>)> {
    let (mut rest, mut found) = (Zeroizing::new(bare.to_owned()), Vec::new());
    for (word, what) in words {
        if bare.contains(word.as_str()) {
            // What stood on both sides of it is no word.
            rest = Zeroizing::new(rest.replace(word.as_str(), "\0"));
            if !found.contains(what) {
                found.push(*what);
            }
        }
    }
    let remains = rest.chars().filter(|character| *character != '\0').count();
    (!found.is_empty()).then_some((remains, found))
}
