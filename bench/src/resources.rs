//! What the program takes before anybody calls: its file, its memory, and its time to start.

use std::fs;
use std::time::Duration;

use anyhow::Result;

use crate::bench::Bench;
use crate::installation::Installation;
use crate::load::as_f64;
use crate::process::memory;
use crate::report::Spread;

const MIB: f64 = 1024.0 * 1024.0;

pub fn run(bench: &mut Bench) -> Result<()> {
    bench.begin("Resources");
    let bytes = fs::metadata(&bench.ground.program)?.len();
    bench.report.at_most("–", "binary", as_f64(bytes) / MIB, 30.0, "MiB");
    for engine in bench.engines.clone() {
        let installation = Installation::create(&bench.ground, engine)?;
        let (mut starts, mut rests) = (Vec::new(), Vec::new());
        for _ in 0..bench.times.repeats.max(3) {
            let server = installation.serve(&[])?;
            starts.push(server.ready_after.as_secs_f64() * 1_000.0);
            std::thread::sleep(Duration::from_secs(1));
            rests.push(as_f64(memory(server.pid(), "VmRSS")?) / MIB);
        }
        bench.report.at_most(engine.name(), "start to ready", Spread::of(starts).median, 100.0, "ms");
        bench.report.at_most(engine.name(), "memory at rest", Spread::of(rests).median, 25.0, "MiB");
    }
    Ok(())
}
