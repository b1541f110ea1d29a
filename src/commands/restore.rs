//! `vestibule restore`: puts a backup in the database's place, with no session alive in it.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail, ensure};
use clap::Args;
use secrecy::ExposeSecret;

use super::Global;
use super::backup::{Draft, describe, patient};
use super::files::sync_folder;
use super::first_tenant::explain;
use super::restored::{Undone, print_what_to_check};
use super::start::{check_master, refuse_demo, runtime};
use crate::clock::{Clock, Timestamp};
use crate::db::{
    Access, Database, DatabaseOptions, DbError, file_companions, file_is_in_use, file_of, fold_file,
    prove_file,
};
use crate::flows::{
    Author, CarriedOver, StoreContents, StoreRestored, carry_over, complete_old_rows, store_contents,
    store_restored,
};
use crate::secrets::MasterKeys;

/// What `restore` takes.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  systemctl stop vestibule
  vestibule restore /var/backups/vestibule/2026-11-24.db
  systemctl start vestibule

The backup stays as it is. The database that was there is kept beside the new one. Every session has ended, as nobody knows
which of them had ended since the backup was made: everybody logs in anew. Where the database that was there can be read,
what was revoked, retired, suspended, closed, deleted or erased in it is so in the new one too, unless
--take-over-nothing is given.")]
pub(super) struct Restore {
    /// The file that `vestibule backup` made
    file: PathBuf,
    /// Take over nothing from the database that was there: what was deleted or revoked in it by mistake is undone
    #[arg(long)]
    take_over_nothing: bool,
}

pub(super) fn run(restore: &Restore, global: &Global, out: &mut dyn Write) -> anyhow::Result<()> {
    let config = global.load()?;
    let Some(place) = file_of(config.database_url.expose_secret()) else {
        bail!(
            "database_url: the database is PostgreSQL's: restore it with its own tools while no vestibule runs, then run \
             `vestibule restored` before one is started"
        );
    };
    let master = MasterKeys::load(config.master_key_file()?)?;
    let (backup, now) = (&restore.file, Clock::system().now());
    let was_there = place.exists();
    // Before anything is copied; whoever opens it meanwhile is found below.
    ensure!(!file_is_in_use(&place), in_use(&place));

    let draft = copy(backup, &place)?;
    let shown = backup.display();
    prove_file(&draft.0).with_context(|| format!("{shown}: is not a whole database; nothing was changed"))?;
    let (held, done) = runtime()?
        .block_on(make_ready(&draft.0, &master, now))
        .with_context(|| format!("{shown}: cannot be restored; nothing was changed"))?;
    let damaged = if was_there { take_out_of_service(&place)? } else { None };
    let carried = if was_there && damaged.is_none() && !restore.take_over_nothing {
        let carried = runtime()?.block_on(carry_over_from(&place, &draft.0, &master, now));
        Some(carried.with_context(|| format!("{shown}: cannot be restored; nothing was changed"))?)
    } else {
        None
    };
    let aside = put_in_place(&draft, &place, was_there, now)
        .with_context(|| format!("{}: cannot be replaced", place.display()))?;

    writeln!(out, "Restored {} from {shown}: {}.", place.display(), describe(&held))?;
    if let Some(damage) = damaged {
        writeln!(out, "The database that was there could not be read ({damage}).")?;
    }
    writeln!(
        out,
        "All sessions of {} tenants have ended; {} reset secrets are void.",
        done.tenants, done.resets
    )?;
    let carried_over = match &carried {
        Some(carried) => tell(carried, out)?,
        None => false,
    };
    print_what_to_check(&Undone { old: aside.as_deref(), newest: held.newest_event, carried_over }, out)
}

/// Whether all was carried over that could be.
fn tell(carried: &CarriedOver, out: &mut dyn Write) -> std::io::Result<bool> {
    let CarriedOver { operators, tenants, tenant_keys, signing_keys, customers, users, refused, unread } =
        carried;
    writeln!(
        out,
        "Taken over from the database that was there, where they count no more: {operators} operators, {tenant_keys} tenant \
         keys, {signing_keys} signing keys, {tenants} tenants, {customers} customers, {users} users."
    )?;
    for refused in refused {
        writeln!(out, "Not taken over: {refused}.")?;
    }
    if let Some(error) = unread {
        let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
        writeln!(out, "Not all of it could be read ({error}{cause}).")?;
    }
    Ok(refused.is_empty() && unread.is_none())
}

fn in_use(place: &Path) -> String {
    let shown = place.display();
    format!("{shown}: the database is in use; stop the server, and every other vestibule that works on it")
}

/// Takes the database out of service; how it is damaged, if it is.
fn take_out_of_service(place: &Path) -> anyhow::Result<Option<DbError>> {
    match fold_file(place) {
        Ok(()) => Ok(None),
        Err(DbError::Unavailable(_)) => Err(anyhow!(in_use(place))),
        Err(damage) => Ok(Some(damage)),
    }
}

/// A copy of the backup beside the database, so that it can take its place at once.
fn copy(backup: &Path, place: &Path) -> anyhow::Result<Draft> {
    let shown = backup.display();
    ensure!(
        file_companions(backup).is_empty(),
        "{shown}: there is a log beside it, so it is a database in use and no backup; `vestibule backup` makes one"
    );
    let mut from = File::open(backup).with_context(|| format!("{shown}: cannot be read"))?;
    let draft = Draft::create(place).with_context(|| format!("{}: cannot be written", place.display()))?;
    let copied = File::options().write(true).open(&draft.0).and_then(|mut to| {
        std::io::copy(&mut from, &mut to)?;
        to.sync_all()
    });
    copied.with_context(|| format!("{shown}: cannot be copied to {}", place.display()))?;
    Ok(draft)
}

/// Makes the copy what may be served: by this version's schema, under this master key, and with no session alive.
async fn make_ready(
    draft: &Path,
    master: &MasterKeys,
    now: Timestamp,
) -> anyhow::Result<(StoreContents, StoreRestored)> {
    let url = format!("sqlite:{}", draft.display());
    let db = Database::open(&DatabaseOptions { access: Access::Existing, ..patient(url) }).await?;
    let made = async {
        ensure!(db.has_schema().await?, "it is no database of vestibule's");
        db.migrate().await?;
        complete_old_rows(&db).await?;
        refuse_demo(&db).await?;
        check_master(&db, master).await?;
        // Before the events of this restore are among them.
        let held = store_contents(&db).await.map_err(explain)?;
        let done = store_restored(&db, Author::TERMINAL, now).await.map_err(explain)?;
        anyhow::Ok((held, done))
    };
    let made = made.await;
    db.close().await;
    let made = made?;
    fold_file(draft)?;
    Ok(made)
}

/// Withdraws from the copy what counted no more in the database that it replaces, which nobody has open.
async fn carry_over_from(
    place: &Path,
    draft: &Path,
    master: &MasterKeys,
    now: Timestamp,
) -> anyhow::Result<CarriedOver> {
    let open = |path: &Path, access| {
        let url = format!("sqlite:{}", path.display());
        async move { Database::open(&DatabaseOptions { access, ..patient(url) }).await }
    };
    let db = open(draft, Access::Existing).await?;
    let carried = match open(place, Access::Look).await {
        Ok(replaced) => {
            let carried = carry_over(&replaced, &db, master, Author::TERMINAL, now).await.map_err(explain);
            replaced.close().await;
            carried
        }
        Err(error) => Ok(CarriedOver { unread: Some(error.into()), ..CarriedOver::default() }),
    };
    db.close().await;
    let carried = carried?;
    fold_file(draft)?;
    Ok(carried)
}

/// Where the old database is now, if there was one.
fn put_in_place(
    draft: &Draft,
    place: &Path,
    was_there: bool,
    now: Timestamp,
) -> std::io::Result<Option<PathBuf>> {
    let digits: String = now.to_string().chars().filter(char::is_ascii_alphanumeric).collect();
    let aside = |path: &Path| {
        let mut name = OsString::from(place);
        let ending = path.as_os_str().to_string_lossy();
        name.push(format!(".replaced-{digits}{}", &ending[place.as_os_str().len()..]));
        PathBuf::from(name)
    };
    // A log that stays would be taken for the new database's. Only a damaged one still has any.
    for companion in file_companions(place) {
        fs::rename(&companion, aside(&companion))?;
    }
    let old = was_there.then(|| aside(place));
    if let Some(old) = &old {
        fs::hard_link(place, old)?;
    }
    File::open(&draft.0)?.sync_all()?;
    fs::rename(&draft.0, place)?;
    sync_folder(place)?;
    Ok(old)
}
