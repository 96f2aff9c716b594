//! placeholder
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {}
pub(super) async fn run(_arguments: Arguments) -> anyhow::Result<()> {
    Ok(())
}
