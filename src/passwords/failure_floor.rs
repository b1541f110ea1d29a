//! How long every failure of a tenant takes that still has foreign hashes: none is told from another by the
//! time it takes (R004).

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use secrecy::SecretString;

use super::argon2id::{Engine, Implementation};
use super::schemes::{Argon2id, PasswordHash, Scheme};
use super::{Cost, Peppers, foreign, worker};

/// How many times its measure a hash may take on a machine that is busy with others.
const MARGIN: u32 = 3;
/// What a failure takes beside its hash: two changes, and a turn in the queue.
const BESIDE: Duration = Duration::from_millis(100);

/// By scheme and cost, as [`PasswordHash::cost_name`] has them.
static MEASURED: LazyLock<Mutex<HashMap<String, Duration>>> = LazyLock::new(Mutex::default);

/// How long a failed login must take so that one with this hash does not stand out: what verifying it takes
/// here, three times, and a little. Nothing for a hash of our own at the cost that ours have now.
///
/// The first hash of a scheme and cost is measured on the calling thread: a second at most. It is a floor
/// for a machine like this one that is not overloaded; where hashes queue, each queue tells its own time.
pub fn floor_for(hash: &PasswordHash, ours: Cost) -> anyhow::Result<Duration> {
    if !hash.stands_out(ours) {
        return Ok(Duration::ZERO);
    }
    let mut measured = MEASURED.lock().unwrap_or_else(PoisonError::into_inner);
    let took = if let Some(took) = measured.get(hash.cost_name()) {
        *took
    } else {
        let took = measure(hash.scheme())?;
        measured.insert(hash.cost_name().to_owned(), took);
        took
    };
    Ok(took * MARGIN + BESIDE)
}

fn measure(scheme: &Scheme) -> anyhow::Result<Duration> {
    let password = SecretString::from("measured");
    let mut engine = Engine::new(Implementation::default(), Cost { memory_kib: 8, passes: 1, lanes: 1 })?;
    let started = Instant::now();
    match scheme {
        Scheme::Foreign(foreign) => drop(foreign::verify(&mut engine, foreign, &password)?),
        // Its pepper is nothing beside it.
        Scheme::Argon2id(argon2id) => {
            let plain = Argon2id { pepper: None, ..argon2id.clone() };
            worker::evaluate(
                &mut engine,
                &plain,
                &Peppers::default(),
                &password,
                &mut vec![0; plain.tag.len()],
            )?;
        }
    }
    Ok(started.elapsed())
}
