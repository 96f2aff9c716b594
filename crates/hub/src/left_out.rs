//! What of a publisher's messages cannot be used, for operators.

/// Reasons that are kept of one publisher. A broken encoder may have a new one for each message.
const REASONS_MAX: usize = 8;

/// Messages of the present publisher that cannot be used, by why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// A sentence for a person, without a full stop.
    pub reason: String,
    /// How many they are so far.
    pub messages: u64,
}

/// Adds messages to those with the same reason. What is one reason too many only counts elsewhere.
pub(crate) fn add(all: &mut Vec<LeftOut>, reason: &str, messages: u64) {
    if let Some(known) = all.iter_mut().find(|known| known.reason == reason) {
        known.messages += messages;
    } else if all.len() < REASONS_MAX {
        all.push(LeftOut { reason: reason.to_owned(), messages });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_counted_and_bounded() {
        let mut all = Vec::new();
        (0..20).for_each(|number| add(&mut all, &format!("reason {number}"), 1));
        add(&mut all, "reason 3", 4);
        assert_eq!(all.len(), REASONS_MAX);
        assert_eq!(all[3], LeftOut { reason: "reason 3".to_owned(), messages: 5 });
    }
}
