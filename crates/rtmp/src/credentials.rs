//! A user and a password, as addresses carry them and logins answer with them.

use std::fmt;

/// A user and a password, as in `rtmp://user:password@host/app/name`. Shown to nobody: what is printed is
/// the user.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Credentials {
    /// The user's name.
    pub user: String,
    /// The password.
    pub password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials({:?})", self.user)
    }
}
