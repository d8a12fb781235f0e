//! What each endpoint of the OCI Distribution Specification does, asked of the real binary over
//! plain HTTP. A module for each endpoint, named after it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[allow(dead_code, unused_imports)]
#[path = "../harness/mod.rs"]
mod harness;

mod catalog;
mod end_10_delete_blob;
mod end_11_mount;
mod end_12_referrers;
mod end_13_upload_status;
mod end_14_cancel_upload;
mod end_1_base;
mod end_2_pull_blob;
mod end_3_pull_manifest;
mod end_4_start_upload;
mod end_5_append;
mod end_6_finish_upload;
mod end_7_push_manifest;
mod end_8_tags;
mod end_9_delete_manifest;
mod immutable_tags;
mod large_bodies;
mod origins;
mod other_sites;
mod paths;
mod protocol;
mod quotas;
mod slow_clients;
