//! What must hold for whatever bytes a client sends.
//!
//! Each function takes any bytes and panics where its property does not hold. libFuzzer calls it
//! (`cargo xtask fuzz`), and so does an ordinary test with every input that is kept (`tests/corpus.rs`).
//!
//! ```
//! berth_fuzz::routes(b"GET /v2/library/alpine/tags/list?n=10");
//! berth_fuzz::ranges(b"bytes=18446744073709551615-");
//! ```
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod conditions;
mod entity_tags;
mod grammar;
mod manifest_walk;
mod manifests;
mod names;
mod parameters;
mod ranges;
mod routes;

pub use conditions::conditions;
pub use manifests::manifests;
pub use names::names;
pub use ranges::ranges;
pub use routes::routes;

/// A property, by the name of its target.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: [Target; 5] = [
    ("routes", routes),
    ("names", names),
    ("manifests", manifests),
    ("ranges", ranges),
    ("conditions", conditions),
];

/// The entry of a binary that fuzzes this property. Built without libFuzzer, it checks the files
/// that its command line names.
#[macro_export]
macro_rules! target {
    ($property:path) => {
        #[cfg(fuzzing)]
        ::libfuzzer_sys::fuzz_target!(|input: &[u8]| $property(input));

        #[cfg(not(fuzzing))]
        fn main() -> ::std::io::Result<()> {
            for file in ::std::env::args_os().skip(1) {
                $property(&::std::fs::read(file)?);
            }
            Ok(())
        }
    };
}
