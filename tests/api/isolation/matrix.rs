//! The matrix: every operation × who asks × whose things are named.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use vestibule::db::Statement;

use super::callers::{Access, Caller, Party};
use super::places::{Naming, Place, Whose, answered, namings};
use super::rows::unchanged;
use super::world::{Own, World};
use super::{Operation, Permission, operations};
use crate::support::app::Answer;

/// One call, and what must be answered.
struct Cell {
    caller: Caller,
    naming: Naming,
    status: u16,
    error_type: &'static str,
}

impl Cell {
    fn new(operation: &Operation, caller: Caller, access: Access, naming: Naming) -> Self {
        let permission = operation.permission();
        let (status, error_type) = match access {
            Access::Refused(status, error_type) => (status, error_type),
            Access::Allowed => weightiest(permission, &naming, |whose| whose),
            Access::Elsewhere if caller.is_at_home() => {
                weightiest(
                    permission,
                    &naming,
                    |whose| {
                        if whose == Whose::Own { Whose::Anothers } else { whose }
                    },
                )
            }
            // Another family's path: what it names is not even looked at.
            Access::Elsewhere => {
                // Whoever ends a session is read by its id first: a dead one may be ended again.
                let is_read = |place: &Place| {
                    let of_query = matches!(place, Place::Query(_));
                    !of_query && (place.name() != "sessionId" || operation.method == "DELETE")
                };
                let odd = naming.iter().any(|(place, whose)| *whose == Whose::Odd && is_read(place));
                if odd { (400, "VALIDATION") } else { (404, "NOT_FOUND") }
            }
        };
        Self { caller, naming, status, error_type }
    }

    fn is_good(&self) -> bool {
        self.status == 200
    }

    /// What all answers of this kind have in common: everything.
    fn kind(&self) -> String {
        // The fields that are complained of, and the challenge, are the call's own.
        let odd = self.naming.iter().any(|(_, whose)| *whose == Whose::Odd);
        let own = match self.status {
            200 | 400 => format!("{:?}", self.naming.iter().map(|(place, _)| place).collect::<Vec<_>>()),
            401 => format!("{:?}", self.caller),
            _ => String::new(),
        };
        format!("{} {} {odd} {own}", self.status, self.error_type)
    }

    /// Whether the answer is the same whatever the ids are: not where something is shown.
    fn tells_nothing(&self) -> bool {
        let nothing_found = |(place, whose): &(Place, Whose)| {
            let elsewhere = self.caller.is_at_home() || *whose != Whose::Own;
            (matches!(place, Place::Query(_)) || place.name() == "token") && elsewhere
        };
        !self.is_good() || self.naming.iter().any(nothing_found)
    }
}

/// The answer of the place that is looked at first.
fn weightiest(permission: Permission, naming: &Naming, seen: impl Fn(Whose) -> Whose) -> (u16, &'static str) {
    let answers = naming.iter().map(|(place, whose)| (answered(permission, place, seen(*whose)), *whose));
    let weight = |status: u16, whose: Whose| match status {
        400 if whose == Whose::Odd => 0,
        // Whose token it is comes before what the path names.
        401 if matches!(permission, Permission::Refresh(_)) => 1,
        403 => 1,
        404 => 2,
        401 => 3,
        400 => 4,
        _ => 5,
    };
    let first = answers.min_by_key(|((status, _), whose)| weight(*status, *whose));
    first.map_or((200, ""), |(answer, _)| answer)
}

fn cells(operation: &Operation) -> Vec<Cell> {
    let permission = operation.permission();
    let mut cells = Vec::new();
    for caller in Caller::ALL {
        let access = caller.access(permission);
        if caller.is_at_home() && access != Access::Elsewhere {
            continue;
        }
        let namings = namings(operation, caller.is_at_home());
        cells.extend(namings.into_iter().map(|naming| Cell::new(operation, caller, access, naming)));
    }
    cells
}

/// A caller with what is theirs at the operation that is being asked.
struct Row {
    party: Party,
    own: Own,
}

struct Matrix {
    world: World,
    /// Those who are never at risk of being used up, by caller.
    parties: BTreeMap<Caller, Party>,
    calls: usize,
}

impl Matrix {
    async fn ask_all(&mut self, operation: &Operation) {
        let (good, bad): (Vec<_>, Vec<_>) = cells(operation).into_iter().partition(Cell::is_good);
        let name = &operation.id;
        assert!(good.iter().any(|cell| cell.naming.is_empty()), "{name}: nobody reaches even their own");
        let mut rows = BTreeMap::new();
        let nobody = self.row(operation, Caller::Nobody).await;
        for caller in Caller::ALL {
            let gets_nothing = caller.access(operation.permission()) != Access::Allowed;
            // Who must not get at it names what nobody has used up.
            let shared = gets_nothing && !matches!(operation.permission(), Permission::Own(_));
            let row = if shared {
                Row { party: self.parties[&caller].clone(), own: nobody.own.clone() }
            } else {
                self.row(operation, caller).await
            };
            rows.insert(caller, row);
        }
        // A failed login leaves its trace, and only in its own tenant.
        let leaves_traces = matches!(operation.permission(), Permission::Login(_));
        let mut kinds = BTreeMap::new();
        let before = self.rows(!leaves_traces).await;
        for cell in &bad {
            self.ask(operation, cell, &rows, &mut kinds).await;
            if leaves_traces {
                // Five failures in a row would lock the name.
                let forgive = Statement::new("update throttles set failures = 0, locked_until = null");
                self.world.app.database.apply(forgive).await.unwrap();
            }
        }
        unchanged(&before, &self.rows(!leaves_traces).await, name);
        let uses_up = operation.method != "GET" && !leaves_traces;
        let mut before = self.rows(false).await;
        for cell in &good {
            // What somebody does at home changes their own tenant and not ours.
            let World { app, acme, rows: all, .. } = &self.world;
            let ours = if cell.caller.is_at_home() { Some(all.of(app, &acme.id).await) } else { None };
            self.ask(operation, cell, &rows, &mut kinds).await;
            if let Some(ours) = ours {
                let World { app, acme, rows: all, .. } = &self.world;
                unchanged(&ours, &all.of(app, &acme.id).await, name);
                before = self.rows(false).await;
            } else if uses_up {
                unchanged(&before, &self.rows(false).await, name);
                rows.insert(cell.caller, self.row(operation, cell.caller).await);
                before = self.rows(false).await;
            }
        }
        unchanged(&before, &self.rows(false).await, name);
    }

    /// All rows of the database, or those of the other tenant.
    async fn rows(&self, all: bool) -> BTreeSet<String> {
        let World { app, globex, rows, .. } = &self.world;
        if all { rows.all(app).await } else { rows.of(app, &globex.id).await }
    }

    async fn row(&self, operation: &Operation, caller: Caller) -> Row {
        let party = if let Permission::Own(_) = operation.permission() {
            Party::new(&self.world, caller).await
        } else {
            self.parties[&caller].clone()
        };
        let own = self.world.own(operation, &party).await;
        if caller.access(operation.permission()) == Access::Allowed {
            self.world.twin(&own).await;
        }
        Row { party, own }
    }

    async fn ask(
        &mut self,
        operation: &Operation,
        cell: &Cell,
        rows: &BTreeMap<Caller, Row>,
        kinds: &mut BTreeMap<String, (String, String)>,
    ) {
        let what = format!("{} by {:?}, naming {:?}", operation.id, cell.caller, cell.naming);
        let Row { party, own } = &rows[&cell.caller];
        let request = self.world.request(operation, own, &cell.naming).await;
        let answer = self.world.send(operation, party.sign(&self.world, request)).await;
        self.calls += 1;
        assert_eq!(answer.status.as_u16(), cell.status, "{what}: {}", answer.text);
        if !cell.is_good() {
            assert_eq!(answer.error_type(), cell.error_type, "{what}");
        }
        if cell.tells_nothing() {
            // A list that is answered says where its own tenant's ends.
            let at_home = cell.status == 200 && cell.caller.is_at_home();
            alike(kinds, format!("{}{}", cell.kind(), if at_home { " at home" } else { "" }), &what, &answer);
        }
    }
}

/// Cursors without their MACs, which say what was asked and nothing of what there is.
fn without_macs(text: &str) -> String {
    let mut parts = text.split("vpc1.");
    let mut out = parts.next().unwrap().to_owned();
    for part in parts {
        let (cursor, rest) = part.split_once('"').unwrap();
        let (place, _) = cursor.rsplit_once('.').unwrap();
        out.extend(["vpc1.", place, "\"", rest]);
    }
    out
}

#[track_caller]
fn alike(kinds: &mut BTreeMap<String, (String, String)>, kind: String, what: &str, answer: &Answer) {
    let seen = without_macs(&answer.fingerprint());
    let (first, one) = kinds.entry(kind).or_insert_with(|| (what.to_owned(), seen.clone()));
    assert_eq!(seen, *one, "{what} is told from {first}");
}

#[tokio::test]
async fn R049_whoever_asks_what_is_anothers_is_answered_like_what_never_was() {
    let world = World::new().await;
    let mut parties = BTreeMap::new();
    for caller in Caller::ALL {
        parties.insert(caller, Party::new(&world, caller).await);
    }
    let mut matrix = Matrix { world, parties, calls: 0 };
    let mut operations = operations();
    // Logins leave the most rows for others to read.
    operations.sort_by_key(|operation| matches!(operation.permission(), Permission::Login(_)));
    let mut ways = 0;
    for operation in &operations {
        ways = ways.max(namings(operation, false).len());
        matrix.ask_all(operation).await;
    }
    // Past the harness, which keeps what a good test says to itself.
    let (number, callers) = (operations.len(), Caller::ALL.len());
    let size = format!(
        "isolation matrix: {number} operations × {callers} callers × up to {ways} ways to name things: {} calls",
        matrix.calls
    );
    writeln!(std::io::stderr(), "{size}").unwrap();
    assert!(matrix.calls > 4_000, "{size}");
}
