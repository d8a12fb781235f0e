use crate::check::{assert_lively, assert_no_loss, assert_safe, small};
use crate::flaws::Flaw;
use crate::protocol::Protocol;

#[test]
fn one_blob_in_two_repositories() {
    let protocol = Protocol {
        pushes: 3,
        backups: true,
        ..small()
    };
    assert_safe(protocol, 40_000);
}

#[test]
fn two_blobs_that_each_manifest_needs() {
    let two_repositories = Protocol {
        blobs: 2,
        pushes: 1,
        ..small()
    };
    assert_safe(two_repositories, 150_000);
    let two_pushes = Protocol {
        blobs: 2,
        repositories: 1,
        backups: true,
        ..small()
    };
    assert_safe(two_pushes, 40_000);
}

fn with_damage() -> Protocol {
    Protocol {
        damage: true,
        backups: true,
        ..small()
    }
}

#[test]
fn files_that_become_corrupt() {
    assert_safe(with_damage(), 100_000);
}

#[test]
fn all_that_the_protocol_is_made_for_happens() {
    assert_lively(with_damage());
}

/// Each of these is a second net, which stays because the first may have a hole that no model knows.
/// Without the wait, this is collection without a grace period, too.
#[test]
fn one_net_less_loses_nothing() {
    for flaw in [
        Flaw::NoWait,
        Flaw::ForgetByStateAlone,
        Flaw::ForgetByUseAlone,
        Flaw::ManifestLeavesCondemned,
    ] {
        assert_no_loss(small(), &[flaw]);
    }
}
