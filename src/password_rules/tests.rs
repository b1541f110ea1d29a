//! The rules for a new password together.
#![expect(non_snake_case, reason = "test names carry requirement ids")]

use super::*;

fn problems(password: &str, min_length: usize, known: &KnownWords<'_>) -> Vec<String> {
    let errors = check("newPassword", &SecretString::from(password), min_length, known);
    assert!(errors.iter().all(|error| error.field == "newPassword" && !error.message.contains(password)));
    errors.into_iter().map(|error| error.message).collect()
}

fn alone(password: &str, min_length: usize) -> Vec<String> {
    problems(password, min_length, &KnownWords::default())
}

const ACME: KnownWords<'_> = KnownWords {
    tenant_slug: "acme-bank",
    tenant_name: "ACME Bank, Ltd",
    username: Some("ada.lovelace"),
    email: Some("countess@analytical.example"),
    first_name: Some("Ada"),
    last_name: Some("Łovelace"),
    full_name: Some("Augusta Ada King"),
};

#[test]
fn R030_the_length_is_counted_in_code_points_after_nfc() {
    for (short, enough, least) in [
        ("xkq7vbn", "xkq7vbn2", 8),
        ("xkq7vbn2mtr4ze", "xkq7vbn2mtr4zew", 15),
        ("😀🌊🐢🌙🍋🎲🚲🎻🪐🧵🦊🍂🥨🛶", "😀🌊🐢🌙🍋🎲🚲🎻🪐🧵🦊🍂🥨🛶🪁", 15),
        // Seven letters of two code points each as typed, which are one each in NFC.
        ("x\u{302}e\u{301}q\u{302}o\u{308}a\u{300}u", "x\u{302}e\u{301}q\u{302}o\u{308}a\u{300}uz", 9),
    ] {
        let said = alone(short, least);
        assert!(said[0].starts_with(&format!("must have {least} characters at least and has ")), "{said:?}");
        assert!(alone(enough, least).is_empty(), "{enough}: {:?}", alone(enough, least));
    }
}

#[test]
fn R031_sixty_four_code_points_of_anything_are_taken_and_1025_bytes_are_not() {
    assert!(alone(&"\u{1F600}".repeat(64), 64).is_empty());
    assert!(alone(&"q".repeat(1_024), 12).is_empty());
    assert_eq!(alone(&"q".repeat(1_025), 12), ["may have 1024 bytes at most"]);
    assert_eq!(alone(&"\u{1F600}".repeat(257), 12).len(), 1);
}

#[test]
fn R032_no_kind_of_character_is_asked_for_and_none_is_refused() {
    for good in [
        "a long walk by the sea",
        "onlylowercaseletters",
        "ONLYUPPERCASELETTERS",
        "83104627591835",
        "ненужныеправила",
        "雨降って地固まる雨降れば川",
        " leading and trailing ",
        "tab\tand\0nul inside",
    ] {
        assert!(alone(good, 12).is_empty(), "{good}: {:?}", alone(good, 12));
    }
}

#[test]
fn R033_the_most_common_passwords_are_refused_with_the_reason() {
    for common in [
        "Password123!",
        "QWERTYuiop12",
        "1qaz2wsx3edc",
        "Sunshine2024!!",
        "P@$$w0rd1234",
        "ｐａｓｓｗｏｒｄ１２３４",
    ] {
        let said = alone(common, 12);
        assert!(said.iter().any(|problem| problem.contains("most common")), "{common}: {said:?}");
    }
    for common in include_str!("common.txt").lines() {
        assert!(!alone(&common.to_uppercase(), 8).is_empty(), "{common}");
    }
}

#[test]
fn R033_what_anybody_knows_of_the_owner_is_no_password() {
    for (password, reason) in [
        ("AcMe-BaNk-2031", "the tenant's name"),
        ("acmeBANKltd99", "the tenant's name"),
        ("4cme b4nk 2031!", "the tenant's name"),
        ("ada.LOVELACE77", "the username"),
        ("Countess#2031#", "the e-mail address"),
        ("!Analytical77!", "the e-mail address"),
        ("łovelace123xyz", "the user's name"),
        ("Augusta--2031", "the user's name"),
        ("Vestibule!2031", "this service's name"),
        ("AugustaAcmeBankCountess", "the tenant's name"),
    ] {
        let said = problems(password, 12, &ACME);
        let all = said.join("\n");
        assert!(all.contains("contains ") && all.contains(reason), "{password}: {said:?}");
        let without = alone(password, 12).join("\n");
        assert!(reason.contains("service") || !without.contains("contains"), "{password}: {without}");
    }
}

#[test]
fn R033_a_known_word_in_a_password_that_is_long_without_it_is_let_pass() {
    for good in ["countess xkq7vbn2mtr4", "a walk to the acme-bank by the river", "Ada has a turtle 7"] {
        assert!(problems(good, 12, &ACME).is_empty(), "{good}: {:?}", problems(good, 12, &ACME));
    }
    // Three letters are in everything.
    let short = KnownWords { tenant_slug: "abc", first_name: Some("Al"), ..KnownWords::default() };
    assert!(problems("xabcq7valn2m", 12, &short).is_empty());
}

#[test]
fn R033_plain_shapes_are_refused() {
    for plain in ["aaaaaaaaaaaa", "123456789012", "abcdefghijkl", "bluebluebluebl", "zyxwvutsrqponm"] {
        let said = alone(plain, 12).join("\n");
        assert!(said.contains("repeats itself"), "{plain}: {said}");
    }
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let said = problems("acmebank", 12, &ACME);
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[1].ends_with("without that it has 0 letters and digits and must have 12"), "{said:?}");
}
