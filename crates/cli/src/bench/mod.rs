//! `headwater bench`: what viewers cost a server, beside other servers and beside a bare loop, in one run.
//!
//! Servers are measured in turns, a window each, and every figure is a median of its windows: what else the machine
//! does meanwhile falls on all alike. It prints and judges nothing.

mod arguments;
pub(super) mod bare_loop;
mod chart;
mod cost;
mod feed;
mod hls_player;
mod interrupt;
mod keep_alive;
mod kept;
mod player;
mod report;
mod stamp;
mod started;
mod tally;
mod target;
mod window;

use std::process::ExitCode;

use anyhow::Context;

pub(super) use self::arguments::Arguments;
use self::interrupt::Interrupt;
use self::report::Report;
use self::target::{Running, Target};

/// Runs the command.
pub(super) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    arguments.check()?;
    // Each player is a file descriptor.
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    let targets = Target::parse_all(&arguments)?;
    let interrupt = Interrupt::heed()?;
    let (mut running, mut report) = (Vec::new(), Report::new(&arguments));
    let measured = interrupt.unless(async {
        start_all(targets, &arguments, &mut running).await?;
        measure_all(&running, &arguments, &interrupt, &mut report).await
    });
    // Whatever comes of it, what was started ends.
    let measured = measured.await;
    running.iter_mut().for_each(Running::ask_to_end);
    drop(running);
    measured?;
    if let Some(file) = &arguments.chart {
        let drawn = chart::draw(&report.growth());
        std::fs::write(file, drawn).with_context(|| format!("cannot write {}", file.display()))?;
    }
    match arguments.json {
        true => println!("{}", serde_json::to_string_pretty(&report.json())?),
        false => print!("{}", report.table()),
    }
    Ok(if report.is_complete() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn start_all(
    targets: Vec<Target>,
    arguments: &Arguments,
    running: &mut Vec<Running>,
) -> anyhow::Result<()> {
    for target in targets {
        let label = target.label();
        running.push(target.start(arguments).await.with_context(|| format!("cannot start {label}"))?);
    }
    arguments.cpu.map_or(Ok(()), cost::keep_off)
}

async fn measure_all(
    running: &[Running],
    arguments: &Arguments,
    interrupt: &Interrupt,
    report: &mut Report,
) -> anyhow::Result<()> {
    for load in arguments.loads() {
        for round in 1..=arguments.rounds {
            for server in running {
                let figures = window::measure(server, load, arguments, interrupt).await?;
                eprintln!(
                    "{} players, window {round} of {}: {}: {}",
                    load.players,
                    arguments.rounds,
                    server.label,
                    report::line(&figures)
                );
                report.add(load, &server.label, figures);
            }
        }
    }
    Ok(())
}
