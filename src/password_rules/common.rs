//! The passwords that many have. NOTICE says where the list comes from; docs/password-list.md how it was made.

use super::without_replacements;

/// Sorted by bytes, in lower case, one a line: nothing is made of it at start.
const LIST: &str = include_str!("common.txt");

/// Whether it is on the list: as it is, without the digits and signs around it, or with the usual
/// replacements undone.
pub(super) fn is_common(folded: &str) -> bool {
    let is_sign = |character: char| !character.is_alphanumeric();
    let is_no_letter = |character: char| !character.is_alphabetic();
    let cores = [
        folded,
        folded.trim_matches(is_sign),
        folded.trim_end_matches(is_no_letter),
        folded.trim_matches(is_no_letter),
    ];
    cores.into_iter().any(|core| {
        is_listed(core) || ['i', 'l'].into_iter().any(|one| is_listed(&without_replacements(core, one)))
    })
}

/// Finds a line by halving.
fn is_listed(word: &str) -> bool {
    let list = LIST.as_bytes();
    // Both always stand where a line begins.
    let (mut from, mut to) = (0, list.len());
    while from < to {
        let middle = from.midpoint(to);
        let start = list[..middle].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let end = list[start..].iter().position(|byte| *byte == b'\n').map_or(list.len(), |at| start + at);
        match list[start..end].cmp(word.as_bytes()) {
            std::cmp::Ordering::Equal => return true,
            std::cmp::Ordering::Less => from = end + 1,
            std::cmp::Ordering::Greater => to = start,
        }
    }
    false
}

#[cfg(test)]
#[expect(non_snake_case, reason = "test names carry requirement ids")]
mod tests {
    use super::*;

    #[test]
    fn R033_the_list_is_sorted_folded_and_larger_than_any_floor() {
        let lines: Vec<_> = LIST.lines().collect();
        assert!(lines.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(lines.iter().all(|line| *super::super::fold(line) == *line && line.len() >= 5));
        assert!(lines.iter().filter(|line| line.len() >= 8).count() > 80_000);
        assert!(lines.iter().filter(|line| line.len() >= 12).count() > 40_000);
    }

    #[test]
    fn R033_every_line_is_found_and_nothing_else() {
        for line in LIST.lines() {
            assert!(is_listed(line), "{line}");
            assert!(!is_listed(&format!("{line}\n")) && !is_listed(&format!("{line} ")), "{line}");
        }
        for other in ["", "\n", "a", "\0", "~~~~~~~~~~~~", "qwertyuiopasdfghjkl;'zxcvbnm", "\u{10FFFF}"] {
            assert!(!is_listed(other), "{other:?}");
        }
    }

    #[test]
    fn R033_decorations_do_not_hide_a_common_password() {
        for hidden in
            ["password2024!", "!!dragon99!!", "p@$$w0rd!", "m1chae1-1990", "1qaz2wsx3edc!!", "$unshine1"]
        {
            assert!(is_common(hidden), "{hidden}");
        }
        for good in
            ["correct horse battery staple", "dragon eats michael", "xkq7vbn2mtr4", "12 monkeys reading"]
        {
            assert!(!is_common(good), "{good}");
        }
    }
}
