//! Which names users, groups and robots may have, for arguments.

use berth_auth::{NameError, check_group_name, check_robot_name, check_user_name};

/// Checks the name of a new user.
pub(crate) fn user_name(text: &str) -> Result<String, NameError> {
    check_user_name(text).map(|()| text.to_owned())
}

/// Checks the name of a group.
pub(crate) fn group_name(text: &str) -> Result<String, NameError> {
    check_group_name(text).map(|()| text.to_owned())
}

/// Checks the name of a new token.
pub(crate) fn token_name(text: &str) -> Result<String, NameError> {
    check_robot_name(text).map(|()| text.to_owned())
}
