//! Hashes that other implementations made: Django 5.2, passlib 1.7, argon2-cffi, pyca/bcrypt, Python's hashlib,
//! Node's crypto, Keycloak, and the RFCs.
#![expect(non_snake_case, reason = "test names carry requirement ids")]

use proptest::prelude::*;
use secrecy::SecretString;

use super::*;
use crate::passwords::Cost;
use crate::passwords::argon2id::{Engine, Implementation};
use crate::passwords::foreign;

const PASSWORD: &str = "Grüße, Wörld 1!";

fn matches(hash: &PasswordHash, password: &str) -> bool {
    let Scheme::Foreign(foreign) = hash.scheme() else { panic!("ours") };
    let both = [Implementation::Argon2Rust, Implementation::RustCrypto].map(|implementation| {
        let own = Cost { memory_kib: 8, passes: 1, lanes: 1 };
        let mut engine = Engine::new(implementation, own).expect("a valid cost");
        foreign::verify(&mut engine, foreign, &SecretString::from(password)).expect("a verdict")
    });
    assert_eq!(both[0], both[1]);
    both[0]
}

#[track_caller]
fn is_of(hash: &PasswordHash, password: &str) {
    assert!(hash.is_imported());
    assert!(matches(hash, password), "{password:?}");
    assert!(!matches(hash, "another"), "not of another");
    assert!(!matches(hash, &format!("{password}x")), "not of a longer one");
    assert_eq!(PasswordHash::parse(hash.as_str()).as_ref(), Ok(hash), "it is stored as it is read");
    assert_eq!(super::hash(hash.as_str()).as_ref(), Ok(hash), "our own spelling can be imported");
}

#[test]
fn R035_hashes_of_passlib_and_argon2_cffi_are_read_and_verified() {
    for (text, stored) in [
        (
            "$pbkdf2-sha256$1000$JeTcO8c4p3SutZbSuvdeqw$1tYKvyL8LpuEMxaxSBIdBwe/q.0yM9VPp1ER/YlZfTE",
            "$pbkdf2-sha256$i=1000,l=32$JeTcO8c4p3SutZbSuvdeqw$1tYKvyL8LpuEMxaxSBIdBwe/q+0yM9VPp1ER/YlZfTE",
        ),
        (
            "$pbkdf2-sha512$1000$rVXKuVdqDSHknDPGmPNeCw$h3S9Dco1cNI0fjhcxwiJ2t7T4CqN68upcrt6SSNec5M2/19JoqH55RF4cm9akd0GKakLZyr20UBWeVF4heoxZg",
            "$pbkdf2-sha512$i=1000,l=64$rVXKuVdqDSHknDPGmPNeCw$h3S9Dco1cNI0fjhcxwiJ2t7T4CqN68upcrt6SSNec5M2/19JoqH55RF4cm9akd0GKakLZyr20UBWeVF4heoxZg",
        ),
        (
            "$pbkdf2$1000$shaCsFZKae3de6.VknLO2Q$LD93yKkitpcmYskpUK1IGHzNY2s",
            "$pbkdf2-sha1$i=1000,l=20$shaCsFZKae3de6+VknLO2Q$LD93yKkitpcmYskpUK1IGHzNY2s",
        ),
        (
            "$scrypt$ln=5,r=8,p=2$+b+3lpKSstaak7LWmnMuBQ$6A2IQ2hhQIaIGQXluvuJIhsBrK8Ll4ipJrVGZJVy24c",
            "$scrypt$ln=5,r=8,p=2$+b+3lpKSstaak7LWmnMuBQ$6A2IQ2hhQIaIGQXluvuJIhsBrK8Ll4ipJrVGZJVy24c",
        ),
        (
            "$argon2i$v=16$m=64,t=2,p=2$c29tZXNhbHRzb21l$7vr7OF61IYzRICt3zW+M1QUsIJuFhCkm",
            "$argon2i$v=16$m=64,t=2,p=2$c29tZXNhbHRzb21l$7vr7OF61IYzRICt3zW+M1QUsIJuFhCkm",
        ),
        (
            "$argon2i$m=64,t=2,p=2$c29tZXNhbHRzb21l$7vr7OF61IYzRICt3zW+M1QUsIJuFhCkm",
            "$argon2i$v=16$m=64,t=2,p=2$c29tZXNhbHRzb21l$7vr7OF61IYzRICt3zW+M1QUsIJuFhCkm",
        ),
        (
            "$argon2i$v=19$m=64,t=2,p=2$c29tZXNhbHRzb21l$DZEDJE9snOTFJNHxd5/SzhthXiI64UUp",
            "$argon2i$v=19$m=64,t=2,p=2$c29tZXNhbHRzb21l$DZEDJE9snOTFJNHxd5/SzhthXiI64UUp",
        ),
        (
            "$argon2d$v=16$m=64,t=2,p=2$c29tZXNhbHRzb21l$pKWkmSK9BKouicuJnwqhNinWPyG0496s",
            "$argon2d$v=16$m=64,t=2,p=2$c29tZXNhbHRzb21l$pKWkmSK9BKouicuJnwqhNinWPyG0496s",
        ),
        (
            "$argon2d$v=19$m=64,t=2,p=2$c29tZXNhbHRzb21l$ljjYMOCgTmtJ7UevcWLBT3zDRhHtBEhl",
            "$argon2d$v=19$m=64,t=2,p=2$c29tZXNhbHRzb21l$ljjYMOCgTmtJ7UevcWLBT3zDRhHtBEhl",
        ),
        (
            "$argon2id$v=16$m=64,t=2,p=2$c29tZXNhbHRzb21l$2DAQM1G7unRzeO73BOls+uq0NrPsPLHZ",
            "$argon2id$v=16$m=64,t=2,p=2$c29tZXNhbHRzb21l$2DAQM1G7unRzeO73BOls+uq0NrPsPLHZ",
        ),
    ] {
        let hash = hash(text).expect("one of theirs");
        assert_eq!(hash.as_str(), stored);
        is_of(&hash, PASSWORD);
    }
    let ours = "$argon2id$v=19$m=64,t=2,p=2$c29tZXNhbHRzb21l$IXHr3aETKMLFAAEnGsTdaFev4J84ogla";
    let ours = hash(ours).expect("Argon2id");
    assert!(!ours.is_imported(), "the hash threads verify it");
}

#[test]
fn R035_hashes_of_bcrypt_are_read_and_verified() {
    for text in [
        "$2a$04$X15O0jWdqCOHwCNYTHJasO3GgvyIB0oR1wy5iBE93LLhBos5YwHsq",
        "$2b$04$9trvSSADV2LTeYbg.XU./O.upvV3/S11DF0ByVyQXHcS.yLyoj946",
        "$2y$04$L1FpDLxbfuKMcVjRCi4gJe.92SblxjbIu/sR6w5r8Z2duDrDDOxpm",
    ] {
        let hash = hash(text).expect("bcrypt");
        assert_eq!((hash.as_str(), hash.scheme_name()), (text, "bcrypt"));
        is_of(&hash, PASSWORD);
    }
    // As jBCrypt, node's bcrypt and others have made them: with spare bits set at the ends.
    let spare = "$2b$04$9trvSSADV2LTeYbg.XU./P.upvV3/S11DF0ByVyQXHcS.yLyoj947";
    let hash = hash(spare).expect("bcrypt");
    assert_eq!(hash.as_str(), "$2b$04$9trvSSADV2LTeYbg.XU./O.upvV3/S11DF0ByVyQXHcS.yLyoj946");
    is_of(&hash, PASSWORD);
    // jBCrypt's own vector, and one of the empty password.
    is_of(&super::hash("$2a$06$m0CrhHm10qJ3lXRY.5zDGO3rS2KdeeWLuGmsfGlMfOxih58VYVfxe").expect("bcrypt"), "a");
    is_of(&super::hash("$2b$04$Koq2BL60UwlcsqakM5b/l.ARbec4NejViXCM/Rx3CMHK1m.sllbjm").expect("bcrypt"), "");
}

#[test]
fn R035_hashes_of_django_are_read_and_verified() {
    for (text, name) in [
        ("pbkdf2_sha256$1000$seasalt2Kq9$i9WEOsIxXaxElq0zYFCXkqx1r2ARUl+fmU5i+C8y14E=", "pbkdf2-sha256"),
        ("pbkdf2_sha1$1000$seasalt2Kq9$qVG/Ck8XtVKFypF1jllDqEQnd6s=", "pbkdf2-sha1"),
        (
            "scrypt$16$seasalt2Kq9$8$5$srtq28s60OhmAf8RsKYNWSy+r3CBubtApaMtAdaPsU4XwpqVwNi4YX3zRDAuJyrN3kZW6FY5Q4aoPN69SYTbeg==",
            "scrypt",
        ),
        (
            "scrypt$16384$seasalt2Kq9$8$5$GFkUMSkQyPRFssJiZhM/qAd5XFVblPKElWaDhYmMcAvny3DJ3aJwMHALIiavCfCnUnqB8zsJ8Zvfml1KC+YAkQ==",
            "scrypt",
        ),
        ("bcrypt$$2b$04$.o2bxy4WIies6GoRtOsFRu.OpCNQOdozGj8RxOVzJicaJ4.uABviO", "bcrypt"),
        (
            "bcrypt_sha256$$2b$04$NYMzDXCErAJn25N7kki7z.2rQy.sVu9DhIkvzGQS0rH7ki4h5K/qW",
            "django-bcrypt-sha256",
        ),
        ("argon2$argon2i$v=19$m=64,t=2,p=2$c29tZXNhbHRzb21l$DZEDJE9snOTFJNHxd5/SzhthXiI64UUp", "argon2i"),
    ] {
        let hash = hash(text).expect("one of Django's");
        assert_eq!(hash.scheme_name(), name);
        is_of(&hash, PASSWORD);
    }
    let ours =
        "argon2$argon2id$v=19$m=64,t=1,p=2$c2Vhc2FsdDJLcTk$H9ak9XdDn5iXB/J/6r7YtphS7cWUChv4V+jFojZBne0";
    assert_eq!(hash(ours).expect("Argon2id").as_str(), &ours["argon2".len()..]);
    // From a question on how to take it elsewhere.
    let asked = "pbkdf2_sha256$180000$TAWdyXjZhOxy$Gdf7QXtuAA6S330T/w4Ul5LzcReOgDBx7/Ds6TFJWKs=";
    assert!(matches(&hash(asked).expect("Django's"), "userpassword"));
}

fn keycloak_pbkdf2(algorithm: &str, iterations: u32, salt: &str, value: &str) -> PasswordHash {
    let secret = format!(r#"{{"value":"{value}","salt":"{salt}","additionalParameters":{{}}}}"#);
    let credential =
        format!(r#"{{"hashIterations":{iterations},"algorithm":"{algorithm}","additionalParameters":{{}}}}"#);
    keycloak(&secret, &credential).expect("one of Keycloak's")
}

const KEYCLOAK_ARGON2: &str = r#"{"hashIterations":5,"algorithm":"argon2","additionalParameters":{"hashLength":["32"],"memory":["7168"],"type":["id"],"version":["1.3"],"parallelism":["1"]}}"#;
const SALT: &str = "MDEyMzQ1Njc4OWFiY2RlZg==";

#[test]
fn R035_hashes_of_keycloak_are_read_and_verified() {
    // Keycloak's own, published with their passwords.
    let own = keycloak(
        r#"{"salt": "x/bm4Y3DcuV9eU97ervkPA==","value": "1u7BLvfSPxQFpwc5jpGSA+88EGl9pZYKhaZ8YPIu9N4="}"#,
        r#"{"hashIterations": 27500,"algorithm": "pbkdf2-sha256"}"#,
    );
    is_of(&own.expect("Keycloak's"), "admin");
    let iceberg = keycloak(
        r#"{"value":"BuViHNDGmCq80fvpty/QoggTI8NSt0CuNDGgeoa5f5A=","salt":"RJ0aLMQ2qKbZuROs7qQhcA==","additionalParameters":{}}"#,
        KEYCLOAK_ARGON2,
    );
    let iceberg = iceberg.expect("Keycloak's");
    assert!(!iceberg.is_imported());
    assert!(iceberg.as_str().starts_with("$argon2id$v=19$m=7168,t=5,p=1$RJ0aLMQ2qKbZuROs7qQhcA$"));

    let kind_i = KEYCLOAK_ARGON2.replace("\"id\"", "\"i\"").replace("7168", "64").replace(":5", ":2");
    let secret = format!(r#"{{"value":"by7vPDFbcBQ/Jcc0QqOKfNexUZdHJxQXwTxPOdmUQnc=","salt":"{SALT}"}}"#);
    is_of(&keycloak(&secret, &kind_i).expect("Keycloak's"), "SecurePass123!");

    // Tags of more than one block, as Keycloak makes them: the first one is kept.
    let sha1 = "OBg49tTh2c78g5Yy7YBkPzF6wcI9zPG6X1AAU02eqfiCgBYrisU4kOLR4xs7KfCHGYgezVh3GbtlDnhPJ3genA==";
    let sha1 = keycloak_pbkdf2("pbkdf2", 1000, SALT, sha1);
    assert!(sha1.as_str().starts_with("$pbkdf2-sha1$i=1000,l=20$"), "{}", sha1.as_str());
    is_of(&sha1, PASSWORD);
    let sha256 = "8PEIkb6h634oTNor9X6nlP5Q7rcZKHuqypoOb6H828X0eG6/WxymVCZ041k602NLdj7c0GuSiaNPCLiy8uvNaQ==";
    is_of(&keycloak_pbkdf2("pbkdf2-sha256", 1000, SALT, sha256), PASSWORD);
    let sha512 = "pBJXnL2RAJ16n52pZjcKukk4ji+98wFmNXxID9u/vFljsWo4A9WO/R59hDYh+/cGYjW/CidhXaZ7dluFciqLqzBd9LaQapIvqrzr8I9B24aiEr+iK/GX+QlWTa90XUQEyN97wG1ezVBVK41JZcw/sYkFy6uMIH9o3/fe+ZgHe8o=";
    is_of(&keycloak_pbkdf2("pbkdf2-sha512", 1000, SALT, sha512), PASSWORD);

    let bcrypt = keycloak(
        r#"{"value":"$2b$04$9trvSSADV2LTeYbg.XU./O.upvV3/S11DF0ByVyQXHcS.yLyoj946","salt":""}"#,
        r#"{"hashIterations":-1,"algorithm":"bcrypt","additionalParameters":{}}"#,
    );
    is_of(&bcrypt.expect("an extension's"), PASSWORD);
}

#[test]
fn R035_the_published_vectors_of_the_functions_hold() {
    // RFC 7914 §12, RFC 6070; and what Node's crypto gives.
    let scrypt = "$scrypt$ln=14,r=8,p=1$U29kaXVtQ2hsb3JpZGU$cCO9yzr9c0hGHAbNgf046/2o+7qQT44+qbVD9lRdofLVQylVYT8Pz2LUlwUkKpr55h6F3A1lHkDfzwF7RVdYhw";
    is_of(&hash(scrypt).expect("scrypt"), "pleaseletmein");
    // The largest that is allowed.
    let largest = "$scrypt$ln=17,r=8,p=1$MDEyMzQ1Njc4OWFiY2RlZg$dzhJJkRpkBBXZ6GRlJ1CUhTzUrgnOKhlehRZggY284g";
    assert!(matches(&hash(largest).expect("scrypt"), "SecurePass123!"));
    let sha1 = "$pbkdf2-sha1$i=4096,l=20$c2FsdA$SwB5AbdlSJq+rUnZJvch0GWkKcE";
    is_of(&hash(sha1).expect("PBKDF2"), "password");
}

#[test]
fn R007_what_a_function_does_not_take_whole_matches_nobody() {
    let bcrypt_72 = hash("$2b$04$0A7cwKuPRfFLiHm2vzT6hu.hsJbZLT0Bg5IDO8FbX8L3peLfiemm6").expect("bcrypt");
    let full = "y".repeat(72);
    assert!(matches(&bcrypt_72, &full));
    for tail in ["y", "z", "\0", "é"] {
        assert!(!matches(&bcrypt_72, &(full.clone() + tail)), "byte 73 counts");
    }
    assert!(!matches(&bcrypt_72, &full[..71]));
    let bcrypt_71 = hash("$2b$04$iTHKHU1JZv7MkQtSqzNHAOpAYCSvJz5SaRtCipb7SWH9OQYfD86KS").expect("bcrypt");
    assert!(matches(&bcrypt_71, &full[..71]));
    for other in [full.clone(), full[..71].to_owned() + "\0", full[..70].to_owned()] {
        assert!(!matches(&bcrypt_71, &other));
    }
    // bcrypt repeats "a", NUL, "a", NUL …: "a\0a" is the same to it.
    let short = hash("$2a$06$m0CrhHm10qJ3lXRY.5zDGO3rS2KdeeWLuGmsfGlMfOxih58VYVfxe").expect("bcrypt");
    for other in ["a\0a", "a\0", "\0a", "A", "a "] {
        assert!(!matches(&short, other), "{other:?}");
    }
    // With the SHA-256 in between, Django's takes all of it.
    let django = "bcrypt_sha256$$2b$04$NgUJaTOe2BVHTPRharMCl.hCJC68JXg9ZQj92mjAjdFAQknks3yP6";
    let django = hash(django).expect("Django's");
    assert!(matches(&django, &"x".repeat(73)));
    for other in [72, 74] {
        assert!(!matches(&django, &"x".repeat(other)));
    }
    // HMAC's key "password" is its key "password\0".
    let pbkdf2 = hash("$pbkdf2-sha1$i=4096,l=20$c2FsdA$SwB5AbdlSJq+rUnZJvch0GWkKcE").expect("PBKDF2");
    let scrypt = "$scrypt$ln=5,r=8,p=2$+b+3lpKSstaak7LWmnMuBQ$6A2IQ2hhQIaIGQXluvuJIhsBrK8Ll4ipJrVGZJVy24c";
    for (hash, password) in [(pbkdf2, "password"), (hash(scrypt).expect("scrypt"), PASSWORD)] {
        for other in ["\0", "\0\0", " ", "\0x"] {
            assert!(!matches(&hash, &format!("{password}{other}")), "{other:?}");
        }
        assert!(!matches(&hash, &password.to_uppercase()));
    }
    // As sent: the other system knew no canonical form.
    let decomposed = "Gru\u{308}ße, Wo\u{308}rld 1!";
    let passlib = "$pbkdf2$1000$shaCsFZKae3de6.VknLO2Q$LD93yKkitpcmYskpUK1IGHzNY2s";
    assert!(!matches(&hash(passlib).expect("passlib's"), decomposed));
}

#[track_caller]
fn refused(text: &str) -> String {
    hash(text).expect_err(text).to_string()
}

#[test]
fn R036_an_error_says_what_is_wrong_with_a_hash() {
    for (text, told) in [
        ("$6$saltsalt$abcdefgh", "sha512-crypt"),
        ("$1$saltsalt$abcdefgh", "md5-crypt"),
        ("$y$j9T$salt$abcdefgh", "yescrypt"),
        ("$2x$04$9trvSSADV2LTeYbg.XU./O.upvV3/S11DF0ByVyQXHcS.yLyoj946", "bcrypt 2x"),
        ("$bcrypt-sha256$v=2,t=2b,r=12$n79VH.0Q2TMWmt3Oqt9uku$Kq4Noyk3094Y2QlB8NdRT8SvGiI4ft2", "passlib"),
        ("{SSHA}abcdefgh", "LDAP"),
        ("md5$salt$0123456789abcdef", "Django's md5"),
        ("!unusable", "unusable"),
        ("$2b$15$9trvSSADV2LTeYbg.XU./O.upvV3/S11DF0ByVyQXHcS.yLyoj946", "bcrypt cost is 15: from 4 to 14"),
        (
            "pbkdf2_sha256$2000001$salt$i9WEOsIxXaxElq0zYFCXkqx1r2ARUl+fmU5i+C8y14E=",
            "2000001: from 1 to 2000000",
        ),
        ("pbkdf2_sha256$0$salt$i9WEOsIxXaxElq0zYFCXkqx1r2ARUl+fmU5i+C8y14E=", "is 0"),
        (
            "scrypt$262144$salt$8$1$srtq28s60OhmAf8RsKYNWSy+r3CBubtApaMtAdaPsU4=",
            "N·r is 2097152: from 1 to 1048576",
        ),
        (
            "argon2$argon2i$v=19$m=102400,t=2,p=8$c29tZXNhbHRzb21l$DZEDJE9snOTFJNHxd5/SzhthXiI64UUp",
            "lanes is 8: from 1 to 4",
        ),
        (
            "argon2$argon2i$v=19$m=102400,t=2,p=4$c29tZXNhbHRzb21l$DZEDJE9snOTFJNHxd5/SzhthXiI64UUp",
            "102400: from 32 to 65536",
        ),
        ("scrypt$16383$salt$8$1$srtq28s60OhmAf8RsKYNWSy+r3CBubtApaMtAdaPsU4=", "well-formed"),
        ("scrypt$0$salt$8$1$srtq28s60OhmAf8RsKYNWSy+r3CBubtApaMtAdaPsU4=", "well-formed"),
        ("pbkdf2_sha256$-1$salt$i9WEOsIxXaxElq0zYFCXkqx1r2ARUl+fmU5i+C8y14E=", "well-formed"),
        ("pbkdf2_sha256$1000$sa$lt$i9WEOsIxXaxElq0zYFCXkqx1r2ARUl+fmU5i+C8y14E=", "well-formed"),
        ("pbkdf2_sha256$1000$$i9WEOsIxXaxElq0zYFCXkqx1r2ARUl+fmU5i+C8y14E=", "salt's length in bytes is 0"),
        (
            "$pbkdf2-sha256$i=1000,l=20$JeTcO8c4p3SutZbSuvdeqw$1tYKvyL8LpuEMxaxSBIdBwe/q+0yM9VPp1ER/YlZfTE",
            "well-formed",
        ),
        ("bcrypt$2b$04$9trvSSADV2LTeYbg.XU./O.upvV3/S11DF0ByVyQXHcS.yLyoj946", "well-formed"),
        ("hunter2", "well-formed"),
        ("hunter2$", "unknown scheme"),
        ("$hunter2$", "unknown scheme"),
        ("", "well-formed"),
    ] {
        let error = refused(text);
        assert!(error.contains(told), "{text}: {error}");
        assert!(!error.contains("hunter2"));
    }
    let malformed = [
        ("", KEYCLOAK_ARGON2),
        ("{}", KEYCLOAK_ARGON2),
        (r#"{"value":"BuViHNDGmCq80fvpty/QoggTI8NSt0CuNDGgeoa5f5A="}"#, "{}"),
        (
            r#"{"value":"BuViHNDGmCq80fvpty/QoggTI8NSt0Cu","salt":"RJ0aLMQ2qKbZuROs7qQhcA=="}"#,
            KEYCLOAK_ARGON2,
        ),
        (r#"{"value":"é","salt":"RJ0aLMQ2qKbZuROs7qQhcA=="}"#, KEYCLOAK_ARGON2),
    ];
    for (secret, credential) in malformed {
        assert_eq!(keycloak(secret, credential), Err(InvalidHash::Malformed), "{secret}");
    }
    let huge = KEYCLOAK_ARGON2.replace("7168", "4194304");
    let secret =
        r#"{"value":"BuViHNDGmCq80fvpty/QoggTI8NSt0CuNDGgeoa5f5A=","salt":"RJ0aLMQ2qKbZuROs7qQhcA=="}"#;
    assert!(matches!(keycloak(secret, &huge), Err(InvalidHash::OutOfBounds { is: 4_194_304, .. })));
    let other = KEYCLOAK_ARGON2.replace("argon2", "sha256");
    assert_eq!(keycloak(secret, &other), Err(InvalidHash::UnknownScheme));
}

proptest! {
    #[test]
    fn R036_no_string_to_import_panics(text in ".{0,300}", other in ".{0,300}") {
        hash(&text).ok();
        keycloak(&text, &other).ok();
    }

    #[test]
    fn R036_what_is_imported_is_stored_and_read_back(
        text in prop_oneof![
            "pbkdf2_sha(1|256)\\$[0-9]{1,8}\\$[!-~é]{0,24}\\$[A-Za-z0-9+/]{26,44}=?",
            "scrypt\\$(16|1024|16384|262144|[0-9]{1,20})\\$[!-#%-~]{1,24}\\$[0-9]{1,3}\\$[0-9]{1,2}\\$[A-Za-z0-9+/]{86}==",
            "\\$pbkdf2(-sha1|-sha256|-sha512)?\\$(i=)?[0-9]{1,8}\\$[A-Za-z0-9./]{0,24}\\$[A-Za-z0-9./+]{22,86}",
            "(bcrypt\\$|bcrypt_sha256\\$)?\\$2[abxy]\\$[01][0-9]\\$[./A-Za-z0-9é]{53}",
            "(argon2)?\\$argon2(i|d|id)(\\$v=1[69])?\\$m=[0-9]{1,6},t=[0-9]{1,2},p=[0-9]\\$[A-Za-z0-9+/]{10,24}\\$[A-Za-z0-9+/]{22,86}",
        ]
    ) {
        if let Ok(hash) = hash(&text) {
            prop_assert_eq!(PasswordHash::parse(hash.as_str()), Ok(hash));
        }
    }

    #[test]
    fn R036_no_credential_of_keycloak_panics(
        algorithm in "(pbkdf2|pbkdf2-sha256|pbkdf2-sha512|argon2|bcrypt)", iterations in any::<i64>(),
        memory in "[0-9]{0,12}", kind in "(id|i|d|x)", value in "[A-Za-z0-9+/]{0,88}={0,2}", salt in "[A-Za-z0-9+/]{0,24}={0,2}",
    ) {
        let credential = format!(
            r#"{{"hashIterations":{iterations},"algorithm":"{algorithm}","additionalParameters":{{"hashLength":["32"],"memory":["{memory}"],"type":["{kind}"],"version":["1.3"],"parallelism":["1"]}}}}"#
        );
        if let Ok(hash) = keycloak(&format!(r#"{{"value":"{value}","salt":"{salt}"}}"#), &credential) {
            prop_assert_eq!(PasswordHash::parse(hash.as_str()), Ok(hash));
        }
    }
}
