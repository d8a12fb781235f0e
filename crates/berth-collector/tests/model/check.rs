//! Asks the checker.

use std::collections::BTreeSet;

use stateright::{Checker, HasDiscoveries, Model};

use crate::flaws::Flaw;
use crate::possibilities::possibilities;
use crate::properties::{LOSSES, safety};
use crate::protocol::{Action, Protocol};

/// One blob, two repositories, two uploads at once; nothing fails but the process.
pub(crate) fn small() -> Protocol {
    Protocol {
        repositories: 2,
        blobs: 1,
        pushes: 2,
        backups: false,
        damage: false,
        flaws: Vec::new(),
        properties: safety,
    }
}

/// Visits every state that can be reached, more than `at_least`, and finds nothing wrong in any.
pub(crate) fn assert_safe(protocol: Protocol, at_least: usize) {
    let checker = protocol
        .checker()
        .finish_when(HasDiscoveries::AnyFailures)
        .spawn_bfs()
        .join();
    checker.assert_properties();
    let visited = checker.unique_state_count();
    println!("{visited} states");
    assert!(visited > at_least, "{visited} states are too few");
}

/// Everything happens that is listed as possible.
pub(crate) fn assert_lively(protocol: Protocol) {
    let properties = possibilities;
    let protocol = Protocol {
        properties,
        ..protocol
    };
    protocol.checker().spawn_bfs().join().assert_properties();
}

/// With these flaws, `property` does not always hold.
pub(crate) fn assert_broken(protocol: Protocol, flaws: &[Flaw], property: &'static str) {
    let found = way_to(protocol, flaws, &[property]);
    let Some((_, way)) = found else {
        panic!("{property}: the checker finds no way to break it");
    };
    println!("not true any more that {property}:");
    for action in way {
        println!("  {action:?}");
    }
}

/// With these flaws, nothing is lost all the same.
pub(crate) fn assert_no_loss(protocol: Protocol, flaws: &[Flaw]) {
    let found = way_to(protocol, flaws, &LOSSES);
    assert!(found.is_none(), "{found:?}");
}

/// How one of these properties is broken: which one, and what leads there.
fn way_to(
    protocol: Protocol,
    flaws: &[Flaw],
    properties: &[&'static str],
) -> Option<(&'static str, Vec<Action>)> {
    let flaws = flaws.to_vec();
    let wanted: BTreeSet<&str> = properties.iter().copied().collect();
    let checker = Protocol { flaws, ..protocol }
        .checker()
        .finish_when(HasDiscoveries::AnyOf(wanted))
        .spawn_bfs()
        .join();
    let mut discoveries = checker.discoveries();
    let broken = properties
        .iter()
        .find(|name| discoveries.contains_key(*name))?;
    let path = discoveries.remove(broken)?;
    Some((broken, path.into_actions()))
}
