//! What becomes of a request, for each kind of caller.
#![allow(clippy::expect_used)]

use berth_auth::Decision::{self, Allowed, Authenticate, Denied, Hidden, WiderScope};
use berth_auth::{
    Access, Action, Actions, Caller, Challenge, Gate, GateSettings, Grant, Groups, Identity, Named,
    Patterns, Rule, Rules,
};
use berth_spec::RepositoryName;

const RULES: &str = r#"
    [groups]
    builders = ["ci-*", "token:ci"]

    [[rule]]
    repositories = ["public/**"]
    who = ["anonymous"]
    actions = ["pull"]

    [[rule]]
    repositories = ["shared/*"]
    who = ["authenticated"]
    actions = ["pull"]

    [[rule]]
    repositories = ["team/**"]
    who = ["alice", "group:builders"]
    actions = ["pull", "push"]

    [[rule]]
    repositories = ["drop/*"]
    who = ["alice"]
    actions = ["push", "delete"]

    [[rule]]
    who = ["root"]
    actions = ["admin"]
"#;

#[derive(serde::Deserialize)]
struct Configuration {
    groups: Groups,
    rule: Vec<Rule>,
}

fn gate_of(rules: Rules) -> Gate {
    let settings = GateSettings {
        rules,
        ..GateSettings::default()
    };
    Gate::new(settings).expect("random bytes")
}

fn gate() -> Gate {
    let read: Configuration = toml::from_str(RULES).expect("rules");
    gate_of(Rules::new(read.rule, read.groups))
}

fn named(name: &str) -> Caller {
    Caller::proven(Identity::named(name))
}

fn with_scope(identity: Identity, scopes: &[&str]) -> Caller {
    let scope = scopes
        .iter()
        .map(|scope| Access::parse(scope).expect("a scope"));
    Caller {
        scope: Some(scope.collect()),
        ..Caller::proven(identity)
    }
}

fn robot() -> Caller {
    let pull_and_delete = Grant {
        repositories: Patterns::new(["team/app"]).expect("globs"),
        actions: [Action::Pull, Action::Delete].into_iter().collect(),
    };
    Caller::proven(Identity::Named(Named {
        name: "token:ci".to_owned(),
        groups: ["builders".to_owned()].into(),
        grants: Some(vec![pull_and_delete]),
    }))
}

fn repository(name: &str) -> RepositoryName {
    name.parse().expect("a name")
}

#[test]
fn each_caller_may_do_what_the_rules_say() {
    let gate = gate();
    let member = Caller::proven(Identity::Named(Named {
        name: "oidc:github:repo".to_owned(),
        groups: ["builders".to_owned()].into(),
        grants: None,
    }));
    let scoped = with_scope(Identity::named("alice"), &["repository:team/app:pull"]);
    let anonymous_token = with_scope(Identity::Anonymous, &["repository:public/app:pull"]);
    let root_pulls = with_scope(Identity::named("root"), &["repository:a:pull"]);
    let root_pushes = with_scope(Identity::named("root"), &["repository:a:pull,push"]);
    let root_deletes = with_scope(Identity::named("root"), &["repository:a:delete"]);

    // What becomes of pull, push, delete and admin.
    let table: &[(&Caller, &str, [Decision; 4])] = &[
        (
            &Caller::anonymous(),
            "public/a/b",
            [Allowed, Authenticate, Authenticate, Authenticate],
        ),
        (&Caller::anonymous(), "shared/app", [Authenticate; 4]),
        (&Caller::anonymous(), "nothing", [Authenticate; 4]),
        (
            &anonymous_token,
            "public/app",
            [Allowed, Authenticate, Authenticate, Authenticate],
        ),
        (
            &anonymous_token,
            "public/other",
            [WiderScope, Authenticate, Authenticate, Authenticate],
        ),
        (
            &named("alice"),
            "public/app",
            [Allowed, Denied, Denied, Denied],
        ),
        (
            &named("alice"),
            "shared/app",
            [Allowed, Denied, Denied, Denied],
        ),
        (
            &named("alice"),
            "shared/a/b",
            [Hidden, Denied, Hidden, Denied],
        ),
        (
            &named("alice"),
            "team/app",
            [Allowed, Allowed, Denied, Denied],
        ),
        (
            &named("alice"),
            "drop/app",
            [Hidden, Allowed, Allowed, Denied],
        ),
        (&named("alice"), "nothing", [Hidden, Denied, Hidden, Denied]),
        (&named("bob"), "team/app", [Hidden, Denied, Hidden, Denied]),
        (
            &named("ci-7"),
            "team/app",
            [Allowed, Allowed, Denied, Denied],
        ),
        (&named("root"), "nothing", [Allowed; 4]),
        (&member, "team/app", [Allowed, Allowed, Denied, Denied]),
        (&member, "drop/app", [Hidden, Denied, Hidden, Denied]),
        // A token reaches no further than its scope, and its scope gives nothing.
        (&scoped, "team/app", [Allowed, WiderScope, Denied, Denied]),
        (
            &scoped,
            "team/other",
            [WiderScope, WiderScope, Denied, Denied],
        ),
        (&scoped, "nothing", [Hidden, Denied, Hidden, Denied]),
        // No client asks for a token to administer.
        (
            &root_pulls,
            "a",
            [Allowed, WiderScope, WiderScope, WiderScope],
        ),
        (&root_pushes, "a", [Allowed, Allowed, WiderScope, Allowed]),
        (
            &root_deletes,
            "a",
            [WiderScope, WiderScope, Allowed, Allowed],
        ),
        (&root_deletes, "b", [WiderScope; 4]),
        // To a robot no rule adds anything, neither by its name nor by a group.
        (&robot(), "team/app", [Allowed, Denied, Allowed, Denied]),
        (&robot(), "team/other", [Hidden, Denied, Hidden, Denied]),
        (&robot(), "public/app", [Hidden, Denied, Hidden, Denied]),
    ];
    for (caller, name, expected) in table {
        for (action, expected) in Action::ALL.into_iter().zip(expected) {
            let decision = gate.decide(caller, &repository(name), action);
            assert_eq!(decision, *expected, "{caller:?}: {action} in {name}");
            let may = gate.may(caller, &repository(name), action);
            assert_eq!(may, *expected == Allowed, "{caller:?}: {action} in {name}");
        }
    }
}

#[test]
fn a_scope_gives_nothing_that_the_rules_do_not() {
    let gate = gate();
    let everything = ["repository:nothing:*", "registry:catalog:*"];
    let alice = with_scope(Identity::named("alice"), &everything);
    assert_eq!(
        gate.decide(&alice, &repository("nothing"), Action::Pull),
        Hidden
    );
    let nobody = with_scope(Identity::Anonymous, &everything);
    assert_eq!(
        gate.decide(&nobody, &repository("nothing"), Action::Pull),
        Authenticate
    );
}

#[test]
fn without_rules_users_with_a_password_may_do_all_but_administer() {
    let gate = gate_of(Rules::default_for_authenticated());
    let name = repository("any/thing");
    for (action, expected) in Action::ALL
        .into_iter()
        .zip([Allowed, Allowed, Allowed, Denied])
    {
        assert_eq!(gate.decide(&named("alice"), &name, action), expected);
        assert_eq!(
            gate.decide(&Caller::anonymous(), &name, action),
            Authenticate
        );
    }
    assert!(gate.may_pull_everywhere(&named("alice")));
    // Strangers have such names too: a public issuer gives everybody a token.
    for stranger in ["oidc:github:repo:stranger/x", "certificate:a", "external:a"] {
        let decided = Action::ALL.map(|action| gate.decide(&named(stranger), &name, action));
        assert_eq!(decided, [Hidden, Denied, Hidden, Denied], "{stranger}");
        assert!(!gate.may_pull_everywhere(&named(stranger)));
    }
    // To a robot these rules give nothing either.
    assert_eq!(gate.decide(&robot(), &name, Action::Pull), Hidden);
}

#[test]
fn no_rule_means_that_nobody_may_do_anything() {
    let gate = gate_of(Rules::default());
    for action in Action::ALL {
        let decision = gate.decide(&named("alice"), &repository("app"), action);
        assert_ne!(decision, Allowed, "{action}");
    }
    assert_eq!(gate.decide_catalog(&named("alice")), Allowed);
    assert!(!gate.may_list(&named("alice"), &repository("app")));
}

#[test]
fn the_base_is_for_those_who_have_presented_something() {
    let gate = gate();
    assert_eq!(gate.decide_base(&Caller::anonymous()), Authenticate);
    assert_eq!(gate.decide_base(&named("bob")), Allowed);
    let anonymous_token = with_scope(Identity::Anonymous, &[]);
    assert_eq!(gate.decide_base(&anonymous_token), Allowed);
}

#[test]
fn the_catalog_shows_what_one_may_pull() {
    let gate = gate();
    let alice = Identity::named("alice");
    let for_list = with_scope(alice.clone(), &["registry:catalog:*"]);
    let for_repository = with_scope(alice, &["repository:team/app:pull"]);
    assert_eq!(gate.decide_catalog(&Caller::anonymous()), Allowed);
    assert_eq!(gate.decide_catalog(&named("alice")), Allowed);
    assert_eq!(gate.decide_catalog(&for_list), Allowed);
    assert_eq!(gate.decide_catalog(&for_repository), WiderScope);
    let closed = gate_of(Rules::default_for_authenticated());
    assert_eq!(closed.decide_catalog(&Caller::anonymous()), Authenticate);

    for (caller, name, expected) in [
        (&Caller::anonymous(), "public/app", true),
        (&Caller::anonymous(), "shared/app", false),
        (&named("alice"), "team/app", true),
        (&named("alice"), "drop/app", false),
        (&for_list, "team/app", true),
        (&for_list, "drop/app", false),
        (&robot(), "team/app", true),
        (&robot(), "shared/app", false),
    ] {
        let is_listed = gate.may_list(caller, &repository(name));
        assert_eq!(is_listed, expected, "{caller:?}: {name}");
    }
}

#[test]
fn everything_may_be_pulled_by_whom_no_rule_limits() {
    let gate = gate();
    let scope = ["repository:team/app:pull", "registry:catalog:*"];
    let scoped = with_scope(Identity::named("root"), &scope);
    let of_everything = Grant {
        repositories: Patterns::all(),
        actions: Actions::from(Action::Pull),
    };
    let pulls_everything = Caller::proven(Identity::Named(Named {
        name: "token:mirror".to_owned(),
        groups: Default::default(),
        grants: Some(vec![of_everything]),
    }));
    for (caller, may_pull, may_list) in [
        (&Caller::anonymous(), false, false),
        (&named("alice"), false, false),
        (&named("root"), true, true),
        (&scoped, false, true),
        (&robot(), false, false),
        (&pulls_everything, true, true),
    ] {
        assert_eq!(gate.may_pull_everywhere(caller), may_pull, "{caller:?}");
        assert_eq!(gate.may_list_everything(caller), may_list, "{caller:?}");
    }
}

#[test]
fn at_an_open_gate_everybody_may_do_everything() {
    let gate = Gate::open();
    let anybody = Caller::anonymous();
    for action in Action::ALL {
        assert_eq!(gate.decide(&anybody, &repository("app"), action), Allowed);
    }
    assert!(gate.is_open());
    assert_eq!(gate.decide_base(&anybody), Allowed);
    assert_eq!(gate.decide_catalog(&anybody), Allowed);
    assert!(gate.may_list(&anybody, &repository("app")));
    assert!(gate.may_pull_everywhere(&anybody) && gate.may_list_everything(&anybody));
    assert!(
        gate.challenges("http://127.0.0.1:5000", &[], None)
            .is_empty()
    );
}

fn challenge_of(challenge: Challenge, wanted: &[&str], error: Option<&str>) -> String {
    let settings = GateSettings {
        challenge,
        ..GateSettings::default()
    };
    let gate = Gate::new(settings).expect("random bytes");
    let wanted: Vec<Access> = wanted
        .iter()
        .filter_map(|scope| Access::parse(scope))
        .collect();
    let challenges = gate.challenges("https://registry.example.com", &wanted, error);
    assert_eq!(challenges.len(), 1);
    challenges.concat()
}

#[test]
fn a_challenge_says_how_to_authenticate_and_for_what() {
    let wanted = ["repository:a/b:pull,push", "repository:c:pull"];
    let basic = challenge_of(Challenge::Basic, &wanted, Some("insufficient_scope"));
    assert_eq!(basic, r#"Basic realm="berth", charset="UTF-8""#);

    let bearer = |realm: Option<&str>, service: &str| Challenge::Bearer {
        realm: realm.map(str::to_owned),
        service: service.to_owned(),
    };
    let header = challenge_of(bearer(None, "berth"), &[], None);
    assert_eq!(
        header,
        r#"Bearer realm="https://registry.example.com/token",service="berth""#
    );
    let header = challenge_of(bearer(None, "berth"), &wanted, Some("insufficient_scope"));
    assert_eq!(
        header,
        r#"Bearer realm="https://registry.example.com/token",service="berth",scope="repository:a/b:pull,push repository:c:pull",error="insufficient_scope""#
    );
    let elsewhere = bearer(Some("https://auth.example.com/a?b"), "r");
    let header = challenge_of(elsewhere, &["registry:catalog:*"], None);
    assert_eq!(
        header,
        r#"Bearer realm="https://auth.example.com/a?b",service="r",scope="registry:catalog:*""#
    );
}

#[test]
fn nothing_breaks_out_of_a_challenge() {
    let challenge = Challenge::Bearer {
        realm: None,
        service: "a\"b\\c\r\nSet-Cookie: d".to_owned(),
    };
    let header = challenge_of(challenge, &[], None);
    assert!(
        header.ends_with(r#",service="a\"b\\cSet-Cookie: d""#),
        "{header}"
    );
}
