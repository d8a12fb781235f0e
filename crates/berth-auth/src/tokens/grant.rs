use crate::{Access, Caller, Rules};

/// What a token gives: of what was asked, what the rules let the caller do and what the caller's credential itself reaches.
/// Whatever else was asked is left out without an error, since clients of Docker registries go on with a token that allows
/// less. Each repository is in the answer once.
///
/// ```
/// use berth_auth::{granted, Access, Caller, Identity, Rules};
///
/// let rules = Rules::default_for_authenticated();
/// let asked: Vec<Access> = Access::parse("repository:team/app:pull,push").into_iter().collect();
///
/// let alice = Caller::proven(Identity::named("alice"));
/// assert_eq!(granted(&rules, &alice, &asked), asked);
/// assert!(granted(&rules, &Caller::anonymous(), &asked).is_empty());
/// ```
pub fn granted(rules: &Rules, caller: &Caller, asked: &[Access]) -> Vec<Access> {
    let mut granted = Vec::new();
    for access in asked {
        add(&mut granted, allowed(rules, caller, access));
    }
    granted
}

fn allowed(rules: &Rules, caller: &Caller, access: &Access) -> Option<Access> {
    let Access::Repository { name, actions } = access else {
        let is_allowed = caller.reaches_catalog() && rules.allow_pull_somewhere(&caller.identity);
        return is_allowed.then_some(Access::Catalog);
    };
    let actions = *actions & rules.actions(&caller.identity, name) & caller.scope_in(name);
    (!actions.is_empty()).then(|| Access::Repository {
        name: name.clone(),
        actions,
    })
}

fn add(granted: &mut Vec<Access>, access: Option<Access>) {
    let Some(access) = access else {
        return;
    };
    for known in granted.iter_mut() {
        if merge(known, &access) {
            return;
        }
    }
    granted.push(access);
}

/// Adds the actions of `more` if both are about the same.
fn merge(known: &mut Access, more: &Access) -> bool {
    match (known, more) {
        (Access::Catalog, Access::Catalog) => true,
        (
            Access::Repository { name, actions },
            Access::Repository {
                name: other,
                actions: more,
            },
        ) if name == other => {
            *actions = *actions | *more;
            true
        }
        _ => false,
    }
}
