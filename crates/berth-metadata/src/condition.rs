use berth_spec::Digest;

/// What a client expects a reference to lead to when its change comes (RFC 9110, section 13.1): of two
/// that change a tag at the same time, the second is told instead of undoing what the first has done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Condition {
    /// `If-Match`: the change happens only if the reference leads to one of these.
    pub only_if: Option<Expected>,
    /// `If-None-Match`: the change does not happen if the reference leads to one of these.
    pub unless: Option<Expected>,
}

/// A manifest that a reference may lead to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Whichever: it leads somewhere.
    Any,
    /// One of these digests.
    OneOf(Vec<Digest>),
}

impl Condition {
    /// Whether this holds for a reference that leads to `current` now, or nowhere.
    pub fn holds(&self, current: Option<&Digest>) -> bool {
        let is_met = |expected: &Expected| expected.is_met(current);
        self.only_if.as_ref().is_none_or(is_met) && !self.unless.as_ref().is_some_and(is_met)
    }
}

impl Expected {
    fn is_met(&self, current: Option<&Digest>) -> bool {
        match (self, current) {
            (_, None) => false,
            (Self::Any, Some(_)) => true,
            (Self::OneOf(digests), Some(current)) => digests.contains(current),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_hold_as_the_headers_say() {
        let [here, other] = [b"here", b"othr"].map(|content| Digest::sha256(content));
        let one_of = |digest: &Digest| Some(Expected::OneOf(vec![digest.clone()]));
        let only_if = |only_if| Condition {
            only_if,
            unless: None,
        };
        let unless = |unless| Condition {
            only_if: None,
            unless,
        };
        for (condition, there, nowhere) in [
            (Condition::default(), true, true),
            (only_if(Some(Expected::Any)), true, false),
            (only_if(one_of(&here)), true, false),
            (only_if(one_of(&other)), false, false),
            (unless(Some(Expected::Any)), false, true),
            (unless(one_of(&here)), false, true),
            (unless(one_of(&other)), true, true),
        ] {
            assert_eq!(condition.holds(Some(&here)), there, "{condition:?}");
            assert_eq!(condition.holds(None), nowhere, "{condition:?}");
        }
    }
}
