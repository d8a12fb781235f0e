//! Fuzzes `berth_fuzz::conditions`.
#![cfg_attr(fuzzing, no_main)]

berth_fuzz::target!(berth_fuzz::conditions);
