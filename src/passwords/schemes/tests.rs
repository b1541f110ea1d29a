//! The strings of stored hashes.
#![expect(non_snake_case, reason = "test names carry requirement ids")]

use proptest::prelude::*;

use super::*;

const SALT: &str = "c29tZXNhbHQ";
const TAG: &str = "nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";

fn phc(prefix: &str) -> String {
    format!("{prefix}${SALT}${TAG}")
}

#[test]
fn R034_a_hash_reads_back_as_it_was_written() {
    let text = phc("$argon2id$v=19$m=256,t=2,p=1");
    let hash = PasswordHash::parse(&text).expect("well-formed");
    let Scheme::Argon2id(argon2id) = hash.scheme() else { panic!("not ours") };
    assert_eq!(argon2id.cost, Cost { memory_kib: 256, passes: 2, lanes: 1 });
    assert_eq!(argon2id.salt, b"somesalt");
    assert_eq!(argon2id.tag.len(), 32);
    assert_eq!(hash.as_str(), text);
    assert_eq!(PasswordHash::from(argon2id.clone()), hash);
    assert_eq!(format!("{hash:?}"), "PasswordHash([REDACTED])");
}

/// The kind of an error, without its numbers.
fn kind(error: InvalidHash) -> &'static str {
    match error {
        InvalidHash::Malformed => "malformed",
        InvalidHash::UnknownScheme => "unknown scheme",
        InvalidHash::Unsupported(_) => "unsupported",
        InvalidHash::OutOfBounds { .. } => "out of bounds",
    }
}

#[track_caller]
fn refused(texts: &[(String, &str)]) {
    for (text, wanted) in texts {
        let error = PasswordHash::parse(text).err().map(kind);
        assert_eq!(error, Some(*wanted), "{text:.120}");
    }
}

const OUT_OF_BOUNDS: &str = "out of bounds";
const MALFORMED: &str = "malformed";

#[test]
fn R036_hostile_and_broken_hashes_are_errors() {
    let good = phc("$argon2id$v=19$m=256,t=2,p=1");
    refused(&[
        (phc("$argon2id$v=19$m=4294967295,t=1,p=1"), OUT_OF_BOUNDS),
        (phc("$argon2id$v=19$m=4294967296,t=1,p=1"), OUT_OF_BOUNDS),
        (phc("$argon2id$v=19$m=99999999999999999999999,t=1,p=1"), OUT_OF_BOUNDS),
        (phc("$argon2id$v=19$m=65537,t=1,p=1"), OUT_OF_BOUNDS),
        (phc("$argon2i$v=19$m=65537,t=1,p=1"), OUT_OF_BOUNDS),
        (phc("$argon2d$v=16$m=64,t=11,p=1"), OUT_OF_BOUNDS),
        (phc("$argon2id$v=19$m=64,t=11,p=1"), OUT_OF_BOUNDS),
        (phc("$argon2id$v=19$m=64,t=4294967295,p=1"), OUT_OF_BOUNDS),
        (phc("$argon2id$v=19$m=64,t=0,p=1"), OUT_OF_BOUNDS),
        (phc("$argon2id$v=19$m=64,t=1,p=5"), OUT_OF_BOUNDS),
        (phc("$argon2id$v=19$m=64,t=1,p=4294967295"), OUT_OF_BOUNDS),
        (phc("$argon2id$v=19$m=16,t=1,p=4"), OUT_OF_BOUNDS),
        (format!("$argon2id$v=19$m=64,t=1,p=1$c2FsdA${TAG}"), OUT_OF_BOUNDS),
        (format!("$argon2id$v=19$m=64,t=1,p=1${SALT}$AAAAAA"), OUT_OF_BOUNDS),
        (format!("$argon2id$v=19$m=64,t=1,p=1${SALT}$"), OUT_OF_BOUNDS),
        (format!("$argon2id$v=19$m=64,t=1,p=1${SALT}${}", "A".repeat(88)), OUT_OF_BOUNDS),
        (phc("$argon2id$v=18$m=64,t=1,p=1"), "unknown scheme"),
        (phc("$argon2x$v=19$m=64,t=1,p=1"), "unknown scheme"),
        (phc("$ARGON2ID$v=19$m=64,t=1,p=1"), "unknown scheme"),
        (phc("$argon2id$m=64,t=1,p=1"), MALFORMED),
        (phc("$argon2id$v=19$m=64,t=1"), MALFORMED),
        (phc("$argon2id$v=19$m=64,t=1,p=1,p=1"), MALFORMED),
        (phc("$argon2id$v=19$t=1,m=64,p=1"), MALFORMED),
        (phc("$argon2id$v=19$m=+64,t=1,p=1"), MALFORMED),
        (phc("$argon2id$v=19$m=064,t=1,p=1"), MALFORMED),
        (phc("$argon2id$v=19$m=-64,t=1,p=1"), MALFORMED),
        (phc("$argon2id$v=19$m=,t=1,p=1"), MALFORMED),
        (phc("$argon2id$v=19$m= 64,t=1,p=1"), MALFORMED),
        (phc("$argon2id$v=19$m=６４,t=1,p=1"), MALFORMED),
        (phc("argon2id$v=19$m=64,t=1,p=1"), MALFORMED),
        (phc("$argon2id$v=19$m=64,t=1,p=1") + "=", MALFORMED),
        (phc("$argon2id$v=19$m=64,t=1,p=1") + "\n", MALFORMED),
        (phc("$argon2id$v=19$m=64,t=1,p=1") + "$", MALFORMED),
        (phc("$argon2id$v=19$m=64,t=1,p=1") + "é", MALFORMED),
        (format!("$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHR${TAG}"), MALFORMED),
        (format!("$argon2id$v=19$m=64,t=1,p=1$c29t\0XNhbHQ${TAG}"), MALFORMED),
        (good.replace('/', "_"), MALFORMED),
        ("A".repeat(1_000_000), MALFORMED),
        (String::new(), MALFORMED),
        ("$".to_owned(), MALFORMED),
        ("$$$$$".to_owned(), MALFORMED),
    ]);
    for end in 0..good.len() {
        let cut = PasswordHash::parse(&good[..end]);
        // A tag cut to 16 bytes or more is a shorter tag, not a broken string.
        assert!(
            cut.is_err()
                || cut.is_ok_and(|hash| matches!(hash.scheme(), Scheme::Argon2id(a) if a.tag.len() < 32))
        );
    }
}

const BCRYPT: &str = "$2b$04$9trvSSADV2LTeYbg.XU./O.upvV3/S11DF0ByVyQXHcS.yLyoj946";

#[test]
fn R036_hostile_and_broken_foreign_hashes_are_errors() {
    let of_cost = |cost: &str| BCRYPT.replacen("04", cost, 1);
    refused(&[
        (of_cost("15"), OUT_OF_BOUNDS),
        (of_cost("31"), OUT_OF_BOUNDS),
        (of_cost("99"), OUT_OF_BOUNDS),
        (of_cost("03"), OUT_OF_BOUNDS),
        (of_cost("00"), OUT_OF_BOUNDS),
        (of_cost("4"), MALFORMED),
        (of_cost("+4"), MALFORMED),
        (of_cost("004"), MALFORMED),
        (of_cost("xx"), MALFORMED),
        (of_cost("é"), MALFORMED),
        (BCRYPT.replace("2b", "2x"), "unknown scheme"),
        (BCRYPT.replace("2b", "2"), "unknown scheme"),
        (BCRYPT[..59].to_owned(), MALFORMED),
        (BCRYPT.to_owned() + ".", MALFORMED),
        (BCRYPT.to_owned() + "$", MALFORMED),
        (BCRYPT.replace("9tr", "9é"), MALFORMED),
        (BCRYPT.replace("9tr", "9+r"), MALFORMED),
        // Spare bits at the end of salt and tag: another spelling of the same hash.
        (BCRYPT.replace("./O.u", "./P.u"), MALFORMED),
        (BCRYPT.replace("j946", "j947"), MALFORMED),
        ("$django-bcrypt-sha256".to_owned() + &of_cost("15"), OUT_OF_BOUNDS),
        ("$django-bcrypt-sha256$".to_owned() + BCRYPT, MALFORMED),
        (phc("$scrypt$ln=18,r=8,p=1"), OUT_OF_BOUNDS),
        (phc("$scrypt$ln=20,r=2,p=1"), OUT_OF_BOUNDS),
        (phc("$scrypt$ln=63,r=1,p=1"), OUT_OF_BOUNDS),
        (phc("$scrypt$ln=64,r=1,p=1"), OUT_OF_BOUNDS),
        (phc("$scrypt$ln=0,r=8,p=1"), OUT_OF_BOUNDS),
        (phc("$scrypt$ln=1,r=65,p=1"), OUT_OF_BOUNDS),
        (phc("$scrypt$ln=1,r=4294967295,p=1"), OUT_OF_BOUNDS),
        (phc("$scrypt$ln=1,r=0,p=1"), OUT_OF_BOUNDS),
        (phc("$scrypt$ln=1,r=8,p=0"), OUT_OF_BOUNDS),
        (phc("$scrypt$ln=1,r=8,p=17"), OUT_OF_BOUNDS),
        (phc("$scrypt$ln=17,r=8,p=3"), OUT_OF_BOUNDS),
        (phc("$scrypt$ln=1,r=8,p=18446744073709551616"), OUT_OF_BOUNDS),
        (phc("$scrypt$r=8,ln=1,p=1"), MALFORMED),
        (phc("$scrypt$ln=1,r=8"), MALFORMED),
        (format!("$scrypt$ln=1,r=8,p=1$${TAG}"), OUT_OF_BOUNDS),
        (format!("$scrypt$ln=1,r=8,p=1${}${TAG}", "A".repeat(88)), OUT_OF_BOUNDS),
        (format!("$scrypt$ln=1,r=8,p=1${SALT}$AAAAAA"), OUT_OF_BOUNDS),
        (phc("$pbkdf2-sha256$i=2000001,l=32"), OUT_OF_BOUNDS),
        (phc("$pbkdf2-sha256$i=4294967296,l=32"), OUT_OF_BOUNDS),
        (phc("$pbkdf2-sha256$i=0,l=32"), OUT_OF_BOUNDS),
        (phc("$pbkdf2-sha256$i=1,l=31"), MALFORMED),
        (phc("$pbkdf2-sha1$i=1,l=32"), MALFORMED),
        (phc("$pbkdf2-sha256$i=1"), MALFORMED),
        (phc("$pbkdf2-sha256$1000"), MALFORMED),
        (phc("$pbkdf2-sha384$i=1,l=32"), "unknown scheme"),
        (phc("$pbkdf2$i=1,l=32"), "unknown scheme"),
        ("$6$saltsalt$abcdefgh".to_owned(), "unknown scheme"),
    ]);
    let caps = [
        (of_cost("14"), "bcrypt"),
        (phc("$scrypt$ln=17,r=8,p=2"), "scrypt"),
        (phc("$scrypt$ln=20,r=1,p=2"), "scrypt"),
        (phc("$pbkdf2-sha256$i=2000000,l=32"), "pbkdf2-sha256"),
        (phc("$argon2i$v=16$m=65536,t=10,p=4"), "argon2i"),
    ];
    for (text, name) in caps {
        let hash = PasswordHash::parse(&text).expect("within the caps");
        assert_eq!((hash.scheme_name(), hash.is_imported()), (name, true));
        assert_eq!(PasswordHash::from(hash.scheme().clone()).as_str(), text);
    }
    assert!(!PasswordHash::parse(&phc("$argon2id$v=19$m=65536,t=10,p=4")).expect("ours").is_imported());
}

#[test]
fn R036_an_error_names_the_cap_and_nothing_of_the_hash() {
    let error = PasswordHash::parse(&BCRYPT.replacen("04", "31", 1)).expect_err("too costly");
    assert_eq!(error.to_string(), "a password hash whose bcrypt cost is 31: from 4 to 14 is allowed");
    let error = PasswordHash::parse(&phc("$argon2id$v=19$m=102400,t=2,p=4")).expect_err("too costly");
    let told = "a password hash whose Argon2 memory in KiB is 102400: from 32 to 65536 is allowed";
    assert_eq!(error.to_string(), told);
    for wrong in ["$SecurePass123!$x", "SecurePass123!", "$2b$04$SecurePass123!", "SecurePass123!$x$y"] {
        let error = PasswordHash::parse(wrong).expect_err("no hash");
        assert!(!format!("{error} {error:?}").contains("Secure"));
    }
}

#[test]
fn a_scheme_and_its_cost_have_a_name_without_salt_and_tag() {
    for (text, name) in [
        (BCRYPT.to_owned(), "$2b$04"),
        ("$django-bcrypt-sha256".to_owned() + BCRYPT, "$django-bcrypt-sha256$2b$04"),
        (phc("$scrypt$ln=17,r=8,p=2"), "$scrypt$ln=17,r=8,p=2"),
        (phc("$argon2i$v=16$m=64,t=10,p=4"), "$argon2i$v=16$m=64,t=10,p=4"),
    ] {
        assert_eq!(PasswordHash::parse(&text).expect("well-formed").cost_name(), name);
    }
}

proptest! {
    #[test]
    fn R036_no_string_panics(text in ".{0,300}") {
        PasswordHash::parse(&text).ok();
    }

    #[test]
    fn R036_no_string_that_looks_like_a_hash_panics(
        text in "\\$argon2id\\$v=1[69]\\$m=[0-9]{0,11},t=[0-9]{0,3},p=[0-9é]{0,3}\\$[A-Za-z0-9+/=]{0,24}\\$[A-Za-z0-9+/=$]{0,90}"
    ) {
        if let Ok(hash) = PasswordHash::parse(&text) {
            prop_assert!(hash.memory_kib() <= 65_536);
            prop_assert_eq!(hash.as_str(), text);
        }
    }

    #[test]
    fn R034_what_is_written_is_read(
        memory_kib in 32_u32..=65_536, passes in 1_u32..=10, lanes in 1_u32..=4,
        salt in proptest::collection::vec(any::<u8>(), 8..=64),
        tag in proptest::collection::vec(any::<u8>(), 16..=64),
    ) {
        let hash = PasswordHash::from(Argon2id { cost: Cost { memory_kib, passes, lanes }, pepper: None, salt, tag });
        prop_assert_eq!(PasswordHash::parse(hash.as_str()), Ok(hash));
    }

    #[test]
    fn R036_no_string_that_looks_like_a_foreign_hash_panics_or_has_two_spellings(
        text in prop_oneof![
            "\\$(django-bcrypt-sha256\\$)?2[abxy]\\$[0-9é]{2}\\$[./A-Za-z0-9+=]{51,54}",
            "\\$scrypt\\$ln=[0-9]{1,3},r=[0-9]{1,11},p=[0-9é]{1,3}\\$[A-Za-z0-9+/=]{0,24}\\$[A-Za-z0-9+/=$]{0,90}",
            "\\$pbkdf2-sha(1|256|512)\\$i=[0-9]{0,8},l=(20|32|64|[0-9])\\$[A-Za-z0-9+/=]{0,24}\\$[A-Za-z0-9+/=$]{0,90}",
            "\\$argon2(i|d|id)\\$v=(16|19)\\$m=[0-9]{0,6},t=[0-9]{0,3},p=[0-9]{0,3}\\$[A-Za-z0-9+/]{11,24}\\$[A-Za-z0-9+/]{22,86}",
        ]
    ) {
        if let Ok(hash) = PasswordHash::parse(&text) {
            let spelled = PasswordHash::from(hash.scheme().clone());
            prop_assert_eq!(spelled.as_str(), text);
        }
    }

    #[test]
    fn R036_what_is_written_of_a_foreign_hash_is_read(
        salt in proptest::collection::vec(any::<u8>(), 1..=64),
        tag in proptest::collection::vec(any::<u8>(), 20..=64),
        log_n in 1_u64..=12, r in 1_u64..=64, p in 1_u64..=8, iterations in 1_u64..=2_000_000,
        digest in proptest::sample::select(Digest::ALL.to_vec()),
    ) {
        let schemes = [
            scrypt_scheme([log_n, r, p], salt.clone(), tag.clone()),
            pbkdf2_scheme(digest, iterations, salt, tag),
        ];
        for scheme in schemes {
            let hash = PasswordHash::from(scheme.expect("within the caps"));
            prop_assert_eq!(PasswordHash::parse(hash.as_str()), Ok(hash));
        }
    }
}
