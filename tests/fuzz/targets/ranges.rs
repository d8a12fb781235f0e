//! Fuzzes `berth_fuzz::ranges`.
#![cfg_attr(fuzzing, no_main)]

berth_fuzz::target!(berth_fuzz::ranges);
