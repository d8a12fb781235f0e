//! Fuzzes `berth_fuzz::names`.
#![cfg_attr(fuzzing, no_main)]

berth_fuzz::target!(berth_fuzz::names);
