//! The migrations are compiled in: building again when one changes needs to be asked for.

fn main() {
    println!("cargo::rerun-if-changed=../../migrations/postgres");
}
