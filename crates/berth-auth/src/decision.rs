/// What becomes of a request, and how to answer it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It may be done.
    Allowed,
    /// Nobody said who asks: 401 `UNAUTHORIZED` with the challenge.
    Authenticate,
    /// The rules allow it, but the scope of the token does not reach so far: 401 `UNAUTHORIZED` with the challenge and
    /// `error="insufficient_scope"`.
    WiderScope,
    /// It may not be done: 403 `DENIED`.
    Denied,
    /// It may not be done, and the answer is the same as if the repository did not exist.
    Hidden,
}
