//! Fuzzes `berth_fuzz::manifests`.
#![cfg_attr(fuzzing, no_main)]

berth_fuzz::target!(berth_fuzz::manifests);
