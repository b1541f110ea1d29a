//! `vestibule keys …-master`: the lines of the master key file, from the first day of one to its last.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, anyhow, ensure};
use clap::Args;
use serde::Serialize;
use zeroize::Zeroizing;

use crate::clock::Timestamp;
use crate::commands::desk::Desk;
use crate::commands::files::Draft;
use crate::commands::show::{self, instant};
use crate::events::EventName;
use crate::flows::{self, Author, UsedMasterKey};
use crate::secrets::MasterKeys;
use crate::secrets::key_file::{id_in_line, new_line};
use crate::sessions;

pub(super) const ROTATE_EXAMPLES: &str = "\
Examples:
  vestibule keys rotate-master                       where all nodes read the same file
  vestibule keys rotate-master --prepare             where each has a copy: add a line, copy the file to all,
  vestibule keys rotate-master --activate 1f0c9a7e   then make it current, and copy the file again
  vestibule keys rotate-master --reseal              go on after a rotation that broke off

Running servers take the file up within seconds, without a restart. Back it up.";

/// How long ago the file must have changed for every server to have read it.
const READ_BY_ALL: Duration = Duration::from_mins(1);

/// What `keys rotate-master` takes.
#[derive(Debug, Args)]
pub(super) struct RotateMaster {
    /// Only add a line, below the current one: it can be read everywhere before anything is made with it
    #[arg(long)]
    prepare: bool,
    /// Make a line current that is in the file
    #[arg(long, value_name = "ID", conflicts_with = "prepare")]
    activate: Option<String>,
    /// Leave the file as it is, and seal anew what is sealed under other lines than the current one
    #[arg(long, conflicts_with_all = ["prepare", "activate"])]
    reseal: bool,
}

impl RotateMaster {
    pub(super) async fn run(&self, desk: &Desk, json: bool, out: &mut dyn Write) -> anyhow::Result<()> {
        // It must open the database before anything is made with another line of it.
        desk.master().await?;
        let path = desk.config.master_key_file()?;
        let changed = self.change(desk, path).await?;
        let master = desk.master().await?;
        if let (true, Some(id)) = (self.prepare, &changed) {
            if json {
                return list(desk, json, out).await;
            }
            writeln!(
                out,
                "Line {id} stands below the current one in {}. Nothing is made with it yet. Copy the file to every node; \
                 when the log of each says that it was read anew, go on with `vestibule keys rotate-master --activate {id}`.",
                path.display()
            )?;
            return Ok(());
        }
        sessions::keys::remember_master(&desk.db, &master, desk.now()).await?;
        let resealed = flows::reseal_under_current(&desk.db, &master).await.context(
            "not everything was sealed anew; the older lines are still needed, and `vestibule keys rotate-master --reseal` \
             goes on",
        )?;
        if json {
            return list(desk, json, out).await;
        }
        let current = master.current();
        writeln!(
            out,
            "Line {} of {} is current. Sealed anew under it: {resealed}. Back up the file.\n",
            current.id(),
            path.display()
        )?;
        list(desk, json, out).await
    }

    /// Changes the file; the id of the line concerned, if there is one.
    async fn change(&self, desk: &Desk, path: &Path) -> anyhow::Result<Option<String>> {
        if self.reseal {
            return Ok(None);
        }
        let mut concerned = String::new();
        let draft = draft(path, |text| {
            let mut lines: Vec<&str> = text.lines().collect();
            let first =
                lines.iter().position(|line| id_in_line(line).is_some()).context("it holds no key")?;
            let (id, new) = new_line();
            if let Some(id) = &self.activate {
                let at = lines.iter().position(|line| id_in_line(line) == Some(id));
                let line = lines.remove(at.with_context(|| absent(id))?);
                lines.insert(first, line);
                concerned.clone_from(id);
            } else {
                lines.insert(if self.prepare { first + 1 } else { first }, new.trim_end());
                concerned = id;
            }
            Ok(Zeroizing::new(lines.join("\n") + "\n"))
        })?;
        place(desk, draft, EventName::MasterKeyAdded, &concerned).await?;
        Ok(Some(concerned))
    }
}

/// The file with another text; what would not be one is not written.
fn draft(
    path: &Path,
    change: impl FnOnce(&str) -> anyhow::Result<Zeroizing<String>>,
) -> anyhow::Result<Draft> {
    let draft = Draft::of(path, |text| {
        let text = change(text)?;
        MasterKeys::parse(&text)?;
        Ok(text)
    });
    draft.context("master_key_file")
}

/// Changes the file. The event comes first: whoever is killed in between has told of a change that is not there, and
/// nobody has made one that nothing tells of.
async fn place(desk: &Desk, draft: Draft, name: EventName, id: &str) -> anyhow::Result<()> {
    flows::note_master_key(&desk.db, Author::TERMINAL, name, id, desk.now()).await?;
    draft.place().context("master_key_file")
}

fn absent(id: &str) -> String {
    format!("there is no line {id:?} in the file; `vestibule keys list-master` shows them")
}

/// A line as JSON.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct MasterKeyView {
    id: String,
    current: bool,
    sealed: BTreeMap<&'static str, i64>,
    sessions: i64,
    sessions_until: Option<String>,
    may_go: bool,
}

impl From<UsedMasterKey> for MasterKeyView {
    fn from(key: UsedMasterKey) -> Self {
        Self {
            may_go: key.is_free(),
            sessions_until: key.sessions_until.map(|at| at.to_string()),
            sealed: key.sealed.into_iter().collect(),
            id: key.id,
            current: key.current,
            sessions: key.sessions,
        }
    }
}

pub(super) async fn list(desk: &Desk, json: bool, out: &mut dyn Write) -> anyhow::Result<()> {
    let keys = flows::list_master_keys(&desk.db, &desk.master().await?, desk.now()).await?;
    if json {
        return show::array(out, keys.into_iter().map(MasterKeyView::from));
    }
    let rows = keys.into_iter().map(|key| {
        [
            key.id.clone(),
            if key.current { "current" } else { "older" }.to_owned(),
            key.sealed.iter().map(|(_, number)| number).sum::<i64>().to_string(),
            key.sessions.to_string(),
            instant(key.sessions_until),
            may_go(&key),
        ]
    });
    show::table(out, ["ID", "STATE", "SEALED", "SESSIONS", "UNTIL", "MAY GO"], rows)
}

/// When a line may be taken out of the file.
fn may_go(key: &UsedMasterKey) -> String {
    let is_sealed = key.sealed.iter().any(|(_, number)| *number > 0);
    if key.current {
        "no".to_owned()
    } else if is_sealed {
        "after rotate-master --reseal".to_owned()
    } else {
        key.sessions_until.map_or_else(|| "now".to_owned(), |until| format!("{until} at the latest"))
    }
}

/// Takes a line out, unless something needs it.
pub(super) async fn retire(desk: &Desk, json: bool, id: &str, out: &mut dyn Write) -> anyhow::Result<()> {
    let path = desk.config.master_key_file()?;
    let master = desk.master().await?;
    let now = desk.now();
    refuse_needed(desk, &master, id, now).await?;
    let changed = std::fs::metadata(path)?.modified()?.elapsed().unwrap_or_default();
    ensure!(
        changed >= READ_BY_ALL,
        "master_key_file: it was changed {} seconds ago, and a server that has not read it yet may still use line {id}; \
         try again in a minute",
        changed.as_secs()
    );
    let mut before = Zeroizing::new(String::new());
    let without = draft(path, |text| {
        before = Zeroizing::new(text.to_owned());
        let kept: Vec<_> = text.lines().filter(|line| id_in_line(line) != Some(id)).collect();
        Ok(Zeroizing::new(kept.join("\n") + "\n"))
    })?;
    place(desk, without, EventName::MasterKeyRetired, id).await?;
    // What was made with it while it went.
    if let Err(error) = refuse_needed(desk, &master, id, now).await {
        // The file first: what keeps the event from being written must not keep the line out.
        draft(path, |_| Ok(before))?.place().context("master_key_file")?;
        let told =
            flows::note_master_key(&desk.db, Author::TERMINAL, EventName::MasterKeyAdded, id, desk.now())
                .await;
        return Err(match told {
            Ok(()) => error,
            Err(untold) => {
                error.context(format!("line {id} is back in the file, and no event says so: {untold}"))
            }
        });
    }
    if json {
        return list(desk, json, out).await;
    }
    writeln!(
        out,
        "Line {id} is out of {}. Running servers forget it within seconds. Keep the copy of the file that belongs to a \
         backup of the database: it opens no other.",
        path.display()
    )?;
    Ok(())
}

async fn refuse_needed(desk: &Desk, master: &MasterKeys, id: &str, now: Timestamp) -> anyhow::Result<()> {
    let keys = flows::list_master_keys(&desk.db, master, now).await?;
    let key = keys.iter().find(|key| key.id == id).ok_or_else(|| anyhow!(absent(id)))?;
    ensure!(!key.current, "line {id} is the current one; `vestibule keys rotate-master` makes another");
    let sealed: i64 = key.sealed.iter().map(|(_, number)| number).sum();
    ensure!(
        sealed == 0,
        "{sealed} values are sealed under line {id}; `vestibule keys rotate-master --reseal` seals them anew"
    );
    ensure!(
        key.sessions == 0,
        "{} sessions are refreshed under line {id}, the last of them until {} at the latest; try again then, or end them",
        key.sessions,
        instant(key.sessions_until)
    );
    Ok(())
}
