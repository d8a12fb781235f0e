use berth_audit::{Event, Outcome, Record};

use super::AccountOutcome;

/// What goes into the audit log about something that was done to accounts. Whoever did it has the data folder, and no
/// name here. `None` where nothing was changed.
pub(super) fn record(done: &AccountOutcome) -> Option<Record> {
    let (event, subject) = match done {
        AccountOutcome::UserAdded(user) => (Event::UserAdded, &user.name),
        AccountOutcome::PasswordSet { name } => (Event::UserChanged, name),
        AccountOutcome::UserRemoved { name } => (Event::UserRemoved, name),
        AccountOutcome::TokenAdded(token) => (Event::RobotTokenAdded, &token.name),
        AccountOutcome::TokenRevoked { name, .. } => (Event::RobotTokenRevoked, name),
        AccountOutcome::KeyRotated { id, .. } => (Event::SigningKeyAdded, id),
        AccountOutcome::Users(_) | AccountOutcome::Tokens(_) | AccountOutcome::Keys(_) => {
            return None;
        }
    };
    Some(Record {
        subject: Some(subject.as_str().into()),
        ..Record::new(event, Outcome::Done)
    })
}
