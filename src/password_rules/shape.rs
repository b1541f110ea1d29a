//! Passwords of a shape that one can guess: a repeated piece, a row that counts.

use secrecy::zeroize::Zeroizing;

/// Whether so much of it follows from what stands before that the rest is too little: one piece, shorter than
/// `min_length`, repeated, or mostly rows that stay, count up or count down.
pub(super) fn is_plain(folded: &str, min_length: usize) -> bool {
    let characters: Zeroizing<Vec<char>> = Zeroizing::new(folded.chars().collect());
    let repeats = |piece: usize| {
        characters.len() >= 2 * piece
            && characters.iter().zip(&characters[piece..]).all(|(one, other)| one == other)
    };
    (1..min_length).any(|piece| piece <= characters.len() && repeats(piece))
        || surprises(&characters) * 2 <= min_length
}

/// How many characters do not follow from the two before them by the same step of nothing, up or down one.
fn surprises(characters: &[char]) -> usize {
    let step = |from: char, to: char| i64::from(u32::from(to)) - i64::from(u32::from(from));
    let followers = characters.windows(3).filter(|three| {
        let (first, second) = (step(three[0], three[1]), step(three[1], three[2]));
        first == second && first.abs() <= 1
    });
    characters.len() - followers.count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_repetitions_are_plain() {
        for plain in [
            "aaaaaaaaaaaa",
            "123456789012",
            "abcdefghijkl",
            "ponmlkjihgfedcba",
            "111122223333",
            "secretsecret",
            "sea!sea!sea!sea!",
            "xkq7vb xkq7vb ",
        ] {
            assert!(is_plain(plain, 12), "{plain}");
        }
        assert!(is_plain("abcd1234", 8) && is_plain("12345678", 8) && is_plain("", 8));
    }

    #[test]
    fn what_is_none_is_not() {
        for good in ["a long walk by the sea", "xkq7vbn2mtr4", "x7abcdqklmw2", "ooo what a day it was ooo"] {
            assert!(!is_plain(good, 12), "{good}");
        }
        let piece = "xkq7vbn2mtr4";
        assert!(!is_plain(&piece.repeat(2), 12), "the piece is long enough by itself");
        assert!(!is_plain("hello789", 8));
    }
}
