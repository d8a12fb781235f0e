//! Users, tokens of robots and signing keys: what may be said of them, and where they are kept.

mod hash;
mod names;
mod password;
mod stored;
mod table;
mod timestamp;

pub(crate) use hash::Hash;
pub(crate) use names::{group_name, token_name, user_name};
pub(crate) use password::{Question, read_password};
pub(crate) use stored::{StoredAccounts, grants, scope};
pub(crate) use table::table;
pub(crate) use timestamp::Timestamp;
