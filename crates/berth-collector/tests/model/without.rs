//! What the checker finds when a rule of the protocol is left out: that shows that it would find a hole
//! in the protocol as it is. `cargo test -p berth-collector --test model without -- --nocapture` tells
//! how each loss comes about.

use crate::check::{assert_broken, small};
use crate::flaws::Flaw;
use crate::properties::{
    BACKUPS_ARE_WHOLE, NO_EMPTY_PUSH, NO_ROW_WITHOUT_FILE, PROMISES_HOLD, REFERENCES_HOLD,
    THE_CONDEMNED_ARE_UNUSED, THE_UNUSED_CAN_GO,
};
use crate::protocol::Protocol;

fn with_damage() -> Protocol {
    Protocol {
        damage: true,
        ..small()
    }
}

#[test]
fn without_guards_the_checker_finds_a_loss() {
    assert_broken(small(), &[Flaw::NoGuards], REFERENCES_HOLD);
}

#[test]
fn without_a_guard_over_the_publication_the_checker_finds_a_loss() {
    assert_broken(small(), &[Flaw::PushGuardedTooLate], REFERENCES_HOLD);
}

#[test]
fn without_a_guard_until_the_record_is_made_the_checker_finds_a_loss() {
    assert_broken(small(), &[Flaw::PushGuardedTooShort], REFERENCES_HOLD);
}

#[test]
fn without_a_guard_until_the_file_is_gone_the_checker_finds_a_loss() {
    assert_broken(small(), &[Flaw::CollectionGuardedTooShort], REFERENCES_HOLD);
}

#[test]
fn without_publication_before_the_record_the_checker_finds_a_loss() {
    assert_broken(small(), &[Flaw::RecordBeforePublish], REFERENCES_HOLD);
    assert_broken(small(), &[Flaw::RecordBeforePublish], NO_EMPTY_PUSH);
}

#[test]
fn without_a_sync_before_the_record_the_checker_finds_a_loss() {
    assert_broken(small(), &[Flaw::RecordBeforeSync], REFERENCES_HOLD);
}

#[test]
fn without_removing_the_row_first_the_checker_finds_a_loss() {
    assert_broken(small(), &[Flaw::FileBeforeRow], REFERENCES_HOLD);
    assert_broken(small(), &[Flaw::FileBeforeRow], NO_ROW_WITHOUT_FILE);
}

#[test]
fn without_looking_again_the_checker_finds_a_loss() {
    assert_broken(small(), &[Flaw::ForgetWithoutLooking], PROMISES_HOLD);
    assert_broken(small(), &[Flaw::ForgetWithoutLooking], REFERENCES_HOLD);
}

#[test]
fn without_taking_back_what_a_manifest_needs_the_checker_finds_a_loss() {
    let flaws = [Flaw::ManifestLeavesCondemned, Flaw::ForgetByStateAlone];
    assert_broken(small(), &flaws, REFERENCES_HOLD);
    // Either of the two alone loses nothing, but the first is not how it should be.
    let flaws = [Flaw::ManifestLeavesCondemned];
    assert_broken(small(), &flaws, THE_CONDEMNED_ARE_UNUSED);
}

#[test]
fn without_renewal_by_a_mount_the_checker_finds_a_loss() {
    assert_broken(small(), &[Flaw::MountPromisesNothing], PROMISES_HOLD);
}

#[test]
fn without_renewal_by_a_head_the_checker_finds_a_loss() {
    assert_broken(small(), &[Flaw::HeadPromisesNothing], PROMISES_HOLD);
}

#[test]
fn without_the_margin_for_rare_renewal_the_checker_finds_a_loss() {
    assert_broken(small(), &[Flaw::NoMargin], PROMISES_HOLD);
}

#[test]
fn without_a_guard_over_the_sweep_the_checker_finds_a_loss() {
    assert_broken(small(), &[Flaw::SweepWithoutGuard], REFERENCES_HOLD);
}

#[test]
fn without_a_look_of_the_sweep_under_its_guard_the_checker_finds_a_loss() {
    assert_broken(small(), &[Flaw::SweepGuardedTooLate], REFERENCES_HOLD);
}

#[test]
fn without_a_guard_over_the_quarantine_the_checker_finds_a_loss() {
    assert_broken(
        with_damage(),
        &[Flaw::QuarantineWithoutGuard],
        NO_EMPTY_PUSH,
    );
}

#[test]
fn without_comparing_before_the_quarantine_the_checker_finds_a_loss() {
    let flaws = [Flaw::QuarantineWithoutComparing];
    assert_broken(with_damage(), &flaws, REFERENCES_HOLD);
}

#[test]
fn without_the_guard_of_a_backup_the_checker_finds_a_loss() {
    let backups = true;
    let protocol = Protocol { backups, ..small() };
    assert_broken(protocol, &[Flaw::RemovalDuringBackup], BACKUPS_ARE_WHOLE);
}

#[test]
fn without_a_sweep_the_checker_finds_what_never_goes() {
    assert_broken(small(), &[Flaw::NoSweep], THE_UNUSED_CAN_GO);
}
