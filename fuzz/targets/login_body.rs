//! A login's body: whatever is sent, a name that is fit to be looked up comes of it, or a refusal.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vestibule::error::Error;
use vestibule::fuzzing::name_in_login;
use vestibule::users::{LoginName, MAX_NAME_BYTES, is_unfit};

fuzz_target!(|body: &[u8]| {
    match name_in_login(body) {
        Ok(name) => {
            // Folding may have made it longer than one may type.
            if name.as_str().len() <= MAX_NAME_BYTES {
                let again = LoginName::parse(name.as_str());
                assert_eq!(again.as_ref(), Ok(&name), "the form of the form is the form");
            }
            assert!(!name.as_str().chars().any(is_unfit), "{name:?}");
            // What we take for an object is one to everybody, and has no name twice.
            let value: serde_json::Value = serde_json::from_slice(body).expect("what we read is JSON");
            assert!(value.is_object());
        }
        Err(Error::Validation(errors)) => assert!(!errors.is_empty()),
        Err(Error::Malformed(problem)) => {
            assert!(!problem.field.is_empty() && !problem.message.is_empty());
        }
        Err(other) => panic!("{other:?} is no refusal of a body"),
    }
});
