//! placeholder
use super::Item;
use headwater_media::Timestamp;
use std::fs::File;
pub(crate) struct Mp4Reader;
impl Mp4Reader {
    pub(crate) fn open(_file: File) -> anyhow::Result<Self> {
        anyhow::bail!("MP4 cannot be read yet")
    }
    pub(crate) fn next(&mut self) -> anyhow::Result<Option<Item>> {
        Ok(None)
    }
    pub(crate) fn duration(&self) -> Option<Timestamp> {
        None
    }
}
