use super::Rules;
use crate::{Action, Actions, Identity, Patterns};

/// How many prefixes are worth being told apart.
const MOST: usize = 64;

impl Rules {
    /// How the names of all repositories begin from which an identity may pull, in byte order; no prefix begins with
    /// another one. What begins so may still be hidden. Where there are too many, it is the empty one.
    pub fn pull_prefixes(&self, identity: &Identity) -> Vec<String> {
        let mut prefixes: Vec<String> = match identity.grants() {
            Some(grants) => {
                let grants = grants.iter();
                let prefixes = grants.flat_map(|grant| of_pull(&grant.repositories, grant.actions));
                prefixes.collect()
            }
            None => {
                let rules = self.of(identity);
                let prefixes = rules.flat_map(|rule| of_pull(&rule.repositories, rule.actions));
                prefixes.collect()
            }
        };
        prefixes.sort_unstable();
        // Those that begin with another one follow it.
        prefixes.dedup_by(|longer, shorter| longer.starts_with(shorter.as_str()));
        match prefixes.len() > MOST {
            true => vec![String::new()],
            false => prefixes,
        }
    }
}

fn of_pull(repositories: &Patterns, actions: Actions) -> impl Iterator<Item = String> {
    let globs = match actions.contains(Action::Pull) {
        true => repositories.texts(),
        false => &[],
    };
    globs.iter().map(|glob| literal_prefix(glob).to_owned())
}

/// What a glob says before anything that has a meaning of its own.
fn literal_prefix(glob: &str) -> &str {
    let end = glob.find(['*', '?', '[', ']', '{', '}', ',', '\\', '!']);
    &glob[..end.unwrap_or(glob.len())]
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::{select, subsequence};

    use super::*;
    use crate::{Groups, Rule};

    const GLOBS: &[&str] = &[
        "**", "a", "a/*", "ab/**", "{a,b}", "*/b", "b/[ab]", "b/a?", "b",
    ];

    fn rules(globs: &[Vec<&str>]) -> Rules {
        let rule = |globs: &Vec<&str>| Rule {
            repositories: Patterns::new(globs.iter().copied()).expect("globs"),
            who: vec!["alice".to_owned().try_into().expect("a subject")],
            actions: Action::Pull.into(),
        };
        Rules::new(globs.iter().map(rule).collect(), Groups::default())
    }

    #[test]
    fn prefixes_are_the_shortest_and_in_order() {
        let alice = Identity::named("alice");
        let of = |globs: &[&str]| rules(&[globs.to_vec()]).pull_prefixes(&alice);
        assert_eq!(
            of(&["team/b/*", "team/a?", "open/**", "team/a/x"]),
            ["open/", "team/a", "team/b/"]
        );
        assert_eq!(of(&["team/**", "**"]), [""]);
        assert_eq!(of(&["a/{b,c}", "a-b/*", "a/"]), ["a-b/", "a/"]);
        assert_eq!(of(&[]), [""; 0]);
        assert_eq!(
            rules(&[vec!["a"]]).pull_prefixes(&Identity::named("bob")),
            [""; 0]
        );
        let many: Vec<String> = (100..200).map(|number| format!("a{number}/*")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(of(&many), [""]);
    }

    proptest! {
        #[test]
        fn whatever_may_be_pulled_begins_with_one_of_them(
            globs in vec(subsequence(GLOBS.to_vec(), 0..3), 0..4),
            name in select(vec!["a", "b", "a/b", "ab/c/d", "b/a", "b/ab", "c/b"]),
        ) {
            let rules = rules(&globs);
            let alice = Identity::named("alice");
            let repository = name.parse().expect("a name");
            if rules.actions(&alice, &repository).contains(Action::Pull) {
                let prefixes = rules.pull_prefixes(&alice);
                prop_assert!(prefixes.iter().any(|prefix| name.starts_with(prefix.as_str())));
            }
        }
    }
}
