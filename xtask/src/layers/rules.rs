use std::collections::{BTreeMap, BTreeSet};

/// What a crate depends on.
#[derive(Clone, Debug, Default)]
pub(super) struct Crate {
    pub(super) dependencies: BTreeSet<String>,
    pub(super) for_tests: BTreeSet<String>,
}

/// Each crate of the workspace, and all that it may build on.
const LAYERS: [(&str, &[&str]); 22] = [
    ("berth-spec", &[]),
    ("berth-sendfile", &[]),
    ("berth-progress", &[]),
    ("berth-tls", &[]),
    ("berth-auth", &["berth-spec"]),
    ("berth-audit", &["berth-spec"]),
    ("berth-route", &["berth-spec"]),
    ("berth-metadata", &["berth-spec"]),
    ("berth-postgres", &["berth-spec", "berth-metadata"]),
    ("berth-blob", &["berth-spec"]),
    ("berth-object", &["berth-spec", "berth-blob"]),
    ("berth-cache", &["berth-spec", "berth-blob"]),
    ("berth-upload", &["berth-spec", "berth-blob"]),
    (
        "berth-collector",
        &[
            "berth-spec",
            "berth-progress",
            "berth-metadata",
            "berth-blob",
        ],
    ),
    (
        "berth-verify",
        &[
            "berth-spec",
            "berth-progress",
            "berth-metadata",
            "berth-blob",
        ],
    ),
    (
        "berth-backup",
        &[
            "berth-spec",
            "berth-progress",
            "berth-metadata",
            "berth-blob",
            "berth-verify",
        ],
    ),
    (
        "berth-registry",
        &[
            "berth-spec",
            "berth-metadata",
            "berth-blob",
            "berth-upload",
            "berth-verify",
        ],
    ),
    (
        "berth-transfer",
        &[
            "berth-spec",
            "berth-progress",
            "berth-metadata",
            "berth-blob",
            "berth-registry",
        ],
    ),
    // Only tests use it: nothing may build on it, and its own tests put all of this together.
    (
        "berth-faults",
        &[
            "berth-spec",
            "berth-progress",
            "berth-metadata",
            "berth-blob",
            "berth-collector",
            "berth-registry",
            "berth-upload",
            "berth-object",
            "berth-postgres",
        ],
    ),
    (
        "berth-retention",
        &["berth-spec", "berth-metadata", "berth-progress"],
    ),
    (
        "berth-http",
        &[
            "berth-spec",
            "berth-route",
            "berth-registry",
            "berth-sendfile",
            "berth-auth",
            "berth-tls",
            "berth-audit",
        ],
    ),
    (
        "berth",
        &[
            "berth-spec",
            "berth-metadata",
            "berth-postgres",
            "berth-blob",
            "berth-object",
            "berth-cache",
            "berth-upload",
            "berth-collector",
            "berth-verify",
            "berth-backup",
            "berth-progress",
            "berth-registry",
            "berth-http",
            "berth-retention",
            "berth-transfer",
            "berth-auth",
            "berth-tls",
            "berth-audit",
        ],
    ),
];

/// The chores: no layer.
const XTASK: &str = "xtask";

/// What may build on every layer, and is none.
const OUTSIDE: [&str; 2] = [XTASK, "berth-fuzz"];

/// Packages that only some crates may use.
const CONFINED: [(&str, &[&str]); 9] = [
    ("diesel", &["berth-metadata", "berth-postgres"]),
    ("diesel_migrations", &["berth-metadata", "berth-postgres"]),
    ("pq-sys", &["berth-postgres"]),
    ("libsqlite3-sys", &["berth-metadata"]),
    ("object_store", &["berth-object"]),
    // For tests, which lock the database as other programs do.
    ("rusqlite", &["berth"]),
    ("hyper", &["berth-http", "berth"]),
    ("hyper-util", &["berth-http", "berth"]),
    ("anyhow", &["berth", XTASK]),
];

/// Crates without I/O: nothing async gets in.
const PURE: [&str; 2] = ["berth-spec", "berth-route"];

pub(super) fn violations(crates: &BTreeMap<String, Crate>) -> Vec<String> {
    let mut found = Vec::new();
    for (name, _) in LAYERS {
        if !crates.contains_key(name) {
            found.push(format!("{name} is missing"));
        }
    }
    for (name, depends) in crates {
        found.extend(of_crate(name, depends));
    }
    found
}

fn of_crate(name: &str, depends: &Crate) -> Vec<String> {
    let mut found = Vec::new();
    let layer = LAYERS.iter().find(|(layer, _)| *layer == name);
    if layer.is_none() && !OUTSIDE.contains(&name) {
        found.push(format!(
            "{name} is in no layer: give it a place in xtask/src/layers/rules.rs"
        ));
    }
    // A crate may use itself in tests, to switch its own features on.
    let others = depends.for_tests.iter().filter(|used| *used != name);
    for used in depends.dependencies.iter().chain(others) {
        let is_ours = LAYERS.iter().any(|(layer, _)| layer == used);
        let is_below = layer.is_none_or(|(_, below)| below.contains(&used.as_str()));
        if is_ours && !is_below {
            found.push(format!("{name} depends on {used}, which is not below it"));
        }
        let confined = CONFINED.iter().find(|(package, _)| package == used);
        if let Some((_, users)) = confined.filter(|(_, users)| !users.contains(&name)) {
            found.push(format!(
                "{name} depends on {used}, which only {} may",
                users.join(", ")
            ));
        }
    }
    if PURE.contains(&name) && depends.dependencies.contains("tokio") {
        found.push(format!("{name} depends on tokio, and must be pure"));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The workspace as it should be.
    fn workspace() -> BTreeMap<String, Crate> {
        let layer = |(name, below): (&str, &[&str])| {
            let dependencies = below.iter().map(ToString::to_string).collect();
            let for_tests = BTreeSet::from([name.to_owned()]);
            (
                name.to_owned(),
                Crate {
                    dependencies,
                    for_tests,
                },
            )
        };
        LAYERS
            .into_iter()
            .map(layer)
            .chain([(XTASK.to_owned(), Crate::default())])
            .collect()
    }

    fn with(name: &str, dependency: &str) -> BTreeMap<String, Crate> {
        let mut crates = workspace();
        let changed = crates.entry(name.to_owned()).or_default();
        changed.dependencies.insert(dependency.to_owned());
        crates
    }

    #[test]
    fn the_table_allows_what_it_lists() {
        assert_eq!(violations(&workspace()), Vec::<String>::new());
        assert!(violations(&with("berth-metadata", "diesel")).is_empty());
        assert!(violations(&with("berth-postgres", "diesel")).is_empty());
        assert!(violations(&with("berth-spec", "serde")).is_empty());
    }

    #[test]
    fn what_points_up_or_sideways_is_found() {
        for (name, dependency) in [
            ("berth-spec", "berth-route"),
            ("berth-route", "berth-metadata"),
            ("berth-blob", "berth-metadata"),
            ("berth-registry", "berth-http"),
            ("berth-http", "berth"),
            ("berth-http", "berth-metadata"),
            ("berth-metadata", "berth-postgres"),
            ("berth-registry", "diesel"),
            ("berth-registry", "hyper"),
            ("berth-blob", "anyhow"),
            ("berth-route", "tokio"),
            ("berth-extra", "serde"),
        ] {
            assert_eq!(
                violations(&with(name, dependency)).len(),
                1,
                "{name} → {dependency}"
            );
        }
    }

    #[test]
    fn tests_point_down_too() {
        let mut crates = workspace();
        let blob = crates.entry("berth-blob".to_owned()).or_default();
        blob.for_tests.insert("berth-upload".to_owned());
        assert_eq!(violations(&crates).len(), 1);
    }

    #[test]
    fn a_missing_layer_is_found() {
        let mut crates = workspace();
        crates.remove("berth-blob");
        assert_eq!(violations(&crates), ["berth-blob is missing"]);
    }
}
