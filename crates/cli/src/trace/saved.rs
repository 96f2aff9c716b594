//! Explains a recorded conversation.

use anyhow::Context;
use headwater_rtmp::capture::Reader;

use super::options::Options;

/// Explains a file; whether the conversation works.
pub(super) fn run(options: &Options, path: &str) -> anyhow::Result<bool> {
    let file = std::fs::read(path).with_context(|| format!("cannot read {path}"))?;
    let reader = Reader::new(file)
        .with_context(|| format!("{path} is no conversation that `headwater trace --save` has written"))?;
    let about = if reader.comments().is_empty() { path.to_owned() } else { reader.comments().join(" ") };
    let mut tracer = options.tracer(&about, None)?;
    for comment in reader.comments() {
        tracer.remark(&format!("# {comment}"));
    }
    for record in reader {
        let record = record.with_context(|| format!("{path} is damaged"))?;
        tracer.feed(record.side, record.at_ns, &record.bytes);
        if tracer.has_failed() {
            break;
        }
    }
    Ok(tracer.finish()?.is_good(options.strict))
}
