//! The binary `headwater`.

fn main() {}
