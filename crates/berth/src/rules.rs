//! Access rules that would not do what whoever wrote them believes.

use anyhow::{bail, ensure};
use berth_auth::{Groups, OidcSettings, Rule, Subject};
use toml::{Table, Value};

use crate::accounts::group_name;
use crate::config::{Config, UseAccounts};

/// How names of robots begin.
const ROBOT: &str = "token:";

/// Refuses settings that allow more than anybody can have meant, or nothing at all.
pub(crate) fn check(config: &Config) -> anyhow::Result<()> {
    check_issuers(config)?;
    ensure!(
        !config.rule.is_default() || config.groups == Groups::default(),
        "there are groups and no rule, so whoever has a name could push and delete everywhere; say in a [[rule]] what they \
         may do, or remove the groups"
    );
    let rules = config.rule.written().iter();
    rules.zip(1..).try_for_each(check_rule)?;
    for (group, members) in &members(config)? {
        let mut members = members.as_array().into_iter().flatten();
        let is_robot = |member: &Value| member.as_str().is_some_and(is_robot);
        ensure!(
            !members.any(is_robot),
            "the group {group} has a {ROBOT} in it: {ROBOTS}"
        );
    }
    Ok(())
}

const ROBOTS: &str =
    "no rule is about robots, whose tokens may do what berth token add gave them and nothing else";

fn check_rule((rule, number): (&Rule, usize)) -> anyhow::Result<()> {
    let empty = [
        ("who", rule.who.is_empty()),
        ("actions", rule.actions.is_empty()),
        ("repositories", rule.repositories.texts().is_empty()),
    ];
    if let Some((list, _)) = empty.iter().find(|(_, is_empty)| *is_empty) {
        bail!(
            "the {list} of rule {number} are an empty list, so it allows nothing; name some, or remove the rule"
        );
    }
    let mut names = rule.who.iter().cloned().map(String::from);
    if let Some(robot) = names.find(|name| is_robot(name)) {
        bail!("rule {number} has {robot} in who: {ROBOTS}");
    }
    Ok(())
}

fn is_robot(name: &str) -> bool {
    name.starts_with(ROBOT)
}

/// For each group of the configuration, the names in it.
fn members(config: &Config) -> anyhow::Result<Table> {
    Ok(Table::try_from(&config.groups)?)
}

/// The groups that rules name and nobody can be in.
pub(crate) fn unknown_groups(config: &Config) -> anyhow::Result<Vec<String>> {
    let configured = members(config)?;
    let is_of_role = |group: &str| {
        let mut roles = config.oidc.iter().flat_map(|issuer| &issuer.role);
        roles.any(|role| role.groups.contains(group))
    };
    let is_of_user =
        |group: &str| config.accounts != UseAccounts::False && group_name(group).is_ok();
    let is_unknown = |group: &&String| {
        !configured.contains_key(*group) && !is_of_role(group) && !is_of_user(group)
    };
    let subjects = config.rule.written().iter().flat_map(|rule| &rule.who);
    let groups = subjects.filter_map(|subject| match subject {
        Subject::Group(group) => Some(group),
        _ => None,
    });
    Ok(groups.filter(is_unknown).cloned().collect())
}

/// Anybody may have a token of a public issuer: without a rule or a role, all of its users could push and delete.
fn check_issuers(config: &Config) -> anyhow::Result<()> {
    if !config.rule.is_default() {
        return Ok(());
    }
    let lets_all_in =
        |issuer: &&OidcSettings| issuer.role.is_empty() || issuer.require_role == Some(false);
    if let Some(issuer) = config.oidc.iter().find(lets_all_in) {
        bail!(
            "the oidc issuer {} needs no role and there is no rule, so whoever it knows could push and delete everywhere; say in \
             a [[rule]] what who = [\"oidc:{}:...\"] may do, or in an [[oidc.role]] whose tokens are accepted",
            issuer.label,
            issuer.label
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ISSUER: &str =
        "[[oidc]]\nlabel = \"ci\"\nissuer = \"https://ci\"\naudience = \"berth\"\n";

    fn check_text(text: &str) -> Result<(), String> {
        check(&Config::of_text(text).unwrap()).map_err(|error| error.to_string())
    }

    #[test]
    fn an_issuer_needs_a_role_or_a_rule() {
        let error = check_text(ISSUER).unwrap_err();
        assert!(error.contains("oidc:ci:"), "{error}");
        let role = "[[oidc.role]]\nclaims = { team = \"a\" }\ngroups = [\"a\"]\n";
        let rule = "[[rule]]\nwho = [\"alice\"]\nactions = [\"pull\"]\n";
        for more in [role, rule] {
            assert_eq!(check_text(&format!("{ISSUER}{more}")), Ok(()), "{more}");
        }
        let other = ISSUER.replace("\"ci\"", "\"other\"");
        let error = check_text(&format!("{ISSUER}{role}{other}")).unwrap_err();
        assert!(error.contains("oidc:other:"), "{error}");
    }

    fn rule(who: &str) -> String {
        format!("[[rule]]\nwho = [{who}]\nactions = [\"pull\"]\n")
    }

    #[test]
    fn groups_need_a_rule() {
        let groups = "[groups]\nstaff = [\"alice\"]\n";
        let error = check_text(groups).unwrap_err();
        assert!(error.contains("[[rule]]"), "{error}");
        let with_rule = format!("{groups}{}", rule("\"group:staff\""));
        assert_eq!(check_text(&with_rule), Ok(()));
    }

    #[test]
    fn a_rule_with_an_empty_list_is_refused() {
        let good = rule("\"alice\"") + "repositories = [\"a\"]\n";
        assert_eq!(check_text(&good), Ok(()));
        for (list, full) in [
            ("who", "[\"alice\"]"),
            ("actions", "[\"pull\"]"),
            ("repositories", "[\"a\"]"),
        ] {
            let wrong = good.clone() + &good.replace(full, "[]");
            let error = check_text(&wrong).unwrap_err();
            assert!(error.contains(&format!("the {list} of rule 2")), "{error}");
        }
    }

    #[test]
    fn a_rule_about_robots_is_refused() {
        let error = check_text(&rule("\"alice\", \"token:ci-*\"")).unwrap_err();
        assert!(
            error.contains("token:ci-*") && error.contains("berth token add"),
            "{error}"
        );
        let group = "[groups]\nrobots = [\"token:*\"]\n".to_owned() + &rule("\"group:robots\"");
        let error = check_text(&group).unwrap_err();
        assert!(error.contains("robots"), "{error}");
    }

    #[test]
    fn groups_that_nobody_can_be_in_are_told() {
        let unknown = |text: &str| unknown_groups(&Config::of_text(text).unwrap()).unwrap();
        let staff = rule("\"group:staff\", \"group:two:parts\"");
        assert_eq!(unknown(&staff), ["two:parts"]);
        let no_accounts = format!("accounts = false\n{staff}");
        assert_eq!(unknown(&no_accounts), ["staff", "two:parts"]);
        let roles = "[[oidc.role]]\nclaims = { team = \"a\" }\ngroups = [\"two:parts\"]\n";
        let known = format!("{no_accounts}{ISSUER}{roles}[groups]\nstaff = [\"alice\"]\n");
        assert_eq!(unknown(&known), [""; 0]);
    }
}
