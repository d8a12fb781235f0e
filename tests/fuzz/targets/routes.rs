//! Fuzzes `berth_fuzz::routes`.
#![cfg_attr(fuzzing, no_main)]

berth_fuzz::target!(berth_fuzz::routes);
