/// What the protocol could lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// Pushes and removals do not wait for each other.
    NoGuards,
    /// A push takes its guard when it has published the file.
    PushGuardedTooLate,
    /// A push gives its guard back when it has asked for the record, before that is made.
    PushGuardedTooShort,
    /// A push records the blob before it publishes the file.
    RecordBeforePublish,
    /// A push records the blob before it syncs the folder of the file.
    RecordBeforeSync,
    /// A collection gives its guard back when it has asked for the removal of the file, before that is
    /// done.
    CollectionGuardedTooShort,
    /// A collection removes the file first, and then the row.
    FileBeforeRow,
    /// A collection removes the row of what it has chosen, whatever has happened since.
    ForgetWithoutLooking,
    /// A collection looks whether the row is still condemned, but not at what keeps the blob.
    ForgetByStateAlone,
    /// A collection looks at what keeps the blob, but not whether the row is still condemned.
    ForgetByUseAlone,
    /// A collection does not wait between condemning and removing.
    NoWait,
    /// Links that are too young for a `HEAD` to renew them do not keep the blob.
    NoMargin,
    /// A manifest does not take a condemned blob back.
    ManifestLeavesCondemned,
    /// A mount does not take a condemned blob back, and makes a link that is as old as can be.
    MountPromisesNothing,
    /// A `HEAD` says 200 of a link of any age, and writes nothing.
    HeadPromisesNothing,
    /// There is no sweep.
    NoSweep,
    /// A sweep takes no guard.
    SweepWithoutGuard,
    /// A sweep takes its guard when it has looked for the row.
    SweepGuardedTooLate,
    /// Verification takes no guard.
    QuarantineWithoutGuard,
    /// Verification moves away what is there now, which need not be what it read.
    QuarantineWithoutComparing,
    /// Removals go on during a backup.
    RemovalDuringBackup,
}
