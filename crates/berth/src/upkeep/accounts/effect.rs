use super::AccountTask;

/// When what is done to accounts has an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AccountEffect {
    /// At once, or as soon as there is a server.
    AtOnce,
    /// When the server that runs is restarted: it asks nobody until then.
    AfterRestart,
    /// When those replicas are restarted that ask nobody: they were started before there was anybody to ask for.
    AfterRestarts,
    /// Never: the configuration leaves accounts out.
    Never,
}

impl AccountEffect {
    /// What whoever had this done has to know.
    pub(super) fn note(self, task: &AccountTask) -> Option<&'static str> {
        match self {
            Self::AtOnce => None,
            _ if task.only_reads() => None,
            Self::AfterRestart => Some(
                "the server that runs asks nobody who they are: everybody who reaches it can push, pull and delete \
                 until it is restarted, which turns authentication on",
            ),
            Self::AfterRestarts => Some(
                "replicas that were started before this, without accounts = true, ask nobody who they are: everybody who reaches \
                 them can push, pull and delete until they are restarted",
            ),
            Self::Never => Some(
                "users and tokens do not count, because of accounts = false: nobody is let in or kept out by them until \
                 that is changed and the server restarted",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_changes_nothing_yet_needs_a_note() {
        let change = AccountTask::RemoveUser {
            name: "alice".to_owned(),
        };
        assert_eq!(AccountEffect::AtOnce.note(&change), None);
        for (effect, told) in [
            (AccountEffect::AfterRestart, "restarted"),
            (AccountEffect::AfterRestarts, "replicas"),
            (AccountEffect::Never, "accounts = false"),
        ] {
            assert!(effect.note(&change).unwrap().contains(told));
            assert_eq!(effect.note(&AccountTask::ListUsers), None);
        }
    }
}
