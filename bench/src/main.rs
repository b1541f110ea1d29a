//! Measures Vestibule's program over real HTTP, against limits that are measured in the same run: `scripts/bench`.

mod bare;
mod bench;
mod calls;
mod flood;
mod growth;
mod http;
mod installation;
mod limits;
mod load;
mod login;
mod machine;
mod nodes;
mod operations;
mod plan;
mod postgres;
mod process;
mod report;
mod resources;
mod seed;
mod statements;
mod upkeep;

use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand, ValueEnum};

use bench::Bench;
use installation::{Engine, Ground};
use plan::Times;
use postgres::Postgres;
use report::Report;

/// Measures Vestibule against the limits of this machine
#[derive(Debug, Parser)]
struct Arguments {
    /// The program that is measured
    #[arg(long, default_value = "target/release/vestibule")]
    program: PathBuf,
    /// Where databases are made while it runs: on the disk that is to be measured
    #[arg(long, default_value = "target/bench")]
    folder: PathBuf,
    /// Under three minutes: each thing once and shortly, the small sizes only
    #[arg(long)]
    quick: bool,
    /// Only these parts
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = Part::ALL)]
    parts: Vec<Part>,
    /// Only this database
    #[arg(long, value_enum)]
    database: Option<Engine>,
    /// A JSON of an earlier run to stand beside this one
    #[arg(long)]
    before: Option<PathBuf>,
    /// A JSON of an earlier run of other parts, to be completed: what is measured now takes the place of what is there
    #[arg(long)]
    onto: Option<PathBuf>,
    /// Write all that was found as JSON
    #[arg(long)]
    json: Option<PathBuf>,
    /// Write it as a page, behind the words of --page-head
    #[arg(long)]
    page: Option<PathBuf>,
    /// What the page begins with
    #[arg(long, requires = "page")]
    page_head: Option<PathBuf>,
    /// Numbers of sessions to grow through
    #[arg(long, value_delimiter = ',')]
    sessions: Vec<usize>,
    /// Numbers of tenants to grow through
    #[arg(long, value_delimiter = ',')]
    tenants: Vec<usize>,
    /// How many sessions upkeep deletes
    #[arg(long, default_value_t = 1_000_000)]
    ended: usize,
    #[command(subcommand)]
    inner: Option<Inner>,
}

#[derive(Debug, Subcommand)]
enum Inner {
    /// The bare server, for the benchmark itself
    #[command(hide = true)]
    Bare { address: SocketAddr, bytes: usize },
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Part {
    Resources,
    Sessions,
    Login,
    Flood,
    Nodes,
    Growth,
    Upkeep,
}

impl Part {
    const ALL: [Self; 7] =
        [Self::Resources, Self::Sessions, Self::Login, Self::Flood, Self::Nodes, Self::Growth, Self::Upkeep];
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    if let Some(Inner::Bare { address, bytes }) = arguments.inner {
        return runtime.block_on(bare::serve(address, bytes));
    }
    let before = arguments.before.as_ref().map(read_report).transpose()?;
    let head = arguments.page_head.as_ref().map(fs::read_to_string).transpose()?.unwrap_or_default();
    let (report, outcome) = measure(&arguments, &runtime)?;
    show(&report, before.as_ref())?;
    // What was measured before something failed is shown, and not written down.
    outcome?;
    if let Some(path) = &arguments.json {
        fs::write(path, serde_json::to_string_pretty(&report)? + "\n")?;
    }
    if let Some(path) = &arguments.page {
        fs::write(path, format!("{head}{}", report.markdown(before.as_ref())))?;
    }
    Ok(())
}

/// What was found, and whether all of it was.
fn measure(arguments: &Arguments, runtime: &tokio::runtime::Runtime) -> Result<(Report, Result<()>)> {
    fs::create_dir_all(&arguments.folder)?;
    let folder = fs::canonicalize(&arguments.folder)?;
    let program = fs::canonicalize(&arguments.program)
        .with_context(|| format!("{}: build it with cargo build --release", arguments.program.display()))?;
    let engines =
        arguments.database.map_or_else(|| vec![Engine::Sqlite, Engine::Postgres], |engine| vec![engine]);
    let postgres = engines.contains(&Engine::Postgres).then(|| Postgres::start(&folder)).transpose()?;
    let earlier = arguments.onto.as_ref().map(read_report).transpose()?.unwrap_or_default();
    let machine = machine::describe(postgres.is_some());
    for word in ["processor", "memory", "kernel", "rustc"] {
        let differs = earlier.machine.get(word).is_some_and(|earlier| Some(earlier) != machine.get(word));
        anyhow::ensure!(
            !differs,
            "--onto: that run was made with another {word}, so the two are not comparable"
        );
    }
    let report = Report { machine, ..earlier };
    let times = if arguments.quick { Times::QUICK } else { Times::FULL };
    let mut bench = Bench {
        ground: Arc::new(Ground { program, folder, postgres }),
        times,
        quick: arguments.quick,
        engines,
        report,
        bar: bench::progress()?,
    };
    let mut parts = Part::ALL.into_iter().filter(|part| arguments.parts.contains(part));
    let outcome = parts.try_for_each(|part| run_part(&mut bench, part, arguments, runtime));
    bench.bar.finish_and_clear();
    Ok((bench.report, outcome))
}

fn run_part(
    bench: &mut Bench,
    part: Part,
    arguments: &Arguments,
    runtime: &tokio::runtime::Runtime,
) -> Result<()> {
    let handle = runtime.handle();
    match part {
        Part::Resources => resources::run(bench),
        Part::Sessions => operations::run(bench, handle),
        Part::Login => login::run(bench, handle),
        Part::Flood => flood::run(bench, handle),
        Part::Nodes => nodes::run(bench, handle),
        // Deleting takes longer than a quick run may.
        Part::Upkeep if bench.quick => Ok(()),
        Part::Upkeep => upkeep::run(bench, handle, arguments.ended),
        Part::Growth => {
            let or = |given: &[usize], quick: &[usize], full: &[usize]| match (given, bench.quick) {
                ([], true) => quick.to_vec(),
                ([], false) => full.to_vec(),
                (given, _) => given.to_vec(),
            };
            let sessions = or(&arguments.sessions, &[], &[10_000, 1_000_000]);
            let tenants = or(&arguments.tenants, &[], &[10, 1_000, 100_000]);
            growth::run(bench, handle, &sessions, &tenants)
        }
    }
}

fn read_report(path: &PathBuf) -> Result<Report> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    serde_json::from_str(&text).with_context(|| path.display().to_string())
}

fn show(report: &Report, before: Option<&Report>) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}\n\n{}\n\n{}", report.row_table(), report.fact_table(), report.promise_table(before))?;
    Ok(())
}
