use std::time::Duration;

/// What happens at a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing is done, for lack of room.
    Full,
    /// It fails. With [`When::After`], it has happened all the same, and whoever asked for it never
    /// hears so.
    Error(When),
    /// The process dies: whatever is asked for from then on fails, and nothing of it is done. Steps
    /// that were under way may still have their effect, but nobody hears of it.
    Crash(When),
    /// It is done after other tasks have had this many turns, and they have as many before the answer
    /// arrives.
    Yield(u32),
    /// It is done after this time.
    Sleep(Duration),
    /// It is done at once, and the answer takes this time.
    Linger(Duration),
    /// It is done after this time, and also if whoever asked for it does not wait any more: as work on
    /// another thread is. Only what changes blobs, and their links, is done so; other steps sleep.
    Late(Duration),
}

/// How much of a step is done before it goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Nothing.
    Before,
    /// The first half of the bytes that are to be written, or of the blobs that are to be deleted. Of
    /// a step that happens whole or not at all: nothing.
    Halfway,
    /// All.
    After,
}
