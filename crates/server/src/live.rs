//! A value that an operator may change while the server runs, as one part of the server sees it.

use std::sync::Arc;

use tokio::sync::watch;

/// Where the value is set.
#[derive(Debug)]
pub(crate) struct Setting<T>(watch::Sender<Arc<T>>);

/// Where the value is read. What takes it only at its own start, as connections do, keeps what it took.
#[derive(Debug)]
pub(crate) struct Live<T>(watch::Receiver<Arc<T>>);

impl<T> Setting<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(watch::Sender::new(Arc::new(value)))
    }

    /// The value from now on.
    pub(crate) fn set(&self, value: T) {
        self.0.send_replace(Arc::new(value));
    }

    /// A reader of it.
    pub(crate) fn live(&self) -> Live<T> {
        Live(self.0.subscribe())
    }
}

impl<T> Live<T> {
    /// The value as it is now.
    pub(crate) fn get(&self) -> Arc<T> {
        Arc::clone(&self.0.borrow())
    }

    /// The value, if it was set since this reader was made or asked last.
    pub(crate) fn news(&mut self) -> Option<Arc<T>> {
        // Without a setting it stays what it is.
        self.0.has_changed().unwrap_or(false).then(|| Arc::clone(&self.0.borrow_and_update()))
    }
}

impl<T> Clone for Live<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_is_news_once_and_stays() {
        let setting = Setting::new(1);
        let (mut first, second) = (setting.live(), setting.live());
        assert_eq!((first.news(), *first.get()), (None, 1));
        setting.set(2);
        assert_eq!((first.news().as_deref(), first.news(), *second.get()), (Some(&2), None, 2));
        drop(setting);
        assert_eq!((first.news(), *first.get()), (None, 2));
    }
}
